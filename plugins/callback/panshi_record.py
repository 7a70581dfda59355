"""Writes the record of a change job: one run per ``ansible-playbook`` that changes or plans something."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

import panshi
from panshi.controls import digest_of
from panshi.errors import PanshiError
from panshi.harden import estate
from panshi.harden.run import begin_run
from panshi.patch.client import ClientProcess, Service, line_of, unmeasured
from panshi.record import (
    ROWS,
    Begin,
    ChangeRow,
    EndRow,
    HostRow,
    NetworkChangeRow,
    RecordWriter,
    RecoveryRow,
    SignedRow,
)

DOCUMENTATION = """
name: panshi_record
type: notification
short_description: Keeps the hash-chained record of change jobs
version_added: "1.0.0"
author: Panshi
description:
  - Gives every C(ansible-playbook) a run id, and writes the rows that C(panshi_change) and C(panshi_plan) return.
  - A playbook that uses neither leaves no record here; the audit keeps its own.
  - A run in check mode is kept as a job of its own, C(<playbook>-check), so that nobody takes a trial for a change.
"""

PAYLOAD = "panshi_record"
SERVICES = "panshi_services"
ROOT = Path(__file__).resolve().parents[2]
# Jobs that are reported at their end, by the subcommand of ``panshi report``.
_REPORTED = {
    "harden": "harden",
    "mariadb": "harden",
    "patch_apply": "patch",
    "restore_verify": "restore",
    "restore": "recovery",
    "db_review": "database",
    "network_backup": "network-backup",
    "network_change": "network-change",
    "network_policy": "network-policy",
    "network_restore": "network-restore",
    "network_inspect": "network-inspect",
}
# Of these, jobs that are reported without a change, too.
_WHATEVER = (
    *("restore_verify", "db_review"),
    *("network_backup", "network_change", "network_policy", "network_restore", "network_inspect"),
)

# Jobs that use nothing of the catalogue: reading it takes most of a second.
_WITHOUT_CATALOGUE = ("network_backup", "network_backup-check", "network_restore", "network_transcripts")


class CallbackModule(CallbackBase):
    """One record per playbook run; created with the first row."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "panshi_record"

    def __init__(self, display: Any = None, options: Any = None) -> None:
        super().__init__(display, options)
        self._job = ""
        self._run = ""
        self._record: RecordWriter | None = None
        self._counts: Counter[str] = Counter()
        self._changed: Counter[str] = Counter()
        self._messages: dict[str, str] = {}
        # One task may tell of hosts on which no task has run.
        self._told: set[str] = set()
        self._began = time.monotonic()
        self._services: list[Service] = []
        self._client: ClientProcess | None = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Give the run its id, and load the catalogue before the workers are forked that use it."""
        trial = "-check" if context.CLIARGS.get("check") else ""
        self._job = Path(playbook._file_name).stem + trial
        self._run = begin_run()
        if self._job not in _WITHOUT_CATALOGUE:
            estate.catalogue()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep the rows of a task that went well; start the client that it asks for."""
        self._keep(result)
        if services := result._result.get(SERVICES):
            self._watch([Service(**one) for one in services])

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep the rows of a task that failed, and why it did."""
        self._keep(result)
        self._messages[result._host.get_name()] = str(result._result.get("msg", "")).splitlines()[0][:500]

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Keep why a host could not be reached."""
        self._keep(result)
        self._messages[result._host.get_name()] = str(result._result.get("msg", "")).splitlines()[0][:500]

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Close the record with one row per host and the end row."""
        if self._record is None:
            return
        states: Counter[str] = Counter()
        for host in sorted((set(stats.processed) | self._told) - {"localhost"}):
            totals = stats.summarize(host)
            state = next(
                (name for name, key in (("unreachable", "unreachable"), ("failed", "failures")) if totals[key]),
                "changed" if self._changed[host] else "unchanged",
            )
            states[state] += 1
            self._write(HostRow(host=host, state=state, message=self._messages.get(host, "")))
        self._keep_services()
        status = 2 if states["failed"] or states["unreachable"] else 0
        seconds = round(time.monotonic() - self._began, 3)
        self._write(EndRow(counts=dict(self._counts), hosts=dict(states), seconds=seconds, exit=status))
        self._record.__exit__(None, None, None)
        self._display.display(f"记录：{_shown(self._record.path)}")
        hardened = self._counts[ChangeRow.kind] and not status
        # These are reported whatever became of them: most of all when they failed.
        told = self._counts[SignedRow.kind] or self._counts[RecoveryRow.kind]
        whatever = told or self._job in _WHATEVER
        if self._job in _REPORTED and (hardened or whatever):
            self._report(self._record.path)

    def _keep(self, result: Any) -> None:
        payload = result._result.get(PAYLOAD)
        if not payload:
            return
        if self._record is None:
            self._open(payload)
        rows = [ROWS[row.pop("kind")](**row) for row in (dict(row) for row in payload["rows"])]
        for row in rows:
            self._counts[row.kind] += 1
            if isinstance(row, ChangeRow) or (isinstance(row, NetworkChangeRow) and row.state == "changed"):
                self._changed[row.host] += 1
        self._told |= {row.host for row in rows if hasattr(row, "host")} & set(payload["hosts"])
        self._write(*rows)

    def _watch(self, services: list[Service]) -> None:
        self._services = services
        try:
            self._client = ClientProcess(services)
        except PanshiError as error:
            self._display.error(str(error))

    def _keep_services(self) -> None:
        """Keep what the client has seen, or that it has no result, and show it."""
        rows = [unmeasured(one) for one in self._services]
        try:
            rows = self._client.end() if self._client else rows
        except PanshiError as error:
            self._display.error(str(error))
        for row in rows:
            self._counts[row.kind] += 1
            self._display.display(line_of(row))
        self._write(*rows)

    def _open(self, payload: dict[str, Any]) -> None:
        record = RecordWriter(Path(payload["records"]), payload["estate"], self._job, run=self._run)
        level = int(payload["level"])
        try:
            self._record = record.__enter__()
        except PanshiError as error:
            self._display.error(str(error))
            raise
        self._write(
            Begin(
                run=record.run,
                estate=payload["estate"],
                job=self._job,
                operator=f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{os.uname().nodename}",
                profile=f"linux-l{level}",
                level=level,
                versions={"panshi": panshi.__version__},
                catalogue=digest_of() if self._job in _WITHOUT_CATALOGUE else estate.catalogue().digest,
                inventory=payload["inventory"],
                hosts=[{"name": host, "targets": ["linux"], "groups": []} for host in payload["hosts"]],
            )
        )

    def _report(self, path: Path) -> None:
        """Write the report of the run."""
        command = [sys.executable, "-m", "panshi", "report", _REPORTED[self._job], "--run", str(path)]
        search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        environment = {**os.environ, "PYTHONPATH": search, "PYTHONUTF8": "1"}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, text=True)
        for line in (done.stdout + done.stderr).splitlines():
            self._display.display(f"报告：{_shown(Path(line))}" if line.startswith("/") else line)

    def _write(self, *rows: Any) -> None:
        if self._record is not None and rows:
            self._record.write(*rows)


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
