"""Which commands bring an account to what is declared."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

TODAY = 20_800
PRESENT: dict[str, Any] = {
    "shell": "/bin/bash",
    "home": "/home/web",
    "comment": "",
    "uid": 1001,
    "gid": 1001,
    "locked": False,
    "empty": False,
    "ages": {"min": "0", "max": "99999", "warn": "7", "inactive": ""},
    "lastchg": "20000",
    "groups": {"web"},
}


@pytest.mark.parametrize(
    ("spec", "commands"),
    [
        ({}, []),
        ({"shell": "/bin/bash"}, []),
        ({"shell": "/usr/sbin/nologin"}, [["usermod", "--shell", "/usr/sbin/nologin", "web"]]),
        ({"locked": True}, [["usermod", "--lock", "web"]]),
        ({"groups": ["web"]}, []),
        ({"groups": ["wheel"]}, [["usermod", "--append", "--groups", "wheel", "web"]]),
        ({"groups": [], "append": False}, [["usermod", "--groups", "", "web"]]),
        ({"password_ages": {"max": 99999, "warn": 7}}, []),
        ({"password_ages": {"max": 90}}, [["chage", "--maxdays", "90", "web"]]),
    ],
)
def test_an_account_that_is_there(change: ModuleType, spec: dict[str, Any], commands: list[list[str]]) -> None:
    assert change.account_commands({"name": "web", **spec}, PRESENT, TODAY) == commands


def test_a_new_maximum_does_not_expire_the_account_at_once(change: ModuleType) -> None:
    spec = {"name": "web", "password_ages": {"max": 90, "refresh": True}}
    assert change.account_commands(spec, PRESENT, TODAY) == [
        ["chage", "--lastday", str(TODAY), "--maxdays", "90", "web"]
    ]


def test_a_recent_password_keeps_its_date(change: ModuleType) -> None:
    spec = {"name": "web", "password_ages": {"max": 90, "refresh": True}}
    recent = {**PRESENT, "lastchg": str(TODAY - 10)}
    assert change.account_commands(spec, recent, TODAY) == [["chage", "--maxdays", "90", "web"]]


def test_an_empty_password_is_locked_even_if_it_looks_unusable(change: ModuleType) -> None:
    present = {**PRESENT, "locked": True, "empty": True}
    assert change.account_commands({"name": "web", "locked": True}, present, TODAY) == [["usermod", "--lock", "web"]]


def test_a_new_account_is_made_without_a_password(change: ModuleType) -> None:
    spec = {"name": "sec1", "shell": "/bin/bash", "groups": ["secadm"], "password_ages": {"max": 90}}
    assert change.account_commands(spec, None, TODAY) == [
        ["useradd", "--create-home", "--shell", "/bin/bash", "--groups", "secadm", "sec1"],
        ["chage", "--maxdays", "90", "sec1"],
    ]
