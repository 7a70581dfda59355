"""What a declared account makes of the fields of /etc/passwd and /etc/shadow (pure)."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

TODAY = 20_000
SHADOW = ["ops", "$6$x$y", "19990", "0", "99999", "7", "", "", ""]


@pytest.mark.parametrize(
    ("spec", "fields", "wanted"),
    [
        ({"locked": True}, {}, {1: "!$6$x$y"}),
        ({"locked": True}, {1: "*"}, {}),
        ({"locked": True}, {1: ""}, {1: "!"}),
        ({"locked": False}, {1: "!$6$x$y"}, {1: "$6$x$y"}),
        ({"locked": False}, {1: "!"}, {}),
        ({"password_ages": {"min": 1, "max": 90, "warn": 7, "inactive": 30}}, {}, {3: "1", 4: "90", 6: "30"}),
        ({"password_ages": {"inactive": -1}}, {6: "30"}, {6: ""}),
        ({"password_ages": {"max": 90, "refresh": True}}, {2: "19000"}, {2: "20000", 4: "90"}),
        ({"password_ages": {"max": 90, "refresh": True}}, {2: "19000", 4: "90"}, {}),
        ({"password_ages": {"max": 90, "refresh": True}}, {2: "0"}, {4: "90"}),
        ({"password_ages": {"max": 90}}, {2: "19000"}, {4: "90"}),
        ({"expires": "1970-01-02"}, {}, {7: "1"}),
        ({"expires": "2027-07-01"}, {}, {7: "21000"}),
        ({"expires": ""}, {7: "1"}, {7: ""}),
    ],
    ids=[
        *("lock", "no password at all", "empty password", "unlock", "nothing to unlock", "ages", "no limit"),
        *("would expire at once", "expires by its own limit", "must be changed at next login", "not asked for"),
        *("closed", "has a last day", "never ends"),
    ],
)
def test_fields_of_shadow(
    change: ModuleType, spec: dict[str, Any], fields: dict[int, str], wanted: dict[int, str]
) -> None:
    before = [fields.get(place, field) for place, field in enumerate(SHADOW)]
    after = change.shadow_fields(before, spec, TODAY)
    assert {place: field for place, field in enumerate(after) if field != before[place]} == wanted


def test_fields_of_passwd_that_are_not_declared_stay(change: ModuleType) -> None:
    fields = ["ops", "x", "1000", "1000", "Li", "/home/ops", "/bin/sh"]
    assert change.passwd_fields(fields, {"shell": "/bin/bash"}, None) == [*fields[:6], "/bin/bash"]
    assert change.passwd_fields(fields, {}, None) == fields


def test_a_new_account_is_made_without_a_password(change: ModuleType) -> None:
    assert not {"-p", "--password"} & set(change._useradd_options({"name": "ops", "shell": "/bin/sh"}))
