"""Judges what the database servers have answered: rows of the record, and lines for the operator."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.database.model import limits_of
from panshi.database.past import last_reviews
from panshi.database.review import Reviews, declared_primaries, lines_of, reviews
from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.inventory import plain

display = Display()


class ActionModule(ActionBase):
    """Runs on the controller; the hosts have been asked before."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge ``answers``, the variable that holds each host's, by ``limits``.

        A group that cannot be judged fails the task, once everything about the others is in the record.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        spec = {"answers": {"type": "str", "required": True}, "limits": {"type": "dict", "default": {}}}
        _, arguments = self.validate_argument_spec(spec)
        payload = record_payload(variables, self._templar.template, [])
        result.update(changed=False, panshi_record=payload)
        try:
            found = self._judged(plain(arguments), variables, payload)
        except PanshiError as error:
            return {**result, "failed": True, "msg": str(error)}
        for line in lines_of(found.rows):
            display.display(line)
        payload["rows"] = [{"kind": row.kind, **asdict(row)} for row in found.rows]
        if found.errors:
            error = PanshiError("PS-E7509", f"有数据库没有审查成：{'；'.join(found.errors)}", "处理后再审查")
            result.update(failed=True, msg=str(error))
        return result

    def _judged(self, arguments: dict[str, Any], variables: dict[str, Any], payload: dict[str, Any]) -> Reviews:
        declared = declared_primaries(variables)
        hosts = variables["hostvars"]
        answers = {host: plain(hosts[host].get(arguments["answers"]) or {}).get("database") or {} for host in declared}
        before = last_reviews(Path(payload["records"]), payload["estate"])
        return reviews(declared, answers, before, limits_of(arguments["limits"]))
