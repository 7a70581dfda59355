"""The engine: one row per host and check, whatever happens."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from panshi.audit import Plan, audit_host, unread_host
from panshi.checks import CheckFunction
from panshi.controls import Params, Profile, Waiver, load_catalogue, select
from panshi.facts import Facts
from panshi.record import VerdictRow
from panshi.verdict import Status, failed, judge, passed

CATALOGUE = load_catalogue()
SELECTED = select(CATALOGUE, Profile("t", "t", 3, ("linux",)))
MINLEN, EMPTY = "linux-pw-minlen", "linux-no-empty-password"
TODAY = dt.date(2026, 11, 21)


def facts(**items: dict[str, Any]) -> Facts:
    known = {"pkg.dpkg": {"cmd": "dpkg-query", "out": "bash\t5"}, "file:/etc/passwd": {"cmd": "cat", "out": "root:x:0"}}
    return Facts({"items": {**known, **items}, "globs": ["/etc/*"]})


def plan(written: Mapping[str, CheckFunction] | None = None, *waivers: Waiver) -> Plan:
    numbered = {f"W{number}": waiver for number, waiver in enumerate(waivers, start=1)}
    return Plan(CATALOGUE, 3, SELECTED, written or {}, numbered, TODAY)


def params() -> Params:
    return Params(CATALOGUE.parameters(3))


def row(the_plan: Plan, check: str, the_facts: Facts | None = None) -> VerdictRow:
    rows = audit_host(the_plan, "web1", ["linux"], the_facts or facts(), params())
    assert [r.check for r in rows] == [check.id for _, check in SELECTED]
    return next(r for r in rows if r.check == check)


def look(the_facts: Facts, _: Params) -> Any:
    return judge(True, the_facts.text("/etc/passwd")[:4])


def test_constructed_verdict_carries_evidence_and_expectation() -> None:
    found = row(plan({MINLEN: look}), MINLEN)
    assert (found.status, found.observed, found.mode, found.planned) == (Status.PASS, "root", "auto", False)
    assert found.evidence == ["file:/etc/passwd"]
    assert "{" not in found.expected
    assert CATALOGUE.parameters(3)["password_min_length"].text in found.expected


def test_constructed_unwritten_check_is_planned_and_manual() -> None:
    found = row(plan(), MINLEN)
    assert (found.status, found.planned) == (Status.MANUAL, True)
    assert "planned" in found.reason


def test_constructed_missing_fact_is_an_error_with_what_was_looked_at() -> None:
    found = row(plan({MINLEN: lambda f, _: passed(f.out("sshd.effective"))}), MINLEN)
    assert (found.status, found.evidence) == (Status.ERROR, ["sshd.effective"])
    assert "sshd.effective" in found.reason


def test_constructed_defect_of_one_check_costs_only_its_own_row() -> None:
    def broken(_: Facts, __: Params) -> Any:
        raise ZeroDivisionError("half")

    the_plan = plan({MINLEN: broken, EMPTY: look})
    assert row(the_plan, MINLEN).status is Status.ERROR
    assert "[PS-E9001]" in row(the_plan, MINLEN).reason
    assert "ZeroDivisionError" in row(the_plan, MINLEN).reason
    assert row(the_plan, EMPTY).status is Status.PASS


@pytest.mark.parametrize("mode", ["evidence", "manual"])
def test_constructed_check_for_a_person_lists_what_was_collected(mode: str) -> None:
    control, check = next(pair for pair in SELECTED if pair[1].id == MINLEN)
    shown = replace(check, mode=mode, items=("file:/etc/pass*", "sshd.effective"))
    hidden = replace(check, mode=mode, items=("sshd.effective",))
    found, nothing = (
        audit_host(
            Plan(CATALOGUE, 3, [(control, item)], {MINLEN: look}, today=TODAY), "web1", ["linux"], facts(), params()
        )[0]
        for item in (shown, hidden)
    )
    assert (found.status, found.planned, found.evidence) == (Status.MANUAL, False, ["file:/etc/passwd"])
    assert "file:/etc/passwd" in found.observed
    assert (nothing.status, nothing.evidence) == (Status.MANUAL, [])


def test_constructed_other_family_is_not_applicable() -> None:
    only = next(check for _, check in SELECTED if check.families == ("rpm",) and check.mode == "auto")
    found = row(plan({only.id: look}), only.id)
    assert (found.status, found.observed) == (Status.NOT_APPLICABLE, "Debian 系")
    nameless = Facts({"items": {}, "globs": []})
    assert row(plan({only.id: look}), only.id, nameless).status is Status.ERROR


def test_constructed_unread_host_has_a_row_for_every_check() -> None:
    rows = unread_host(plan({MINLEN: look}), "web1", ["linux"], "[PS-E3001] 连接不上")
    assert len(rows) == len(SELECTED)
    assert {(r.status, r.reason) for r in rows} == {(Status.ERROR, "[PS-E3001] 连接不上")}


def test_constructed_other_technologies_have_no_rows() -> None:
    assert audit_host(plan(), "sw1", ["network_device"], facts(), params()) == []


def waiver(**changes: Any) -> Waiver:
    fields = {
        "selector": MINLEN,
        "hosts": ("web*",),
        "owner": "王工",
        "reason": "迁移期间",
        "expires": dt.date(2026, 12, 31),
        "compensation": "堡垒机双因素",
    }
    return Waiver(**{**fields, **changes})


def no(_: Facts, __: Params) -> Any:
    return failed("6 位")


def test_constructed_active_waiver_keeps_the_finding_visible() -> None:
    signed = waiver()
    found = row(plan({MINLEN: no}, signed), MINLEN)
    assert (found.status, found.observed) == (Status.WAIVED, "6 位")
    assert found.waiver is not None
    assert found.waiver["status"] == "fail"
    assert (found.waiver["id"], found.waiver["owner"], found.waiver["expired"]) == ("W1", "王工", False)
    assert signed.used


def test_constructed_expired_waiver_leaves_the_failure() -> None:
    found = row(plan({MINLEN: no}, waiver(expires=dt.date(2026, 11, 20))), MINLEN)
    assert found.status is Status.FAIL
    assert found.waiver is not None
    assert found.waiver["expired"]


def test_constructed_waiver_holds_on_its_last_day() -> None:
    assert row(plan({MINLEN: no}, waiver(expires=TODAY)), MINLEN).status is Status.WAIVED


@pytest.mark.parametrize("change", [{"hosts": ("db*",)}, {"selector": EMPTY}])
def test_constructed_waiver_for_something_else_does_nothing(change: dict[str, Any]) -> None:
    signed = waiver(**change)
    found = row(plan({MINLEN: no}, signed), MINLEN)
    assert (found.status, found.waiver) == (Status.FAIL, None)
    assert not signed.used


def test_constructed_waiver_never_touches_a_pass_or_an_error() -> None:
    signed = waiver()
    assert row(plan({MINLEN: look}, signed), MINLEN).status is Status.PASS
    assert row(plan({MINLEN: lambda f, _: passed(f.out("none"))}, signed), MINLEN).status is Status.ERROR
    assert not signed.used
