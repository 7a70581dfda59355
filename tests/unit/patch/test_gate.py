"""What lets a host be patched, a wave end and the next one begin."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from plans import answer, made, update

from panshi.errors import PanshiError
from panshi.patch import digest
from panshi.patch.baseline import worse
from panshi.patch.gate import lost, missing
from panshi.patch.plan import Plan
from panshi.record import VerdictRow
from panshi.verdict import Status

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def gate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("panshi_patch_gate", ROOT / "plugins/action/panshi_patch_gate.py")
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def plan() -> Plan:
    settings = {name: {"group": "web"} for name in ("web1", "web2")}
    facts = {name: answer(update("openssl")) for name in ("web1", "web2", "db1", "db2")}
    return Plan(Path("plan.yml"), made(facts, {**settings, "web1": {"group": "web", "canary": True}}))


def says(host: str = "1.0-1", finished: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    updates = [] if host == "1.0-2" else [update("openssl")]
    found = {"versions": {"openssl": host}, "finished": list(finished), "upgraded_by": "", "unfinished": ""}
    return {**answer(*updates), **found, **more}


def test_host_as_planned_has_its_versions_to_do(gate: ModuleType, plan: Plan) -> None:
    found = gate._todo(plan, "web1", says())
    assert (found["todo"], found["resumed"], found["wave"]) == ({"openssl": "1.0-2"}, False, 1)


def test_host_whose_start_did_not_come_to_its_end_is_resumed_and_taken_back_whole(gate: ModuleType, plan: Plan) -> None:
    found = gate._todo(plan, "web1", says("1.0-2", upgraded_by="20261120T220000Z-000001"))
    assert (found["todo"], found["resumed"], found["taken_back"]) == ({}, True, "20261120T220000Z-000001")


def test_host_that_came_to_its_end_has_nothing_to_do(gate: ModuleType, plan: Plan) -> None:
    found = gate._todo(plan, "web1", says("1.0-2", finished=(digest(plan.document),)))
    assert (found["todo"], found["resumed"]) == ({}, False)


def test_kernel_of_an_rpm_host_that_keeps_the_old_one_beside_it_is_done(gate: ModuleType, plan: Plan) -> None:
    assert gate._todo(plan, "web1", says("1.0-1,1.0-2"))["todo"] == {}


def test_host_that_somebody_else_has_changed_is_refused(gate: ModuleType, plan: Plan) -> None:
    with pytest.raises(PanshiError, match="PS-E6107"):
        gate._todo(plan, "web1", says("1.0-9"))


def test_host_with_a_problem_is_refused_before_anything_is_changed(gate: ModuleType, plan: Plan) -> None:
    with pytest.raises(PanshiError, match="PS-E6004"):
        gate._todo(plan, "web1", says(problems=[{"code": "PS-E6004", "text": "half configured"}]))


def test_host_on_which_a_run_died_is_let_through_to_be_repaired(gate: ModuleType, plan: Plan) -> None:
    left = {"unfinished": "20261120T220000Z-000001", "problems": [{"code": "PS-E6004", "text": "half configured"}]}
    assert gate._todo(plan, "web1", says("1.0-2", **left))["todo"] == {"openssl": "1.0-2"}
    with pytest.raises(PanshiError, match="PS-E6005"):
        gate._todo(plan, "web1", says(**{**left, "problems": [{"code": "PS-E6005", "text": "full"}]}))


def test_package_that_was_locked_since_is_not_upgraded(gate: ModuleType, plan: Plan) -> None:
    held = [{"name": "openssl", "version": "1.0-1", "candidate": "1.0-2"}]
    with pytest.raises(PanshiError, match="openssl 现在被锁定"):
        gate._todo(plan, "web1", says(updates=[], held=held))


def test_run_without_a_host_of_the_plan_is_refused(plan: Plan) -> None:
    assert missing(plan, ["web1", "web2", "db1", "db2", "other"]) == []
    (error,) = missing(plan, ["web1", "db1"])
    assert error.code == "PS-E6111" and "db2、web2" in str(error)


def test_wave_with_a_silent_host_is_the_last(plan: Plan) -> None:
    wave = next(wave for wave in plan.waves if "db2" in wave)
    assert lost(plan, wave[0], [*wave, "web2"]) == []
    (error,) = lost(plan, wave[0], set(plan.hosts) - {"db2"})
    assert error.code == "PS-E6113" and "db2" in str(error)


def verdict(check: str, status: Status) -> VerdictRow:
    return VerdictRow(
        host="web1", control="8.1.4.1 a)", check=check, title="t", target="linux", mode="auto", status=status
    )


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (Status.PASS, Status.FAIL, 1),
        (Status.PASS, Status.PARTIAL, 1),
        (Status.PASS, Status.ERROR, 1),
        (Status.PARTIAL, Status.FAIL, 1),
        (Status.NOT_APPLICABLE, Status.FAIL, 1),
        (Status.FAIL, Status.FAIL, 0),
        (Status.FAIL, Status.PASS, 0),
        (Status.ERROR, Status.ERROR, 0),
        (Status.WAIVED, Status.WAIVED, 0),
    ],
)
def test_only_what_conforms_less_than_before_is_told(was: Status, now: Status, told: int) -> None:
    assert len(worse([verdict("a", was)], [verdict("a", now)])) == told


def test_check_that_was_not_judged_before_counts_as_conforming() -> None:
    assert len(worse([], [verdict("a", Status.FAIL), verdict("b", Status.PASS)])) == 1
