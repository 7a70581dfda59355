"""Break-glass accounts: what counts as a use, from what the host has recorded."""

from __future__ import annotations

import importlib.util
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from panshi.errors import PanshiError
from panshi.secret import Entry, SecretId, Version
from panshi.secret.declared import Declared
from panshi.secret.envelope import Sheet, render
from panshi.secret.glass import begun, break_glass_accounts, judged, since_of
from panshi.secret.model import Watch, from_document, to_document
from panshi.secret.policy import CLASSES, Policy
from panshi.secret.rotate import due

PLUGIN = Path(__file__).resolve().parents[3] / "plugins" / "modules" / "panshi_logins.py"
SECRET = SecretId("web1", "linux", "emergency")
MADE, SINCE, LATER, NOW = (f"2026-11-21T03:0{minute}:00Z" for minute in range(4))
CURRENT = Version("v2", "Xy-canary-7", MADE)
WATCHED = Entry(SECRET, CURRENT, watch=Watch("v2", SINCE))
LOGIN = {"time": LATER, "way": "sshd password，来自 203.0.113.9"}
DECLARED = Declared(SECRET, Policy(), 90, "web1")


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("panshi_logins_under_test", PLUGIN)
    assert spec and spec.loader
    loaded = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_login_after_the_watch_began_is_a_use_and_makes_it_due() -> None:
    look = judged(WATCHED, [LOGIN], NOW)
    assert (look.event, look.time, look.way) == ("used", LATER, LOGIN["way"])
    assert look.entry.used == LATER and due(look.entry, 90, datetime.now(UTC))


def test_no_login_is_no_use() -> None:
    look = judged(WATCHED, [], NOW)
    assert (look.event, look.entry) == ("unused", WATCHED)
    assert not due(look.entry, 90, datetime(2026, 11, 22, tzinfo=UTC))


def test_use_stays_known_when_the_host_has_forgotten_it() -> None:
    used = judged(WATCHED, [LOGIN], NOW).entry
    assert judged(used, [], NOW).event == "used" and judged(used, [], NOW).entry == used


def test_new_password_ends_the_use_and_its_watch_begins_anew() -> None:
    used = judged(WATCHED, [LOGIN], NOW).entry
    rotated = used.begun(Version("v3", "new", NOW)).promoted()
    assert rotated.used == "" and rotated.watched is None
    assert begun(rotated, NOW).entry.watched == Watch("v3", NOW)


def test_logins_of_an_unwatched_password_count_since_it_was_made() -> None:
    entry = Entry(SECRET, CURRENT)
    assert since_of(entry) == MADE
    assert "按已使用处理" in judged(entry, [LOGIN], NOW).detail


def test_watch_is_kept_in_the_document_and_one_without_it_is_read() -> None:
    document = to_document(WATCHED)
    assert from_document(document, SECRET) == WATCHED
    del document["watch"]
    assert from_document(document, SECRET) == Entry(SECRET, CURRENT)
    with pytest.raises(ValueError, match="watch"):
        from_document({**document, "watch": {"since": "x"}}, SECRET)


@pytest.mark.parametrize("value", ["emergency", [1], ["root"]])
def test_declaration_that_names_no_rotated_account_is_refused(value: object) -> None:
    with pytest.raises(PanshiError, match="PS-E7250"):
        break_glass_accounts("web1", value, [DECLARED])
    assert break_glass_accounts("web1", ["emergency"], [DECLARED]) == [DECLARED]


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("Accepted password for emergency from 203.0.113.9 port 50022 ssh2", "sshd password，来自 203.0.113.9"),
        ("pam_unix(sshd:session): session opened for user emergency(uid=1002) by (uid=0)", "sshd"),
        ("pam_unix(login:session): session opened for user emergency by LOGIN(uid=0)", "login"),
        ("pam_unix(su-l:session): session opened for user emergency(uid=1002) by ops(uid=1000)", "su-l"),
    ],
)
def test_parsed_session_is_a_login(module: ModuleType, text: str, way: str) -> None:
    assert module.logins_in(5.0, text) == [(5.0, "emergency", way)]


@pytest.mark.parametrize(
    "text",
    [
        "Failed password for emergency from 203.0.113.9 port 50022 ssh2",
        "Invalid user Accepted password for emergency from 203.0.113.9 port 1",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 rhost=203.0.113.9  user=emergency",
        "pam_unix(sshd:session): session closed for user emergency",
        "pam_unix(cron:session): session opened for user emergency(uid=1002) by (uid=0)",
        "pam_unix(systemd-user:session): session opened for user emergency(uid=1002) by (uid=0)",
        "pam_unix(sudo:session): session opened for user emergency(uid=1002) by ops(uid=1000)",
    ],
)
def test_parsed_decoy_is_no_login(module: ModuleType, text: str) -> None:
    assert module.logins_in(5.0, text) == []


def test_of_one_second_the_record_that_says_more_is_first(module: ModuleType) -> None:
    found = [(5.0, "emergency", "lastlog"), (5.4, "emergency", "su"), (4.9, "emergency", "lastlog")]
    assert [way for _, _, way in sorted(found, key=module._order)] == ["lastlog", "su", "lastlog"]


def test_parsed_lines_of_both_formats_tell_their_time(module: ModuleType) -> None:
    now = time.mktime((2027, 1, 2, 0, 0, 0, 0, 0, -1))
    assert module.line_of("2026-11-21T11:00:00.5+08:00 web1 sshd[7]: Accepted x", now)[0] == 1795230000.5
    old = time.mktime((2026, 12, 31, 23, 59, 58, 0, 0, -1))
    assert module.line_of("Dec 31 23:59:58 web1 su[7]: pam_unix", now) == (old, "pam_unix")
    assert module.line_of("-- no line --", now) == (0, "")


def test_sheet_spells_every_character_and_hides_none() -> None:
    value = "aK3%-mP9.=" + "<&"
    sheet = Sheet(DECLARED, Version("v2", value, MADE), "203.0.113.9")
    page = render([sheet], estate="bureau", printed=datetime(2026, 11, 21, tzinfo=UTC), by="li@ops1")
    assert [sign for group in sheet.spelled for _, sign, _ in group] == list(value)
    assert sheet.until == "2027-02-19" and "信封编号：v2" in page and "&lt;&amp;" in page
    for word in ("小写", "大写", "数字", "百分号", "U+003C", "密封人", "使用之后", "shred -u", "2027-02-19"):
        assert word in page
    assert "<script" not in page and "http://" not in page and "src=" not in page


def test_every_symbol_of_a_rule_has_a_name() -> None:
    from panshi.secret import envelope

    assert set(envelope._SIGNS) == set(CLASSES["symbol"])
