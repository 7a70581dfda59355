"""Passwords by rule, and declarations that are weaker than the baseline or not understood."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from panshi.errors import PanshiError
from panshi.secret import Entry, Version
from panshi.secret.declared import Baseline, connection_last, declared_accounts
from panshi.secret.policy import _LOOK_ALIKES, CLASSES, Policy, generate, policy_of
from panshi.secret.rotate import due

from .conftest import SECRET

BASELINE = Baseline(min_length=10, min_classes=3, max_days=90)


def test_passwords_follow_the_rule() -> None:
    policy = policy_of({"length": 12}, "linux", shortest=10, fewest=3, where="x")
    made = {generate(policy, "ops") for _ in range(2000)}
    assert len(made) == 2000
    for value in made:
        assert len(value) == 12
        assert all(set(value) & set(signs) for signs in CLASSES.values()), value
        assert not set(value) & (_LOOK_ALIKES | set(":\n '\"\\$`")), value
        assert value[0].isalnum() and "ops" not in value.lower()
        runs = [value[i : i + 3] for i in range(10)]
        assert not [
            r for r in runs if ord(r[1]) - ord(r[0]) == ord(r[2]) - ord(r[1]) and abs(ord(r[1]) - ord(r[0])) < 2
        ]


def test_product_and_estate_forbid_characters_together() -> None:
    policy = policy_of({"forbidden": "@%"}, "linux", shortest=10, fewest=3, where="x")
    assert policy.forbidden == "%:@"
    assert not {sign for _ in range(200) for sign in generate(policy, "ops")} & set("%:@")


@pytest.mark.parametrize(
    "policy",
    [
        "20",
        {"len": 20},
        {"length": 9},
        {"length": 65},
        {"length": "20"},
        {"length": True},
        {"classes": ["lower", "upper"]},
        {"classes": ["lower", "upper", "letters"]},
        {"forbidden": 1},
        {"forbidden": "34679"},
    ],
)
def test_policy_that_is_weak_or_not_understood_is_refused(policy: Any) -> None:
    with pytest.raises(PanshiError, match="PS-E7007"):
        declared_accounts("web1", [{"account": "ops", "policy": policy}], BASELINE)


@pytest.mark.parametrize(
    "value",
    [
        "ops",
        [1],
        [{}],
        [{"account": ""}],
        [{"account": "ops", "days": 3}],
        [{"account": "ops", "target": "oracle"}],
        [{"account": "ops", "max_age_days": 91}],
        [{"account": "ops", "max_age_days": 0}],
        ["ops", {"account": "ops"}],
    ],
)
def test_declaration_that_is_not_understood_is_refused(value: Any) -> None:
    with pytest.raises(PanshiError, match=r"PS-E7007.*web1"):
        declared_accounts("web1", value, BASELINE)


def test_declaration_takes_what_is_usual_from_the_catalogue() -> None:
    (one,) = declared_accounts("web1", ["ops"], BASELINE)
    assert (one.secret, one.max_age_days, one.policy) == (SECRET, 90, Policy(forbidden=":"))
    (one,) = declared_accounts("web1", ["ops"], Baseline(min_length=24, min_classes=3, max_days=60))
    assert (one.max_age_days, one.policy.length) == (60, 24)
    assert declared_accounts("web1", None, BASELINE) == []


def test_account_that_carries_the_connection_goes_last() -> None:
    declared = declared_accounts("web1", ["ops", "root", "app"], BASELINE)
    ordered = [one.secret.account for one in connection_last(declared, ["root", "ops"])]
    assert ordered == ["app", "root", "ops"]


def test_due_is_what_is_old_unfinished_or_was_never_done() -> None:
    made = Version("v", "x", "2026-08-23T03:00:00Z")
    entry = Entry(SECRET, current=made)
    assert due(Entry(SECRET), 90, datetime(2026, 11, 21, tzinfo=UTC))
    assert due(entry, 90, datetime(2026, 11, 21, 4, tzinfo=UTC))
    assert not due(entry, 90, datetime(2026, 11, 21, 2, tzinfo=UTC))
    assert due(Entry(SECRET, current=made, pending=made), 90, datetime(2026, 8, 24, tzinfo=UTC))
