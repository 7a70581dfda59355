"""Speed of a fleet audit against plain openssh and against Testinfra, on this machine: read ratios, not seconds.

    python tests/bench/audit.py                     # N = 10, 50, 100
    python tests/bench/audit.py --sizes 10 --repeat 1 --no-testinfra

Targets are containers of a lab image with one sshd each, so their work shares this machine's cores with the
controller's. Four ways, each with the same number of connections at once:

floor      openssh running ``true`` (curve25519; its default key exchange costs 80 ms more of controller time)
openssh    openssh carrying the same collectors by the same command, output to files, nothing judged
panshi     ``panshi audit`` as a whole: start, inventory, collect, judge all Linux checks, record (no report)
testinfra  one assertion per automatic check, ssh with ControlPersist, xdist 8, on the smallest N, scaled per host and
           repeated beside every other measurement, so that both feel the same load.
           Each assertion runs one command: that of the first item of evidence that the audit's check looked at (a check
           often needs several, so this is in Testinfra's favour)
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "jobs")]

from sshd_targets import Target, Targets, sshd_targets  # noqa: E402

from panshi.collect.client import COLLECTORS  # noqa: E402
from panshi.collect.command import invocation  # noqa: E402
from panshi.record import Run, read_run  # noqa: E402

WORKERS = 8
# The collector answers all such questions by one pass over the file system; an assertion asks one of them.
ONE_SCAN = "find / -xdev -type f -perm -4000"


@dataclass(frozen=True)
class Audit:
    """One run of the program: wall seconds, peak resident memory of all its processes in MB, its record."""

    seconds: float
    megabytes: float
    run: Run


@dataclass(frozen=True)
class Round:
    """Wall seconds of the four ways, one right after the other, and the peak memory of panshi in MB."""

    floor: float
    openssh: float
    panshi: float
    testinfra: float
    megabytes: float


def timed(work: Callable[..., object], *arguments: object) -> float:
    """Return the wall seconds of a call."""
    began = time.monotonic()
    work(*arguments)
    return time.monotonic() - began


def ssh_config(targets: Targets, folder: Path) -> Path:
    """Write a configuration for plain ssh and for Testinfra."""
    path = folder / "ssh_config"
    lines = [f"Host {target.name}\n  HostName {target.address}" for target in targets.hosts]
    common = f"""Host *
  User ops
  IdentityFile {targets.key}
  IdentitiesOnly yes
  UserKnownHostsFile {targets.known_hosts}
  StrictHostKeyChecking yes
  KexAlgorithms curve25519-sha256
  LogLevel ERROR"""
    path.write_text("\n".join([*lines, common]) + "\n")
    return path


def openssh(config: Path, hosts: Sequence[Target], forks: int, command: str, payload: bytes, folder: Path) -> None:
    """Run a command on hosts, some at once."""

    def one(target: Target) -> None:
        with (folder / f"{target.name}.out").open("wb") as out:
            subprocess.run(
                ["ssh", "-F", str(config), target.name, command],
                input=payload,
                stdout=out,
                stderr=subprocess.DEVNULL,
                check=True,
            )

    with ThreadPoolExecutor(forks) as pool:
        list(pool.map(one, hosts))


def audit(estate: Path, limit: Sequence[Target], forks: int, records: Path) -> Audit:
    """Run ``panshi audit`` and watch its memory."""
    command = [sys.executable, "-m", "panshi", "audit", "--json", "--no-report", "--forks", str(forks)]
    command += ["-i", str(estate), "--records", str(records), "--limit", ",".join(t.name for t in limit)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        peaks: dict[int, int] = {}
        watcher = threading.Thread(target=watch, args=(process.pid, peaks), daemon=True)
        watcher.start()
        assert process.stdout is not None
        told = process.stdout.read()
        process.wait()
        seconds = time.monotonic() - began
        if not told:
            errors.seek(0)
            raise RuntimeError(f"not a measurement: {errors.read()[-400:]}")
    summary = json.loads(told)
    unread = {name: host for name, host in summary["hosts"].items() if host["code"]}
    if unread:
        raise RuntimeError(f"not a measurement, hosts were not read: {unread}")
    return Audit(seconds, sum(peaks.values()) / 1024, read_run(Path(summary["record"])))


def watch(pid: int, peaks: dict[int, int]) -> None:
    """Keep the peak resident size (kB) of a process and its children until it ends."""
    while True:
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return
        for member in (pid, *map(int, children)):
            try:
                status = Path(f"/proc/{member}/status").read_text()
            except OSError:
                continue
            found = [line for line in status.splitlines() if line.startswith("VmHWM")]
            if found:
                peaks[member] = int(found[0].split()[1])
        time.sleep(0.05)


def assertions(run: Run) -> list[str]:
    """Return a command per automatic check: what the check looked at first on the first host."""
    host = run.hosts[0].host
    facts = run.facts(host)
    assert facts is not None
    commands = []
    for row in run.verdicts:
        if row.host != host or row.mode != "auto":
            continue
        item = facts["items"].get(row.evidence[0]) if row.evidence else None
        # What stands in brackets tells how the collector got the same without the program.
        command = item["cmd"].partition(" (")[0] if item else "true"
        commands.append(ONE_SCAN if command.endswith("...") else command)
    return commands


def testinfra(commands: Sequence[str], config: Path, hosts: Sequence[Target], folder: Path) -> float:
    """Return the seconds of a Testinfra suite with one assertion per check."""
    persistent = folder / "ssh_config_persist"
    control = f"  ControlMaster auto\n  ControlPersist 60\n  ControlPath {folder}/%C\n"
    persistent.write_text(config.read_text() + control)
    module = folder / "test_each.py"
    module.write_text(
        "import pytest\n"
        f"@pytest.mark.parametrize('command', {list(commands)!r})\n"
        "def test_check(host, command):\n"
        "    assert host.run(command).rc is not None\n"
    )
    names = ",".join(f"ssh://{target.name}" for target in hosts)
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(WORKERS), "-p", "no:cacheprovider", "--sudo"]
    command += [f"--hosts={names}", f"--ssh-config={persistent}", f"--rootdir={folder}", str(module)]
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.monotonic() - began
    expected = f"{len(commands) * len(hosts)} passed"
    if expected not in done.stdout:
        raise RuntimeError(f"not a measurement: {done.stdout[-400:]}")
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="10,50,100", help="numbers of hosts")
    parser.add_argument("--image", default="deb12", help="lab image of the targets")
    parser.add_argument("--forks", type=int, default=32, help="connections at once")
    parser.add_argument("--repeat", type=int, default=3, help="the median of so many runs is told")
    parser.add_argument("--no-testinfra", dest="testinfra", action="store_false")
    options = parser.parse_args()
    sizes = sorted(int(size) for size in options.sizes.split(","))
    with (
        tempfile.TemporaryDirectory(prefix="panshi-bench-") as scratch,
        sshd_targets(Path(scratch) / "targets", options.image, sizes[-1]) as targets,
    ):
        measure(targets, sizes, options.forks, options.repeat, options.testinfra, Path(scratch))


def measure(
    targets: Targets, sizes: Sequence[int], forks: int, repeat: int, with_testinfra: bool, folder: Path
) -> None:
    """Run all ways on all sizes, one after another, and print the table."""
    config = ssh_config(targets, folder)
    estate = targets.inventory(folder / "estate")
    python, shell = ((COLLECTORS / name).read_bytes() for name in ("linux.py", "linux.sh"))
    call = invocation(python, shell, become=True)
    commands = assertions(audit(estate, targets.hosts[:1], forks, folder / "warm").run)
    few = targets.hosts[: sizes[0]]
    rows = {}
    for size in sizes:
        hosts = targets.hosts[:size]
        rounds = []
        for _ in range(repeat):
            floor = timed(openssh, config, hosts, forks, "true", b"", folder)
            carried = timed(openssh, config, hosts, forks, call.command, call.payload, folder)
            whole = audit(estate, hosts, forks, folder / "records")
            each = testinfra(commands, config, few, folder) / len(few) if with_testinfra else math.nan
            rounds.append(Round(floor, carried, whole.seconds, each * size, whole.megabytes))
            print(f"N={size}: {rounds[-1]}", file=sys.stderr)
        rows[size] = rounds
    show(rows, len(commands), forks)


def show(rows: dict[int, list[Round]], checks: int, forks: int) -> None:
    """Print the table of seconds and ratios, and how the time grows with the hosts."""
    table = Table(title=f"{os.cpu_count()} cores, {forks} connections at once, {checks} automatic checks")
    for heading in ("N", "floor", "openssh", "panshi", "panshi/openssh", "panshi/floor", "testinfra/panshi", "RSS MB"):
        table.add_column(heading, justify="right")
    for size, rounds in rows.items():
        table.add_row(
            str(size),
            *(f"{middle(rounds, key):.2f}" for key in ("floor", "openssh", "panshi")),
            f"{ratio(rounds, 'panshi', 'openssh'):.2f} ×",
            f"{ratio(rounds, 'panshi', 'floor'):.1f} ×",
            f"{ratio(rounds, 'testinfra', 'panshi'):.1f} ×",
            f"{max(one.megabytes for one in rounds):.0f}",
        )
    Console(width=110).print(table)
    first, last = min(rows), max(rows)
    grown = middle(rows[last], "panshi") / middle(rows[first], "panshi")
    print(f"growth {first} → {last} hosts: {grown:.1f} × the time for {last / first:.0f} × the hosts")


def middle(rounds: Sequence[Round], key: str) -> float:
    """Return the median of one way."""
    return statistics.median(getattr(one, key) for one in rounds)


def ratio(rounds: Sequence[Round], above: str, below: str) -> float:
    """Return the median of the ratios within each round."""
    return statistics.median(getattr(one, above) / getattr(one, below) for one in rounds)


if __name__ == "__main__":
    main()
