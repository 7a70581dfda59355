"""Brings back a table, a database or files from a host's backups, and records what has arrived."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.backup.client import asker, carried_out, key_of, lend, settings_of
from panshi.backup.order import LOCAL, recovery_of, recovery_row
from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.inventory import plain
from panshi.record import RecoveryRow

_MODULE = "panshi_restore"
display = Display()


class ActionModule(ActionBase):
    """Goes beside what is there, or in place once that was put aside; to another host where the task is delegated."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Bring it back."""
        self._variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, self._variables)
        spec = {
            "database": {"type": "str", "default": ""},
            "table": {"type": "str", "default": ""},
            "logical": {"type": "bool", "default": False},
            "redis": {"type": "bool", "default": False},
            "files": {"type": "list", "elements": "str", "default": []},
            "host": {"type": "bool", "default": False},
            "at": {"type": "str", "default": ""},
            "into": {"type": "str", "default": ""},
            "replace": {"type": "bool", "default": False},
            "place": {"type": "str", "default": ""},
        }
        _, arguments = self.validate_argument_spec(spec)
        lost = {name: plain(value) for name, value in arguments.items()}
        # What was ended midway may have written something, so the run is in the record in any case.
        result["panshi_record"] = record_payload(self._variables, self._templar.template, [])
        try:
            row = self._recover(lost.pop("place") or LOCAL, lost)
        except PanshiError as error:
            result.update(failed=True, msg=str(error))
            return result
        except AnsibleConnectionFailure as error:
            result.update(unreachable=True, msg=str(error).splitlines()[0])
            return result
        result["panshi_record"]["rows"] = [{"kind": row.kind, **asdict(row)}]
        if row.code:
            result.update(failed=True, msg=f"[{row.code}] {row.message}")
        else:
            aside = f"，先前的内容在 {row.aside}" if row.aside else ""
            result.update(
                changed=True,
                msg=f"{row.what} 已恢复到 {row.on} 的 {row.into}（{len(row.rows)} 项，{row.seconds} 秒）{aside}",
            )
        return result

    def _recover(self, place: str, lost: dict[str, Any]) -> RecoveryRow:
        source = str(self._variables["inventory_hostname"])
        on = str(plain(self._task.delegate_to) or source)
        settings = settings_of(self._variables, self._templar.template)
        name, key = key_of(self._variables, self._templar.template, settings, place)
        order = recovery_of(settings, source, on, name, key, lost)
        order = lend(self._variables, self._templar.template, settings, on, order)
        ask = asker(lambda words: self._execute_module(_MODULE, words, task_vars=self._variables))
        result = carried_out(ask, order, lambda line: display.display(f"  {source}：{line}"))
        return recovery_row(source, on, name, lost, result)
