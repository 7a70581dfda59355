"""Every check is held to its scenarios, and every written automatic check has enough of them."""

from __future__ import annotations

import pytest
from scenario_files import Scenario, all_scenarios, catalogue, overlay, run

from panshi.checks import CHECKS
from panshi.facts.network import PLATFORMS
from panshi.verdict import Status

SCENARIOS = all_scenarios()
WRITTEN_AUTO = sorted(i for i, entry in catalogue().checks.items() if entry.mode == "auto" and i in CHECKS)
# What a platform cannot do itself: only an AAA server could.
NEVER_PASSED = {("net-pw-history", "cisco_ios")}
WRITTEN_NET = [i for i in WRITTEN_AUTO if catalogue().checks[i].target == "network_device"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.id)
def test_scenario(scenario: Scenario) -> None:
    assert not scenario.problems()
    verdict = run(scenario)
    said = f"{verdict.status}: {verdict.observed} | {verdict.reason}"
    assert verdict.status is scenario.status, said
    assert scenario.observed in verdict.observed, said
    assert scenario.reason in verdict.reason, said
    if verdict.status is not Status.ERROR:
        assert verdict.observed, "a verdict says what was seen"
    if verdict.status in (Status.FAIL, Status.PARTIAL, Status.NOT_APPLICABLE):
        assert verdict.reason, "a verdict that is not a pass says why"


@pytest.mark.parametrize("check_id", sorted({*WRITTEN_AUTO} - {*WRITTEN_NET}))
def test_written_check_has_real_pass_and_real_fail(check_id: str) -> None:
    """Debian is really in the lab; a check of the rpm family only can be shown on an emulated host at best."""
    families = catalogue().checks[check_id].families
    proof = "real_" if not families or "debian" in families else "emulated_"
    shown = {s.status for s in SCENARIOS if s.check == check_id and s.name.startswith(proof)}
    assert {Status.PASS, Status.FAIL} <= shown, f"{check_id}: {proof} scenarios only for {sorted(shown)}"


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("check_id", WRITTEN_NET)
def test_parsed_network_check_passes_and_fails_on_every_platform(check_id: str, platform: str) -> None:
    """No device of these vendors is here: texts written by hand are the proof."""
    wanted = {Status.FAIL} if (check_id, platform) in NEVER_PASSED else {Status.PASS, Status.FAIL}
    shown = {s.status for s in SCENARIOS if s.check == check_id and s.base.partition("-")[0] == platform}
    assert wanted <= shown, f"{check_id} on {platform}: only {sorted(shown)}"


def test_scenario_files_name_written_checks_and_unique_scenarios() -> None:
    unknown = {s.check for s in SCENARIOS} - set(CHECKS)
    ids = [s.id for s in SCENARIOS]
    assert not unknown
    assert sorted(ids) == sorted(set(ids))


def test_written_checks_are_in_the_catalogue() -> None:
    assert not set(CHECKS) - set(catalogue().checks)


def test_overlay_refuses_a_change_that_changes_nothing() -> None:
    document = {"items": {"a": {"cmd": "a", "out": "x = 1"}}}
    for change in ({"edit": {"a": [["y", "z"]]}}, {"append": {"b": "z"}}, {"remove": ("b*",)}):
        with pytest.raises(ValueError, match="constructed_x"):
            overlay(document, Scenario(check="c", name="constructed_x", status=Status.PASS, **change))


@pytest.mark.parametrize(
    ("name", "base", "fields"),
    [
        ("real_pass", "deb12", {"remove": ("a",)}),
        ("real_pass", "kylin10", {}),
        ("emulated_pass", "deb12", {}),
        ("real_pass", "", {}),
        ("pass", "deb12", {}),
    ],
)
def test_a_name_must_not_promise_more_than_was_done(name: str, base: str, fields: dict[str, tuple[str, ...]]) -> None:
    assert Scenario(check="c", name=name, status=Status.PASS, base=base, **fields).problems()
