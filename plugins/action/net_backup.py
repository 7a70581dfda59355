"""Backs up the configurations of all network devices of the batch at once; changes nothing on a device."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from cryptography.fernet import Fernet

from panshi.errors import PanshiError
from panshi.harden.run import current_run, record_payload
from panshi.inventory import plain
from panshi.network.archive import Archive
from panshi.network.backup import STALE_DAYS, Read, archive_key, keep_all, lines_of, read_all, row_of
from panshi.network.estate import logins_of, state_of
from panshi.network.fleet import FORKS, Outcome
from panshi.record import NetworkBackupRow, utc_now
from panshi.secret.estate import store_of

_SPEC = {
    "forks": {"type": "int", "default": FORKS},
    "stale_days": {"type": "float", "default": STALE_DAYS},
}
display = Display()


class ActionModule(ActionBase):
    """Runs once for the batch (``run_once: true``), on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``results`` by device; one that failed is told there and fails nobody else."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        template = self._templar.template
        logins, refused = logins_of(variables, template)
        found: dict[str, Outcome[Read]] = {name: Outcome(error=error) for name, error in refused.items()}
        found |= read_all(logins, arguments["forks"])
        try:
            key = (
                Fernet.generate_key().decode() if self._task.check_mode else archive_key(store_of(variables, template))
            )
            archive = Archive(state_of(variables, template), key)
            last = archive.seen()
            diff = _differences(archive, found)
            if self._task.check_mode:
                changed, commit = dict.fromkeys(diff, True), ""
            else:
                changed, commit = keep_all(archive, found, run=current_run(), operator=_operator())
        except PanshiError as error:
            return {**result, "failed": True, "msg": str(error), "code": error.code}
        emulated = {login.device.name for login in logins if login.emulated}
        rows = [
            row_of(
                name,
                found[name],
                changed=changed.get(name, False),
                commit=commit,
                last=last.get(name),
                now=utc_now(),
                stale_days=arguments["stale_days"],
                emulated=name in emulated,
            )
            for name in sorted(found)
        ]
        for line in lines_of(rows):
            display.display(line)
        result.update(
            changed=any(changed.values()),
            commit=commit,
            ok=all(one.error is None for one in found.values()),
            results={row.host: _told(row, found[row.host]) for row in rows},
            diff=[one for name in sorted(diff) for one in diff[name]],
        )
        if not self._task.check_mode:
            told = [{"kind": row.kind, **asdict(row)} for row in rows]
            result["panshi_record"] = record_payload(variables, template, told)
        return result


def _differences(archive: Archive, found: Mapping[str, Outcome[Read]]) -> dict[str, list[dict[str, str]]]:
    """Return by device what Ansible shows of its files; only of those that differ."""
    told: dict[str, list[dict[str, str]]] = {}
    for name, outcome in found.items():
        if outcome.value is not None and (files := archive.differs(name, outcome.value.copy)):
            told[name] = [
                {
                    "before_header": f"{name}/{file}",
                    "after_header": f"{name}/{file}",
                    "before": before,
                    "after": after,
                }
                for file, (before, after) in files.items()
            ]
    return told


def _told(row: NetworkBackupRow, outcome: Outcome[Read]) -> dict[str, Any]:
    error = outcome.error
    return {
        "ok": error is None,
        "state": row.state,
        "saved": row.saved,
        "encoding": row.encoding,
        "last": row.last,
        "findings": plain(row.findings),
        "code": error.code if error else "",
        "msg": str(error) if error else "",
    }


def _operator() -> str:
    return f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{os.uname().nodename}"
