"""The change module killed between journal and change, at every single point, on a copy of a real host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_copies import Copies, lab_copies

ROOT = Path(__file__).resolve().parents[2]
TRAVELS = (
    ROOT / "plugins/module_utils/panshi_ledger.py",
    ROOT / "plugins/modules/panshi_change.py",
    ROOT / "tests/jobs/engine_target.py",
)
# Every kind of step of engine_target.STEPS is journaled at least once.
FEWEST_POINTS = 15

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    folder = tmp_path_factory.mktemp("engine")
    with lab_copies(folder / "estate", "panshi-lab-engine", "203.0.113.224/28", {"deb12": "deb12"}) as made:
        made.sh("deb12", "id rescue >/dev/null 2>&1 || useradd -m rescue; mkdir -p /root/engine")
        for path in TRAVELS:
            made.podman("cp", str(path), f"panshi-lab-engine-deb12:/root/engine/{path.name}")
        yield made


@pytest.mark.parametrize("where", ["begin", "done"])
def test_real_killed_at_every_point_the_next_call_leaves_the_host_as_it_was(copies: Copies, where: str) -> None:
    told = copies.sh("deb12", f"timeout 110 python3 /root/engine/engine_target.py {where}")
    points = [json.loads(line) for line in told.splitlines()]
    assert len(points) >= FEWEST_POINTS
    assert [point for point in points if not point["same"]] == []
