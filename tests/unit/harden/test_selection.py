"""What is applied, left, waived: the real catalogue, synthetic estates."""

from __future__ import annotations

import datetime as dt

import pytest

from panshi.controls import Waiver, load_catalogue
from panshi.errors import PanshiError
from panshi.harden import needs_opt_in, select_checks

TODAY = dt.date(2026, 11, 21)
CATALOGUE = load_catalogue()
AUTO = {check.id for check in CATALOGUE.checks.values() if check.mode == "auto" and check.target == "linux"}


def waiver(selector: str, expires: dt.date = TODAY, hosts: tuple[str, ...] = ("all",)) -> Waiver:
    return Waiver(selector, hosts, "张三", "演示", expires)


def test_every_automatic_check_is_in_exactly_one_place() -> None:
    found = select_checks(CATALOGUE, "web1", waivers=[waiver("linux-tmout")], only=["8.1.4.1*"], today=TODAY)
    places = [*found.apply, *found.opt_in, *found.waived, *found.narrowed]
    assert sorted(places) == sorted(AUTO)


def test_without_opt_in_nothing_that_can_lock_out_or_interrupt_is_applied() -> None:
    found = select_checks(CATALOGUE, "web1", today=TODAY)
    risks = [CATALOGUE.checks[check].risk for check in found.apply]
    assert found.apply
    assert not [risk for risk in risks if risk.lockout or risk.reboot or risk.disruption != "low"]
    assert {"linux-lockout-deny", "linux-ssh-root-login", "linux-host-firewall"} <= set(found.opt_in)


def test_opting_in_to_a_clause_takes_its_checks_and_no_other() -> None:
    found = select_checks(CATALOGUE, "web1", opt_in=["8.1.4.1 b)"], today=TODAY)
    assert "linux-lockout-deny" in found.apply
    assert "linux-ssh-root-login" in found.opt_in


def test_opting_in_to_all_leaves_nothing() -> None:
    found = select_checks(CATALOGUE, "web1", opt_in=["all"], today=TODAY)
    assert not found.opt_in
    assert set(found.apply) == AUTO


@pytest.mark.parametrize(
    ("expires", "hosts", "waived"),
    [(TODAY, ("all",), True), (TODAY - dt.timedelta(days=1), ("all",), False), (TODAY, ("db*",), False)],
)
def test_a_waiver_in_force_for_the_host_keeps_a_check_from_being_applied(
    expires: dt.date, hosts: tuple[str, ...], waived: bool
) -> None:
    found = select_checks(
        CATALOGUE, "web1", opt_in=["all"], waivers=[waiver("linux-tmout", expires, hosts)], today=TODAY
    )
    assert ("linux-tmout" in found.waived) is waived
    assert ("linux-tmout" in found.apply) is not waived


def test_level_2_applies_less() -> None:
    three = select_checks(CATALOGUE, "web1", opt_in=["all"], today=TODAY)
    two = select_checks(CATALOGUE, "web1", level=2, opt_in=["all"], today=TODAY)
    assert set(two.apply) < set(three.apply)


@pytest.mark.parametrize("option", ["opt_in", "only"])
def test_a_pattern_that_matches_nothing_is_refused(option: str) -> None:
    with pytest.raises(PanshiError, match="linux-no-such") as caught:
        select_checks(CATALOGUE, "web1", today=TODAY, **{option: ["linux-no-such"]})  # type: ignore[arg-type]
    assert caught.value.code == "PS-E1108"


def test_a_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PanshiError) as caught:
        select_checks(CATALOGUE, "web1", level=4, today=TODAY)
    assert caught.value.code == "PS-E1107"


def test_low_risk_needs_no_opt_in() -> None:
    assert not needs_opt_in(CATALOGUE.checks["linux-ssh-login-grace"])
    assert needs_opt_in(CATALOGUE.checks["linux-tmout"])


def test_a_narrowed_run_knows_the_rest_of_the_baseline() -> None:
    whole = select_checks(CATALOGUE, "web1", today=TODAY)
    narrowed = select_checks(CATALOGUE, "web1", only=["linux-ssh-login-grace"], today=TODAY)
    assert narrowed.apply == ("linux-ssh-login-grace",)
    assert set(narrowed.baseline) == set(whole.apply)
    assert narrowed.opt_in == whole.opt_in
