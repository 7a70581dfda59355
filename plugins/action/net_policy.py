"""Brings the access policies of one network device to what is written down, or says what that would take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from panshi.network.estate import Login
from panshi.network.plan import Plan
from panshi.network.policy.document import load_policies
from panshi.network.policy.push import carry_out, look
from panshi.network.policy.review import JOB, as_planned, differences_of
from panshi.network.task import SPEC, Look, Task

_SPEC = {"policies": {"type": "path", "required": True}, **SPEC}


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
        task = Task(arguments, variables, self._templar.template, self._task.check_mode)
        return {**result, **task.run(JOB, lambda plan: _prepared(Path(arguments["policies"]), plan))}


def _prepared(file: Path, plan: Plan | None) -> Callable[[Login], Look]:
    policies = load_policies(file)
    # What has expired since the approval is a matter for the next plan.
    day = date.today() if plan is None else date.fromisoformat(plan.about["day"])

    def look_at(login: Login) -> Look:
        found = look(login, policies, day)
        change = found.change
        prepared = "".join(f"{line}\n" for line in change.commands)

        def planned(plan: Plan) -> None:
            as_planned(plan, policies, login.device.name, found)

        return Look(
            running=found.running,
            commands=change.commands,
            differences=differences_of(change),
            told={
                "differences": list(change.differences),
                "opens": list(change.opens),
                "closes": list(change.closes),
                "diff": {"prepared": prepared} if prepared else {},
            },
            as_planned=planned,
            carry_out=partial(carry_out, login, policies, found, day),
        )

    return look_at
