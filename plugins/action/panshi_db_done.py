"""Keeps in the record what became of a proposal, and what was checked before and after it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.plugins.action import ActionBase

from panshi.database.apply import outcome
from panshi.harden.run import record_payload
from panshi.inventory import plain


class ActionModule(ActionBase):
    """Runs on the controller, whether the proposal went well or not."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the row of ``order`` from the results of its tasks: ``change``, and ``checks`` in their order."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        spec = {
            "order": {"type": "dict", "required": True},
            "change": {"type": "dict", "default": {}},
            "checks": {"type": "list", "elements": "dict", "default": []},
        }
        _, arguments = self.validate_argument_spec(spec)
        given = plain(arguments)
        row = outcome(given["order"], given["change"], given["checks"])
        rows = [] if self._task.check_mode else [{"kind": row.kind, **asdict(row)}]
        result.update(
            changed=False, state=row.state, panshi_record=record_payload(variables, self._templar.template, rows)
        )
        return result
