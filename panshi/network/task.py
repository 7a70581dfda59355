"""What tasks that change one network device have in common: plan, look, carry out, and a row of what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.network.change import Changed, ChangeFailed, Probe, Tell, settle
from panshi.network.estate import Login, changes_of, login_of
from panshi.network.plan import Plan, approved, load_plan
from panshi.network.probes import probes_of
from panshi.record import NetworkChangeRow

# Arguments that every such task takes; see plugins/modules/net_config.py.
SPEC: Mapping[str, Mapping[str, Any]] = {
    "probes": {"type": "list", "elements": "dict", "default": []},
    "minutes": {"type": "int", "default": 5},
    "plan": {"type": "path"},
    "plan_sha256": {"type": "str", "default": ""},
}


class CarryOut(Protocol):
    """How a change that was found is made."""

    def __call__(self, *, state: Path, minutes: int, probes: Sequence[Probe], tell: Tell) -> Changed:
        """Make it, prove it by a new login, and save it; all of it or nothing."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a device has, held against what is written down.

    Args:
        running: SHA-256 of its configuration, volatile lines aside.
        commands: that would be typed, secrets masked; empty when nothing differs.
        differences: for the record, secrets masked.
        told: what the task returns of it.
        as_planned: refuses a plan that is not what would be done now, with PS-E8110.
        carry_out: makes the change.
    """

    running: str
    commands: Sequence[str]
    differences: str
    told: Mapping[str, Any]
    as_planned: Callable[[Plan], None]
    carry_out: CarryOut


# Reads what is written down, as of the plan where there is one, and returns what looks at the device.
Prepare = Callable[[Plan | None], Callable[[Login], Look]]


class Task:
    """One task for one device.

    Args:
        arguments: those of :data:`SPEC`.
        variables: of the host.
        template: makes text of variables.
        reading: nothing is changed.
    """

    def __init__(
        self, arguments: Mapping[str, Any], variables: Mapping[str, Any], template: Callable[[Any], Any], reading: bool
    ) -> None:
        self._arguments = arguments
        self._variables = variables
        self._template = template
        self._reading = reading
        self._look: Look | None = None
        self._platform = self._plan = ""
        self._steps: list[dict[str, Any]] = []
        self._began = time.monotonic()

    def run(self, job: str, prepare: Prepare) -> dict[str, Any]:
        """Return the result of the task: what differs, the commands, and what became of them.

        Args:
            job: that makes the plans which may be carried out here.
            prepare: reads what is written down; a mistake in it is found before the device is asked.
        """
        changed, failure = None, None
        result: dict[str, Any] = {}
        try:
            changed = self._run(job, prepare)
        except PanshiError as error:
            failure = error
            result.update(failed=True, msg=str(error), code=error.code, as_before=not is_unproven(error))
        else:
            result.update(changed=bool(self._look and self._look.commands))
        row = self._row(changed, failure)
        payload = record_payload(self._variables, self._template, [{"kind": row.kind, **asdict(row)}])
        return {**result, "panshi_record": payload, **self._told()}

    def _run(self, job: str, prepare: Prepare) -> Changed | None:
        plan = None
        if self._arguments["plan"]:
            plan = load_plan(Path(self._arguments["plan"]), job)
            approved(plan, self._arguments["plan_sha256"])
            self._plan = plan.sha256()
        probes, look_at = probes_of(self._arguments["probes"]), prepare(plan)
        login, state = login_of(self._variables, self._template), changes_of(self._variables, self._template)
        self._platform = login.device.platform
        if earlier := settle(login.device.name, login.session, state=state, reading=self._reading):
            self._tell("settled", earlier)
        self._look = look = look_at(login)
        if plan is not None:
            look.as_planned(plan)
        if self._reading or not look.commands:
            return None
        return look.carry_out(state=state, minutes=self._arguments["minutes"], probes=probes, tell=self._tell)

    def _tell(self, step: str, detail: str) -> None:
        self._steps.append({"step": step, "detail": detail, "seconds": round(time.monotonic() - self._began, 3)})

    def _told(self) -> dict[str, Any]:
        """Return what the task tells of a device that was read."""
        look = self._look
        if look is None:
            return {}
        return {"running": look.running, "commands": list(look.commands), "steps": self._steps, **look.told}

    def _row(self, changed: Changed | None, failure: PanshiError | None) -> NetworkChangeRow:
        look = self._look
        return NetworkChangeRow(
            host=str(self._variables["inventory_hostname"]),
            platform=self._platform,
            plan=self._plan,
            commands=look.commands if look else (),
            differences=look.differences if look else "",
            steps=self._steps,
            before=look.running if look else "",
            seconds=round(time.monotonic() - self._began, 3),
            **outcome(bool(look and look.commands), changed, failure),
        )


def outcome(differs: bool, changed: Changed | None, failure: PanshiError | None) -> dict[str, Any]:
    """Return what a NetworkChangeRow says of what became of a change.

    Args:
        differs: the device has not what is written down.
        changed: it was changed.
        failure: it was not.
    """
    return {
        "state": "failed" if failure else "changed" if changed else "differs" if differs else "same",
        "guard": changed.guard if changed else "",
        "after": changed.after if changed else "",
        "unproven": failure is not None and is_unproven(failure),
        "code": failure.code if failure else "",
        "message": str(failure) if failure else "",
    }


def is_unproven(error: PanshiError) -> bool:
    """Whether a change has failed, and that the device is as before is not proven."""
    return isinstance(error, ChangeFailed) and not error.proven
