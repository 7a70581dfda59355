"""Brings the access policies of one network device to what is written down, or says what that would take."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.network.change import Changed, ChangeFailed
from panshi.network.estate import changes_of, login_of
from panshi.network.plan import approved, load_plan
from panshi.network.policy.document import load_policies
from panshi.network.policy.push import Found, carry_out, look
from panshi.network.policy.review import JOB, as_planned
from panshi.record import NetworkPolicyRow

_SPEC = {
    "policies": {"type": "path", "required": True},
    "plan": {"type": "path"},
    "plan_sha256": {"type": "str", "default": ""},
    "minutes": {"type": "int", "default": 5},
}


class ActionModule(ActionBase):
    """Runs on the controller for one device; in check mode it only reads."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what differs, the commands, and what became of them."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        self._found: Found | None = None
        self._plan = ""
        began = time.monotonic()
        try:
            changed = self._run(arguments, variables)
        except PanshiError as error:
            row = self._row(variables, None, time.monotonic() - began, error)
            proven = error.proven if isinstance(error, ChangeFailed) else True
            result.update(failed=True, msg=str(error), code=error.code, as_before=proven, **self._told())
        else:
            row = self._row(variables, changed, time.monotonic() - began, None)
            result.update(changed=bool(self._found and self._found.change.commands), **self._told())
        told = [{"kind": row.kind, **asdict(row)}]
        result["panshi_record"] = record_payload(variables, self._templar.template, told)
        return result

    def _run(self, arguments: dict[str, Any], variables: dict[str, Any]) -> Changed | None:
        template = self._templar.template
        plan = None
        day = date.today()
        if arguments["plan"]:
            plan = load_plan(Path(arguments["plan"]), JOB)
            approved(plan, arguments["plan_sha256"])
            self._plan = plan.sha256()
            day = date.fromisoformat(plan.about["day"])
        policies = load_policies(Path(arguments["policies"]))
        login = login_of(variables, template)
        self._found = look(login, policies, day)
        if plan is not None:
            as_planned(plan, policies, login.device.name, self._found)
        if self._task.check_mode or not self._found.change.commands:
            return None
        state = changes_of(variables, template)
        return carry_out(login, policies, self._found, day, state=state, minutes=arguments["minutes"])

    def _told(self) -> dict[str, Any]:
        """Return what the task tells of a device that was read."""
        if self._found is None:
            return {}
        change = self._found.change
        prepared = "".join(f"{line}\n" for line in change.commands)
        return {
            "running": self._found.running,
            "commands": list(change.commands),
            "differences": list(change.differences),
            "opens": list(change.opens),
            "closes": list(change.closes),
            "diff": {"prepared": prepared} if prepared else {},
        }

    def _row(
        self, variables: dict[str, Any], changed: Changed | None, seconds: float, error: PanshiError | None
    ) -> NetworkPolicyRow:
        change = self._found.change if self._found else None
        differs = "differs" if change and change.commands else "same"
        return NetworkPolicyRow(
            host=str(variables["inventory_hostname"]),
            state="failed" if error else "changed" if changed else differs,
            plan=self._plan,
            lines=changed.lines if changed else 0,
            differences=change.differences if change else (),
            opens=change.opens if change else (),
            closes=change.closes if change else (),
            guard=changed.guard if changed else "",
            before=self._found.running if self._found else "",
            after=changed.after if changed else "",
            seconds=round(seconds, 3),
            code=error.code if error else "",
            message=str(error) if error else "",
        )
