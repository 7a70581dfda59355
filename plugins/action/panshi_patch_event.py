"""Keeps an event of a host in a patch run: when it was drained, restarted, back, or returned to the versions before."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from panshi.harden.run import record_payload
from panshi.record import PatchRow, utc_now


class ActionModule(ActionBase):
    """Touches no host."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the row."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        spec = {"event": {"type": "str", "required": True}, "detail": {"type": "str", "default": ""}}
        _, arguments = self.validate_argument_spec(spec)
        row = {
            "kind": PatchRow.kind,
            "host": str(variables["inventory_hostname"]),
            "time": f"{utc_now():%Y-%m-%dT%H:%M:%SZ}",
            "event": arguments["event"],
            "detail": arguments["detail"],
        }
        result.update(changed=False, panshi_record=record_payload(variables, self._templar.template, [row]))
        return result
