"""Asks the module panshi_host what the host is, and adds what this run applies on it as ``harden_apply``."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.harden import estate


class ActionModule(ActionBase):
    """One module call; the selection is made on the controller."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the host's facts and the checks that are to be brought to pass.

        Raises:
            AnsibleActionFail: PS-E11xx when level, opt-ins or waivers make no sense.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        try:
            selection = estate.selection_of(variables, self._templar.template)
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(self._execute_module(module_name="panshi_host", module_args=self._task.args, task_vars=variables))
        if not result.get("failed"):
            result.setdefault("ansible_facts", {})["harden_apply"] = list(selection.baseline)
        return result
