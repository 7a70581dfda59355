"""Brings the configuration of one network device to what is written down, or says what that would take."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.network.change import Changed, ChangeFailed, settle
from panshi.network.estate import changes_of, login_of
from panshi.network.intent import JOB, Found, Intent, as_planned, carry_out, look
from panshi.network.plan import approved, load_plan
from panshi.network.probes import probes_of
from panshi.record import NetworkChangeRow

_SPEC = {
    "lines": {"type": "str", "default": ""},
    "sections": {"type": "str", "default": ""},
    "whole": {"type": "str", "default": ""},
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
        self._plan = ""
        self._steps: list[dict[str, Any]] = []
        self._began = time.monotonic()
        changed, failure = None, None
        try:
            changed = self._run(arguments, variables)
        except PanshiError as error:
            failure = error
            result.update(failed=True, msg=str(error), code=error.code, as_before=not _unproven(error))
        else:
            result.update(changed=bool(self._found and self._found.commands))
        row = self._row(str(variables["inventory_hostname"]), changed, failure)
        told = [{"kind": row.kind, **asdict(row)}]
        result.update(panshi_record=record_payload(variables, self._templar.template, told), **self._told())
        return result

    def _run(self, arguments: dict[str, Any], variables: dict[str, Any]) -> Changed | None:
        template = self._templar.template
        intent = Intent(**{name: arguments[name] for name in ("lines", "sections", "whole")})
        probes = probes_of(arguments["probes"])
        plan = None
        if arguments["plan"]:
            plan = load_plan(Path(arguments["plan"]), JOB)
            approved(plan, arguments["plan_sha256"])
            self._plan = plan.sha256()
        login, state = login_of(variables, template), changes_of(variables, template)
        name, reading = login.device.name, self._task.check_mode
        if earlier := settle(name, login.session, state=state, reading=reading):
            self._tell("settled", earlier)
        self._found = found = look(login, intent)
        if plan is not None:
            as_planned(plan, name, found)
        if reading or not found.commands:
            return None
        return carry_out(
            login, intent, found, state=state, minutes=arguments["minutes"], probes=probes, tell=self._tell
        )

    def _tell(self, step: str, detail: str) -> None:
        self._steps.append({"step": step, "detail": detail, "seconds": round(time.monotonic() - self._began, 3)})

    def _told(self) -> dict[str, Any]:
        """Return what the task tells of a device that was read."""
        found = self._found
        if found is None:
            return {}
        prepared = "".join(f"{line}\n" for line in found.shown)
        return {
            "running": found.running,
            "commands": list(found.shown),
            "differences": found.differences,
            "steps": self._steps,
            "diff": {"before": found.before, "after": found.after, "prepared": prepared} if prepared else {},
        }

    def _row(self, host: str, changed: Changed | None, failure: PanshiError | None) -> NetworkChangeRow:
        found = self._found
        differs = "differs" if found and found.commands else "same"
        return NetworkChangeRow(
            host=host,
            state="failed" if failure else "changed" if changed else differs,
            platform=found.platform if found else "",
            plan=self._plan,
            commands=found.shown if found else (),
            differences=found.differences if found else "",
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
