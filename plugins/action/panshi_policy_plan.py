"""Writes the plan of the access policies from what the devices of the play have answered."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.network.planning import SPEC, planned
from panshi.network.policy.document import load_folder
from panshi.network.policy.review import plan_of

_SPEC = {"policies": {"type": "path", "required": True}, **SPEC}


class ActionModule(ActionBase):
    """Runs on the controller, once; the devices have been asked before."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the plan and show it; nothing is written when there is nothing to do, or in check mode.

        Raises:
            AnsibleActionFail: PS-E8100 to PS-E8104, PS-E8108.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        try:
            digests = {file.name: one.digest for file, one in load_folder(Path(arguments["policies"])).items()}
            done = planned(
                lambda answers, whose: plan_of(digests, date.today(), answers, **whose),
                arguments,
                variables,
                self._templar.template,
                reading=self._task.check_mode,
                nothing="台设备上的策略都与策略文件一致",
                show=Display().display,
            )
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        return {**result, **done}
