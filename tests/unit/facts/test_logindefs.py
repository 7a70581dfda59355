from __future__ import annotations

import pytest

from panshi.facts import FactMissing, Facts, logindefs

TEXT = '# PASS_MAX_DAYS 1\nPASS_MAX_DAYS\t99999\nUMASK 022 # note\nPASS_MAX_DAYS 90\nEMPTY\nMETHOD "SHA512"\n'


def host(text: str = TEXT) -> Facts:
    items = {
        "file:/etc/login.defs": {"cmd": "cat", "out": text},
        "account.useradd_defaults": {"cmd": "useradd -D", "out": "GROUP=100\nINACTIVE=-1\nSHELL=/bin/sh\n"},
    }
    return Facts({"globs": [], "items": items})


def test_parsed_last_line_wins() -> None:
    assert logindefs.parse(TEXT) == {"PASS_MAX_DAYS": "90", "UMASK": "022", "EMPTY": "", "METHOD": "SHA512"}
    assert logindefs.number(host(), "PASS_MAX_DAYS") == 90
    assert logindefs.place(host(), "PASS_MAX_DAYS") == "/etc/login.defs 第 4 行"


@pytest.mark.parametrize("name", ["EMPTY", "METHOD", "ABSENT"])
def test_parsed_what_is_no_number(name: str) -> None:
    assert logindefs.number(host(), name) is None


def test_parsed_place_of_what_is_not_set() -> None:
    assert logindefs.place(host(), "ABSENT") == "/etc/login.defs 未设置 ABSENT"


def test_parsed_uid_range_has_shadows_defaults() -> None:
    assert logindefs.uid_range(host()) == (1000, 60000)
    assert logindefs.uid_range(host("UID_MIN 500\nUID_MAX 30000\n")) == (500, 30000)


def test_parsed_useradd_defaults() -> None:
    assert logindefs.useradd_defaults(host()) == {"GROUP": "100", "INACTIVE": "-1", "SHELL": "/bin/sh"}


def test_a_file_that_was_never_looked_for_is_no_answer() -> None:
    with pytest.raises(FactMissing):
        logindefs.number(Facts({"globs": [], "items": {}}), "PASS_MAX_DAYS")
