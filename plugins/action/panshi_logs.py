"""Understands the declared logs of a host; nothing is asked of the host here."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.inventory import plain
from panshi.logs.declared import policies
from panshi.logs.steps import configuration, steps, units

_SPEC = {
    "files": {"type": "raw", "required": True},
    "environment": {"type": "str", "required": True},
    "environments": {"type": "dict", "required": True},
    "legal_days": {"type": "int", "required": True},
    "mode": {"type": "str", "required": True},
    "group": {"type": "str", "required": True},
    "archive": {"type": "path", "required": True},
    "min_free_percent": {"type": "int", "required": True},
}


class ActionModule(ActionBase):
    """Runs on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``policies``, and as text, ``steps`` and then ``units`` what the host gets of them.

        Raises:
            AnsibleActionFail: PS-E7320, one line.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        given = {key: plain(value) for key, value in arguments.items()}
        try:
            found = policies(
                str(variables["inventory_hostname"]),
                given["files"],
                environments=given["environments"],
                legal_days=given["legal_days"],
                environment=given["environment"],
                mode=given["mode"],
                group=given["group"],
            )
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        mine = [one for one in found if one["managed"]]
        text = configuration(mine, given["archive"], given["min_free_percent"])
        made = {"configuration": text, "steps": steps(mine), "units": units(mine)}
        return {**result, "changed": False, "policies": found, **made}
