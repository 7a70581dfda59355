"""Judges a host's backups: the catalogue's backup checks as rows of the record."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from panshi.backup.client import settings_of
from panshi.backup.daily import Judged, Rules, judge
from panshi.backup.keys import TARGET
from panshi.backup.order import places
from panshi.errors import PanshiError
from panshi.harden import estate
from panshi.harden.run import record_payload
from panshi.inventory import plain
from panshi.record import VerdictRow, list_runs, read_run, verify_run
from panshi.secret.estate import store_of
from panshi.secret.model import SecretId
from panshi.verdict import Status

_PROGRAM = "/usr/local/sbin/panshi-backup"
_JOB = "restore_verify"


class ActionModule(ActionBase):
    """Reads only."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look and judge; ``good`` says whether nothing was found, ``msg`` what."""
        self._variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, self._variables)
        spec = {"rules": {"type": "dict", "default": {}}, "read": {"type": "str", "default": ""}}
        _, arguments = self.validate_argument_spec(spec)
        try:
            rules = _rules(plain(arguments["rules"]))
            facts = self._facts(str(plain(arguments["read"])))
            judged = judge(facts, rules, self._keys(), self._proven())
        except PanshiError as error:
            result.update(failed=True, msg=str(error))
            return result
        except AnsibleConnectionFailure as error:
            result.update(unreachable=True, msg=str(error).splitlines()[0])
            return result
        rows = [{"kind": VerdictRow.kind, **asdict(self._row(one))} for one in judged]
        result["panshi_record"] = record_payload(self._variables, self._templar.template, rows)
        result["verdicts"] = {one.check: one.status.value for one in judged}
        faults = [f"{one.check}：{one.reason}" for one in judged if one.status is not Status.PASS]
        result["good"] = not faults
        result["msg"] = (
            f"{self._host} 的备份有 {len(faults)} 项不符合：{'；'.join(faults)}" if faults else "备份都符合要求"
        )
        return result

    @property
    def _host(self) -> str:
        return str(self._variables["inventory_hostname"])

    def _facts(self, read: str) -> Mapping[str, Any]:
        words = [_PROGRAM, "check"] + ([f"--read={read}"] if read else [])
        said = self._low_level_execute_command(" ".join(words), sudoable=True)
        try:
            facts: Mapping[str, Any] = json.loads(said["stdout"])
            return facts
        except ValueError:
            lines = (said["stderr"] or said["stdout"]).strip().splitlines()
            text = lines[-1][:200] if lines else "没有输出"
            raise PanshiError(
                "PS-E7480", f"主机 {self._host} 说不出备份的情况：{text}", "用 playbooks/backup.yml 重新部署"
            ) from None

    def _keys(self) -> dict[str, str]:
        store = store_of(self._variables, self._templar.template)
        names = [one["name"] for one in places(settings_of(self._variables, self._templar.template))]
        entries = {name: store.read(SecretId(self._host, TARGET, name)).current for name in names}
        return {name: entry.value for name, entry in entries.items() if entry is not None}

    def _proven(self) -> dt.datetime | None:
        """Return when the last proof of this host was, by records that nobody has changed."""
        payload = record_payload(self._variables, self._templar.template, [])
        for path in reversed(list_runs(Path(payload["records"]), payload["estate"], _JOB)):
            run = read_run(path)
            if any(row.host == self._host and row.proven for row in run.restores) and not verify_run(path):
                return dt.datetime.fromisoformat(run.begin_time)
        return None

    def _row(self, one: Judged) -> VerdictRow:
        check = estate.catalogue().checks[one.check]
        return VerdictRow(
            host=self._host,
            control=check.control,
            check=one.check,
            title=check.title,
            target=check.target,
            mode=check.mode,
            status=one.status,
            observed=one.observed,
            expected=check.expected,
            reason=one.reason,
            evidence=["panshi-backup check"],
        )


def _rules(given: Mapping[str, Any]) -> Rules:
    """Return the rules.

    Raises:
        PanshiError: PS-E7481, a name or value that is none.
    """
    try:
        pairs = {name: tuple(value) if isinstance(value, list) else int(value) for name, value in given.items()}
        return Rules(**pairs)
    except (TypeError, ValueError) as error:
        raise PanshiError("PS-E7481", f"backup_rules 写错了：{error}"[:200], "名称见 docs/runbook-backup.md") from error
