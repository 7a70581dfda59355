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
from panshi.network.change import Changed, ChangeFailed, settle
from panshi.network.estate import changes_of, login_of
from panshi.network.plan import approved, load_plan
from panshi.network.policy.document import load_policies
from panshi.network.policy.push import Found, carry_out, look
from panshi.network.policy.review import JOB, as_planned, differences_of
from panshi.network.probes import probes_of
from panshi.record import NetworkChangeRow

_SPEC = {
    "policies": {"type": "path", "required": True},
    "probes": {"type": "list", "elements": "dict", "default": []},
    "minutes": {"type": "int", "default": 5},
    "plan": {"type": "path"},
    "plan_sha256": {"type": "str", "default": ""},
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
        self._platform = self._plan = ""
        self._steps: list[dict[str, Any]] = []
        self._began = time.monotonic()
        changed, failure = None, None
        try:
            changed = self._run(arguments, variables)
        except PanshiError as error:
            failure = error
            result.update(failed=True, msg=str(error), code=error.code, as_before=not _unproven(error))
        else:
            result.update(changed=bool(self._found and self._found.change.commands))
        row = self._row(str(variables["inventory_hostname"]), changed, failure)
        told = [{"kind": row.kind, **asdict(row)}]
        result.update(panshi_record=record_payload(variables, self._templar.template, told), **self._told())
        return result

    def _run(self, arguments: dict[str, Any], variables: dict[str, Any]) -> Changed | None:
        template = self._templar.template
        policies = load_policies(Path(arguments["policies"]))
        probes = probes_of(arguments["probes"])
        plan, day = None, date.today()
        if arguments["plan"]:
            plan = load_plan(Path(arguments["plan"]), JOB)
            approved(plan, arguments["plan_sha256"])
            self._plan, day = plan.sha256(), date.fromisoformat(plan.about["day"])
        login = login_of(variables, template)
        self._platform = login.device.platform
        state = changes_of(variables, template)
        if earlier := settle(login.device.name, login.session, state=state, reading=self._task.check_mode):
            self._tell("settled", earlier)
        self._found = found = look(login, policies, day)
        if plan is not None:
            as_planned(plan, policies, login.device.name, found)
        if self._task.check_mode or not found.change.commands:
            return None
        return carry_out(
            login,
            policies,
            found,
            day,
            state=state,
            minutes=arguments["minutes"],
            probes=probes,
            tell=self._tell,
        )

    def _tell(self, step: str, detail: str) -> None:
        self._steps.append({"step": step, "detail": detail, "seconds": round(time.monotonic() - self._began, 3)})

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
            "steps": self._steps,
            "diff": {"prepared": prepared} if prepared else {},
        }

    def _row(self, host: str, changed: Changed | None, failure: PanshiError | None) -> NetworkChangeRow:
        found = self._found
        differs = "differs" if found and found.change.commands else "same"
        return NetworkChangeRow(
            host=host,
            state="failed" if failure else "changed" if changed else differs,
            platform=self._platform,
            plan=self._plan,
            commands=found.change.commands if found else (),
            differences=differences_of(found.change) if found else "",
            guard=changed.guard if changed else "",
            steps=self._steps,
            before=found.running if found else "",
            after=changed.after if changed else "",
            seconds=round(time.monotonic() - self._began, 3),
            unproven=failure is not None and _unproven(failure),
            code=failure.code if failure else "",
            message=str(failure) if failure else "",
        )


def _unproven(error: PanshiError) -> bool:
    return isinstance(error, ChangeFailed) and not error.proven
