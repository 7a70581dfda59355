"""The plan holds the necessary steps and no other."""

from __future__ import annotations

from panshi.lab.description import Lab
from panshi.lab.plan import Found, HostPlan, Plan, plan_up

SPECS = {"web": "w1", "emu": "e1", "kernel": "k1"}
ALL_BUILT = frozenset({"deb12", "disk12"})


def plan(lab: Lab, built: frozenset[str], found: dict[str, Found], *, fresh: bool = False) -> Plan:
    return plan_up(lab.hosts, SPECS, built, found, fresh=fresh)


def step(plan: Plan, name: str) -> HostPlan:
    return next(one for one in plan.hosts if one.host.name == name)


def test_nothing_there_builds_each_image_once_and_makes_all_hosts(lab: Lab) -> None:
    result = plan(lab, frozenset(), {})
    assert [image.name for image in result.builds] == ["disk12", "deb12"]
    assert all(one.create and one.start and not one.remove for one in result.hosts)


def test_everything_running_needs_nothing(lab: Lab) -> None:
    found = {name: Found(True, spec) for name, spec in SPECS.items()}
    result = plan(lab, ALL_BUILT, found)
    assert result.empty
    assert all(one.empty for one in result.hosts)


def test_a_stopped_host_is_only_started(lab: Lab) -> None:
    found = {name: Found(name != "web", spec) for name, spec in SPECS.items()}
    result = plan(lab, ALL_BUILT, found)
    assert step(result, "web") == HostPlan(step(result, "web").host, remove=False, create=False, start=True)
    assert step(result, "emu").empty
    assert not result.empty


def test_a_host_of_another_recipe_is_made_anew(lab: Lab) -> None:
    found = {name: Found(True, spec) for name, spec in (SPECS | {"emu": "old"}).items()}
    result = plan(lab, frozenset({"disk12"}), found)
    changed = step(result, "emu")
    assert (changed.remove, changed.create, changed.start) == (True, True, True)
    assert [image.name for image in result.builds] == ["deb12"]
    assert step(result, "web").empty


def test_a_missing_image_of_a_running_host_is_not_built(lab: Lab) -> None:
    found = {name: Found(True, spec) for name, spec in SPECS.items()}
    assert plan(lab, frozenset(), found).builds == ()


def test_hosts_that_are_not_wanted_are_left_alone(lab: Lab) -> None:
    result = plan_up(lab.select(["web"]), SPECS, ALL_BUILT, {"emu": Found(False, "old")})
    assert [one.host.name for one in result.hosts] == ["web"]


def test_fresh_makes_running_hosts_anew_from_the_images_that_are_there(lab: Lab) -> None:
    found = {name: Found(True, spec) for name, spec in SPECS.items() if name != "emu"}
    result = plan(lab, ALL_BUILT, found, fresh=True)
    assert result.builds == ()
    assert [(one.remove, one.create, one.start) for one in result.hosts] == [
        (one.host.name != "emu", True, True) for one in result.hosts
    ]
