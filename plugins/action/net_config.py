"""Brings the configuration of one network device to what is written down, or says what that would take."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ansible.plugins.action import ActionBase

from panshi.network.estate import Login
from panshi.network.intent import JOB, Intent, as_planned, carry_out, look
from panshi.network.plan import Plan
from panshi.network.task import SPEC, Look, Task

_INTENT = ("lines", "sections", "whole")
_SPEC = {**{name: {"type": "str", "default": ""} for name in _INTENT}, **SPEC}


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
        return {**result, **task.run(JOB, lambda plan: _prepared(arguments))}


def _prepared(arguments: dict[str, Any]) -> Callable[[Login], Look]:
    intent = Intent(**{name: arguments[name] for name in _INTENT})

    def look_at(login: Login) -> Look:
        found = look(login, intent)
        prepared = "".join(f"{line}\n" for line in found.shown)

        def planned(plan: Plan) -> None:
            as_planned(plan, login.device.name, found)

        return Look(
            running=found.running,
            commands=found.shown,
            differences=found.differences,
            told={
                "differences": found.differences,
                "diff": {"before": found.before, "after": found.after, "prepared": prepared} if prepared else {},
            },
            as_planned=planned,
            carry_out=partial(carry_out, login, intent, found),
        )

    return look_at
