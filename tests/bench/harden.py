"""The whole hardening job against a list of single tasks, on the same kind of untouched hosts in the same run.

Every way starts on hosts made for it, so that none profits from another. Times are seconds of ``ansible-playbook``;
wire tasks are modules that a host ran, counted by the host's own journal. The list is tests/bench/devsec_equivalent.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "jobs"))
from harden_run import Done, Operator, like_the_lab
from lab_copies import lab_copies

LIST = "../tests/bench/devsec_equivalent/play.yml"
WAYS = {"panshi harden.yml": "harden.yml", "task list (devsec os + ssh alike)": LIST}


@dataclass(frozen=True)
class Measured:
    """Seconds of two runs one after the other, modules that ran on the busiest host in each."""

    first: float
    second: float
    wire_first: int
    wire_second: int


def measure(playbook: str, count: int, image: str, folder: Path) -> Measured:
    """Make hosts, run a playbook twice, and remove the hosts.

    Args:
        playbook: path from the folder of playbooks.
        count: number of hosts.
        image: lab host that they are copies of.
        folder: for the inventory and records; made here.
    """
    folder.mkdir()
    hosts = {f"t{number:02d}": image for number in range(1, count + 1)}
    with lab_copies(folder / "estate", "panshi-lab-bench", "203.0.113.192/27", {**hosts, "hub12": "hub12"}) as copies:
        like_the_lab(copies, harden_opt_in=["all"])
        operator = Operator(copies, folder / "records")
        wire = []
        runs: list[Done] = []
        for _ in range(2):
            counted = {host: operator.wire_tasks(host) for host in hosts}
            runs.append(operator.play(playbook, limit=list(hosts)))
            wire.append(max(operator.wire_tasks(host) - counted[host] for host in hosts))
            if runs[-1].status:
                raise RuntimeError(f"not a measurement:\n{runs[-1].out[-3000:]}")
        return Measured(runs[0].seconds, runs[1].seconds, wire[0], wire[1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=10, help="number of hosts")
    parser.add_argument("--image", default="deb12", help="lab host that they are copies of")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="panshi-bench-") as scratch:
        results = {
            way: measure(playbook, options.hosts, options.image, Path(scratch) / f"way{number}")
            for number, (way, playbook) in enumerate(WAYS.items())
        }
    table = Table(title=f"{os.cpu_count()} cores, {options.hosts} hosts like {options.image}")
    for heading in ("way", "first s", "second s", "second/first", "wire tasks per host, first", "second"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for way, one in results.items():
        ratio = f"{one.second / one.first:.2f}"
        row = (f"{one.first:.1f}", f"{one.second:.1f}", ratio, str(one.wire_first), str(one.wire_second))
        table.add_row(way, *row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
