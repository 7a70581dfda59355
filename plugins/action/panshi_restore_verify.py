"""Lets a host restore another one's backups, shows how far it is, and returns the evidence for the record."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.backup.client import asker, carried_out, key_of, lend, settings_of
from panshi.backup.order import order_of, row_of, tables_of
from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.inventory import plain
from panshi.record import RestoreRow, list_runs, read_run, verify_run

_MODULE = "panshi_restore"
_JOB = "restore_verify"
display = Display()


class ActionModule(ActionBase):
    """The variables are those of the source; the task is delegated to the host that restores."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Restore and compare; ``proven`` says whether nothing was found, ``msg`` what."""
        self._variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, self._variables)
        _, arguments = self.validate_argument_spec({"place": {"type": "str", "default": ""}})
        # A host that gives no result is in the record as well, and in the report as not proven.
        result["panshi_record"] = record_payload(self._variables, self._templar.template, [])
        try:
            row = self._prove(str(plain(arguments["place"])))
        except PanshiError as error:
            result.update(failed=True, msg=str(error))
            return result
        except AnsibleConnectionFailure as error:
            result.update(unreachable=True, msg=str(error).splitlines()[0])
            return result
        result["panshi_record"]["rows"] = [{"kind": row.kind, **asdict(row)}]
        # What was found is the playbook's to fail on: a failed task would print the whole record.
        result["proven"] = row.proven
        if row.proven:
            lost = f"RPO {row.rpo} 秒" if row.rpo >= 0 else "没有数据库，只有文件"
            result["msg"] = f"{row.host} 的备份（{row.place}）能恢复：RTO {row.rto} 秒，{lost}"
        else:
            said = "；".join(f"[{one['code']}] {one['message']}" for one in row.findings[:5])
            result["msg"] = f"{row.host} 的备份没有得到证明（{len(row.findings)} 项）：{said}"
        return result

    def _prove(self, place: str) -> RestoreRow:
        source = str(self._variables["inventory_hostname"])
        on = str(plain(self._task.delegate_to) or source)
        settings = settings_of(self._variables, self._templar.template)
        name, key = key_of(self._variables, self._templar.template, settings, place)
        order = order_of(settings, source, on, name, key, self._last_tables(source))
        order = lend(self._variables, self._templar.template, settings, on, order)
        ask = asker(lambda words: self._execute_module(_MODULE, words, task_vars=self._variables))
        result = carried_out(ask, order, lambda line: display.display(f"  {source}：{line}"))
        return row_of(source, on, name, result)

    def _last_tables(self, source: str) -> list[str]:
        """Return the tables of the last proof that is in an unchanged record."""
        payload = record_payload(self._variables, self._templar.template, [])
        for path in reversed(list_runs(Path(payload["records"]), payload["estate"], _JOB)):
            if any(not problem.incomplete for problem in verify_run(path)):
                continue
            rows = [row for row in read_run(path).restores if row.host == source and row.proven]
            if rows:
                return tables_of(rows[-1])
        return []
