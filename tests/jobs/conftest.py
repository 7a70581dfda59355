"""Hosts that several test files harden and roll back, one after another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harden_run import CONTAINERS, DryRun, Hardened, Operator, like_the_lab
from lab_copies import lab_copies


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """One copy of every container of the lab, untouched, and two more; in a network that nobody else uses.

    They stay until the session ends, and a lab whose network overlaps theirs is refused.
    """
    folder = tmp_path_factory.mktemp("harden")
    hosts = {name: name for name in CONTAINERS} | {"deb12off": "deb12", "kyoff": "kylin10", "hub12": "hub12"}
    with lab_copies(folder / "estate", "panshi-lab-harden", "203.0.113.96/27", hosts) as copies:
        like_the_lab(copies)
        yield Operator(copies, folder / "records")


@pytest.fixture(scope="session")
def dry(operator: Operator) -> DryRun:
    """Check mode with every opt-in on the untouched hosts."""
    before = {host: operator.state(host) for host in CONTAINERS}
    done = operator.play("harden.yml", "--check", "--diff", limit=CONTAINERS, harden_opt_in=["all"])
    return DryRun(done, before, {host: operator.state(host) for host in CONTAINERS})


@pytest.fixture(scope="session")
def hardened(operator: Operator, dry: DryRun) -> Hardened:
    """Every opt-in, twice."""
    counted = {host: operator.wire_tasks(host) for host in CONTAINERS}
    first = operator.play("harden.yml", limit=CONTAINERS, harden_opt_in=["all"])
    wire = {host: operator.wire_tasks(host) - counted[host] for host in CONTAINERS}
    return Hardened(first, operator.play("harden.yml", limit=CONTAINERS, harden_opt_in=["all"]), wire)
