"""Has a host prove its logs, and judges what it answers against what was proven before."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.inventory import plain
from panshi.logs.proof import earlier, row_of

_SPEC = {
    "logs": {"type": "list", "elements": "dict", "required": True},
    "archive": {"type": "path", "required": True},
    "rate": {"type": "int"},
    "seconds": {"type": "float"},
    "rotations": {"type": "int"},
    "probe_rate": {"type": "int"},
}


class ActionModule(ActionBase):
    """One module call per host, which changes no setting."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``log_proofs``, a row for each declared log.

        Raises:
            AnsibleActionFail: the record of an earlier proof cannot be read.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        given = {key: plain(value) for key, value in arguments.items() if value is not None}
        host = str(variables["inventory_hostname"])
        payload = record_payload(variables, self._templar.template, [])
        try:
            before = earlier(Path(payload["records"]), payload["estate"], host)
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        heads = {name: row.head for name, row in before.items() if row.head}
        answer = self._execute_module("panshi_log_proof", module_args={**given, "heads": heads}, task_vars=variables)
        if "proofs" not in answer:
            return {key: value for key, value in answer.items() if key != "invocation"}
        rows = [
            row_of(host, policy, proof, answer["now"], before.get(policy["name"]))
            for policy, proof in zip(given["logs"], answer["proofs"], strict=True)
        ]
        return {**result, "changed": False, "log_proofs": [asdict(row) for row in rows]}
