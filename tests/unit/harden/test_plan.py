"""The plan that is shown before a run, from synthetic verdicts."""

from __future__ import annotations

import datetime as dt

import pytest

from panshi.controls import Waiver, load_catalogue
from panshi.harden import Coverage, plan_rows, select_checks
from panshi.harden.plan import APPLY, ELSEWHERE, OPT_IN, WAIVED
from panshi.record import PlanRow, VerdictRow
from panshi.verdict import Status

TODAY = dt.date(2026, 11, 21)
CATALOGUE = load_catalogue()
COVERAGE = Coverage({"linux-ssh-login-grace": "os_ssh", "linux-tmout": "os_session"}, {"linux-patches": "补丁作业"})
WAIVER = Waiver("linux-umask", ("all",), "张三", "老程序依赖", TODAY)


def row(check: str, status: Status) -> PlanRow | None:
    control = CATALOGUE.checks[check].control
    verdict = VerdictRow(
        host="web1",
        control=control,
        check=check,
        title="标题",
        target="linux",
        mode="auto",
        status=status,
        reason="原因",
    )
    selections = {"web1": select_checks(CATALOGUE, "web1", waivers=[WAIVER], today=TODAY)}
    return next(iter(plan_rows(CATALOGUE, [verdict], selections, COVERAGE)), None)


@pytest.mark.parametrize(
    ("check", "status", "action"),
    [
        ("linux-ssh-login-grace", Status.FAIL, APPLY),
        ("linux-ssh-login-grace", Status.PARTIAL, APPLY),
        ("linux-tmout", Status.FAIL, OPT_IN),
        ("linux-umask", Status.WAIVED, WAIVED),
        ("linux-patches", Status.FAIL, ELSEWHERE),
        ("linux-ssh-login-grace", Status.ERROR, ELSEWHERE),
    ],
)
def test_an_unmet_check_has_one_action(check: str, status: Status, action: str) -> None:
    found = row(check, status)
    assert found is not None
    assert found.action == action


@pytest.mark.parametrize("status", [Status.PASS, Status.NOT_APPLICABLE])
def test_what_is_met_or_not_applicable_is_not_in_the_plan(status: Status) -> None:
    assert row("linux-ssh-login-grace", status) is None


def test_what_is_left_says_why_and_what_it_costs() -> None:
    found = row("linux-lockout-deny", Status.FAIL)
    assert found is not None
    assert "锁定" in found.reason
    assert "8.1.4.1 b)" in found.cost
    assert "高风险" in found.cost


def test_what_is_applied_costs_nothing() -> None:
    found = row("linux-ssh-login-grace", Status.FAIL)
    assert found is not None
    assert found.cost == ""
    assert found.role == "os_ssh"
