"""What a forced rotation costs, with compression, and what a program that writes meanwhile feels: read ratios.

    python tests/bench/logs.py                    # 1000 MB, as the role's timer does it and without nice
    python tests/bench/logs.py --megabytes 100

A log of numbered access lines is rotated by renaming (and by ``logrotate --force`` where this machine has it), then
``panshi_logs.py`` archives it: compressed, on disk, read back, summed. Meanwhile another process writes a line every
millisecond to a log of its own, each at its appointed time, so that a late start counts as well as a slow write.

alone     nothing else is done
nice      nice 19, idle I/O class: as ``panshi-logs.service`` runs
plain     the same without either
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PERIOD = 0.001
ALONE_SECONDS = 15.0
# Linux: ioprio_set(2) for this process, class idle; the standard library has no name for it.
_IONICE = ["ionice", "-c3", "-p"]


@dataclass(frozen=True)
class Cost:
    """What a rotation took: seconds of CPU and of the clock, megabytes of the archive. Nothing, where none was made."""

    cpu: float = 0.0
    wall: float = 0.0
    packed: float = 0.0


@dataclass(frozen=True)
class Felt:
    """Milliseconds that lines of the writer took from when they were due."""

    lines: int
    median: float
    p99: float
    worst: float


class Writer:
    """A process that writes a line every millisecond and measures each."""

    def __init__(self, path: Path) -> None:
        reader, tell = os.pipe()
        stop, self._stop = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._stop)
                os.set_blocking(stop, False)
                os.write(tell, self._write(path, stop))
            finally:
                os._exit(0)
        os.close(tell)
        self._told = os.fdopen(reader)

    @staticmethod
    def _write(path: Path, stop: int) -> bytes:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        due, took = time.monotonic(), []
        while not _told(stop):
            due += PERIOD
            time.sleep(max(0.0, due - time.monotonic()))
            os.write(log, b"2026-11-22T00:00:00Z INFO a line of an application that is being measured\n")
            took.append(1000 * (time.monotonic() - due))
        took.sort()
        chosen = (len(took), took[len(took) // 2], took[len(took) * 99 // 100], took[-1])
        return " ".join(str(one) for one in chosen).encode()

    def end(self) -> Felt:
        """Stop it; return what it felt."""
        os.write(self._stop, b"x")
        lines, *rest = self._told.read().split()
        os.waitpid(self._pid, 0)
        return Felt(int(lines), *map(float, rest))


def _told(stop: int) -> bool:
    try:
        return bool(os.read(stop, 1))
    except BlockingIOError:
        return False


def fill(path: Path, megabytes: int) -> None:
    """Write a log of numbered access lines."""
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    number = 0
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            file.writelines(
                f'203.0.113.{one % 250} - - [{stamp}] "GET /portal/page/{one * 7919 % 100003}?id={one} HTTP/1.1" 200 '
                f'{one * 31 % 50000} "-" "Mozilla/5.0 (X11; Linux x86_64)"\n'
                for one in range(number, number + 20000)
            )
            number += 20000


def rotate(folder: Path, log: Path, gently: bool) -> Cost:
    """Rotate and archive a log in a process of its own."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if gently:
                os.nice(19)
                subprocess.run([*_IONICE, str(os.getpid())], check=True)
            _rotate(folder, log)
            status = 0
        finally:
            os._exit(status)
    _, status, used = os.wait4(child, 0)
    if status:
        raise RuntimeError("not a measurement: the rotation failed")
    packed = sum(path.stat().st_size for path in (folder / "archive").rglob("*.gz"))
    shutil.rmtree(folder / "archive")
    return Cost(used.ru_utime + used.ru_stime, time.monotonic() - began, packed / 1e6)


def _rotate(folder: Path, log: Path) -> None:
    keeper = _keeper()
    if shutil.which("logrotate"):
        rules = folder / "rules"
        rules.write_text(f"{log} {{\n dateext\n dateformat -%Y%m%d-%s\n nocompress\n create\n}}\n")
        subprocess.run(["logrotate", "--force", "--state", str(folder / "state"), str(rules)], check=True)
    else:
        log.rename(f"{log}-{time.strftime('%Y%m%d')}-{int(time.time())}")
        log.touch()
    policy: dict[str, Any] = {"name": "log", "style": "reopen", "paths": [str(log)], "keep_days": 366}
    policy |= {"legal_days": 180, "group": "root", "archive_mode": "0440"}
    config = {"archive": str(folder / "archive"), "min_free_percent": 0, "logs": [policy]}
    if wrong := keeper.keep(config):
        raise RuntimeError(wrong[0])


def _keeper() -> Any:
    """Return the program of the role, without what would outlive the measurement."""
    spec = importlib.util.spec_from_file_location("keeper", ROOT / "plugins" / "module_utils" / "panshi_logs.py")
    assert spec and spec.loader
    keeper = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(keeper)
    keeper.__dict__.update(_flag=lambda *_: False, _say=lambda *_: None, owner_of=lambda _: (os.getuid(), os.getgid()))
    return keeper


def main() -> None:
    """Measure and print a table of Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the log")
    options = parser.parse_args()
    print(f"{options.megabytes} MB, {os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
    print("| way | CPU s | wall s | archive MB | writer's lines | median ms | p99 ms | worst ms |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="panshi-bench-", dir="/var/tmp") as scratch:
        folder = Path(scratch)
        for way in ("alone", "nice", "plain"):
            log = folder / "access.log"
            if way != "alone":
                fill(log, options.megabytes)
                os.sync()
            writer = Writer(folder / "app.log")
            if way == "alone":
                time.sleep(ALONE_SECONDS)
            cost = Cost() if way == "alone" else rotate(folder, log, gently=way == "nice")
            felt = writer.end()
            print(
                f"| {way} | {cost.cpu:.1f} | {cost.wall:.1f} | {cost.packed:.0f} | {felt.lines} "
                f"| {felt.median:.2f} | {felt.p99:.2f} | {felt.worst:.1f} |"
            )
    print(f"load after {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
