"""Reads the policy sets of an estate, and says what is wrong with them before a device is asked."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.network.policy.document import Mistaken, load_folder
from panshi.network.policy.review import finding_rows, line_of, matrix_row

display = Display()


class ActionModule(ActionBase):
    """Runs on the controller; no device is asked."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``devices``, the file of each by name, and the findings.

        Raises:
            AnsibleActionFail: PS-E8100 to PS-E8104; every mistake is shown.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec({"policies": {"type": "path", "required": True}})
        try:
            found = load_folder(Path(arguments["policies"]))
        except PanshiError as error:
            for one in error.every[1:] if isinstance(error, Mistaken) else ():
                display.error(str(one))
            raise AnsibleActionFail(str(error)) from error
        rows = [row for policies in found.values() for row in finding_rows(policies, date.today())]
        for row in rows:
            display.display(line_of(row))
        matrices = [matrix_row(policies, date.today()) for policies in found.values()]
        told = [{"kind": row.kind, **asdict(row)} for row in (*rows, *matrices)]
        result.update(
            changed=False,
            devices={name: str(file) for file, policies in found.items() for name in policies.devices},
            findings=[asdict(row) for row in rows],
            panshi_record=record_payload(variables, self._templar.template, told),
        )
        return result
