"""Runs ``panshi audit`` as an operator does: as a program, with what it prints and leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from panshi.record import Run, list_runs, read_run, verify_run

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "inventories" / "lab"


@dataclass(frozen=True)
class Done:
    """A finished program."""

    status: int
    out: str
    err: str
    records: Path

    @property
    def lines_with_codes(self) -> list[str]:
        """Lines that tell an error code at their beginning."""
        return [line for line in (self.out + self.err).splitlines() if re.match(r"(注意：)?\[PS-E\d{4}\]", line)]

    @property
    def run(self) -> Run:
        """The one record that was left."""
        (path,) = [
            found for estate in self.records.iterdir() for found in list_runs(self.records, estate.name, "audit")
        ]
        return read_run(path)

    def whole_run(self) -> Run:
        """The record, after it was verified to be whole: a row for every host and each check of its technologies."""
        run = self.run
        assert verify_run(run.path) == []
        due = [
            (host["name"], check)
            for host in run.begin.hosts
            for check, words in run.begin.checks.items()
            if words["target"] in host["targets"]
        ]
        assert sorted((row.host, row.check) for row in run.verdicts) == sorted(due) != []
        return run


def environment() -> dict[str, str]:
    """Return the environment of a user at the root of the repository."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "120"}


def start(*arguments: object, records: Path) -> subprocess.Popen[str]:
    """Start an audit and return at once."""
    command = [sys.executable, "-m", "panshi", "audit", "--records", str(records), *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def audit(*arguments: object, records: Path, report: bool = False) -> Done:
    """Run an audit to its end."""
    process = start(*arguments, *([] if report else ["--no-report"]), records=records)
    try:
        out, err = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        raise
    assert "Traceback" not in out + err, err
    return Done(process.returncode, out, err, records)


def panshi(*arguments: object) -> Done:
    """Run another command of the program."""
    command = [sys.executable, "-m", "panshi", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr, Path())
