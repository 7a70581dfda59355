"""Nobody is locked out, whatever happens in the middle of a guarded change: every case on real systemd and sshd."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import guarded
from guarded import PROBES, STEPS, Point, Target
from lab_copies import lab_copies

pytestmark = [pytest.mark.lab, pytest.mark.long]
# The names of the copies, with the lab host that each is made from. kylin is emulated.
HOSTS = {
    "deb11a": "deb11",
    "deb12a": "deb12",
    "deb12b": "deb12",
    "deb13a": "deb13",
    "deb13b": "deb13",
    "kylin": "kylin10",
}
# What happens, where the run is at that time, whether the host must be as before, whether the next run must say so.
CASES: list[tuple[Callable[[Target, Point], None], tuple[str, ...], bool, bool]] = [
    (guarded.kill_controller, ("second_way",), True, False),
    (guarded.kill_controller, (*STEPS, *PROBES), True, True),
    (guarded.kill_controller_and_module, ("armed", "sshd", "account", "reloaded"), True, True),
    (guarded.kill_module, ("sshd", "unit"), True, True),
    (guarded.lose_power, ("armed", "command", "reloaded", "disarm"), True, True),
    (guarded.cut_network, ("armed", "account", "reloaded", "probe1", "disarm"), False, True),
    (guarded.break_sshd, ("sshd", "reloaded", "probe1"), True, False),
    (guarded.break_sshd_and_kill_controller, ("sshd", "reloaded", "disarm"), True, True),
    (guarded.outlast_the_timer, ("created", "reloaded"), True, False),
    (guarded.kill_at_random, tuple(f"time{number}" for number in range(6)), False, False),
]


def _points() -> list[Point]:
    """Return every accident, spread over the hosts so that each has about the same number."""
    flat = [(what, place, undone, told) for what, places, undone, told in CASES for place in places]
    names = itertools.cycle(HOSTS)
    return [Point(what, place, next(names), undone, told) for what, place, undone, told in flat]


POINTS = _points()


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[str]]]:
    """Make all accidents that are asked for, on several hosts at once, one after another on each."""
    folder = tmp_path_factory.mktemp("guard")
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    asked = [call.params["point"] for call in calls if call and "point" in call.params]
    with lab_copies(folder / "hosts", "panshi-lab-guard", "203.0.113.128/27", HOSTS) as copies:
        targets = guarded.targets(copies, folder / "records")
        results: dict[str, Future[str]] = {point.name: Future() for point in asked}
        with ThreadPoolExecutor(len(targets)) as pool:
            list(
                pool.map(lambda one: _suffer(one, [p for p in asked if p.host == one.host], results), targets.values())
            )
        yield results


def _suffer(target: Target, points: list[Point], results: dict[str, Future[str]]) -> None:
    spoiled = "" if not points else _attempt(guarded.rehearse, target)
    for point in points:
        if not spoiled:
            spoiled = _attempt(guarded.strike, target, point)
            results[point.name].set_result(spoiled)
        else:
            results[point.name].set_result(f"not tried, the host is no longer as before:\n{spoiled[:200]}")


def _attempt(work: Callable[..., str | None], *arguments: object) -> str:
    try:
        return work(*arguments) or ""
    except Exception as error:  # noqa: BLE001 - what goes wrong in a thread is for the test of that point to tell
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_real_an_operator_can_log_in_and_the_host_is_as_before(point: Point, outcomes: dict[str, Future[str]]) -> None:
    assert outcomes[point.name].result() == ""


def test_real_number_of_points_tried(outcomes: dict[str, Future[str]], capsys: pytest.CaptureFixture[str]) -> None:
    good = [name for name, outcome in outcomes.items() if outcome.result() == ""]
    with capsys.disabled():
        print(f"\nguard: {len(outcomes)} points tried on {len(HOSTS)} hosts, {len(good)} with everything as before")
    assert outcomes
