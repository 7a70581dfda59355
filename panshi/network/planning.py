"""From what the devices of a play have answered to the plan that a person approves."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from panshi.harden import estate
from panshi.harden.run import current_run, record_payload
from panshi.inventory import plain
from panshi.network.plan import Plan, lines_of, save_plan
from panshi.record import SignedRow, utc_now

_FOLDER = Path(__file__).resolve().parents[2] / "plans"

# Arguments that every task takes which writes a plan.
SPEC: Mapping[str, Mapping[str, Any]] = {"answers": {"type": "str", "required": True}, "folder": {"type": "path"}}

Answers = Mapping[str, Mapping[str, Any]]


def planned(
    make: Callable[[Answers, Mapping[str, str]], Plan],
    arguments: Mapping[str, Any],
    variables: Mapping[str, Any],
    template: Callable[[Any], Any],
    *,
    reading: bool,
    nothing: str,
    show: Callable[[str], object],
) -> dict[str, Any]:
    """Make a plan, show it and write it; nothing is written when there is nothing to do.

    Args:
        make: makes the plan of what devices have answered, by name, and of ``estate``, ``run``, ``made``, ``operator``.
        arguments: those of :data:`SPEC`; ``answers`` is the name of the variable that holds them.
        variables: of a host of the play.
        template: makes text of variables.
        reading: nothing is written in any case.
        nothing: what is said after the number of devices when no device differs.
        show: tells the operator a line.

    Returns:
        The result of the task: ``devices``, ``plan`` (path) and ``sha256``, and what is recorded.

    Raises:
        PanshiError: PS-E8108 it cannot be written; what ``make`` raises.
    """
    own, name = variables["hostvars"], arguments["answers"]
    answers = {
        str(host): plain(own[host][name])
        for host in variables["ansible_play_hosts"]
        if "commands" in own[host].get(name, {})
    }
    whose, run = estate.estate_of(variables)[0], current_run()
    operator = f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{os.uname().nodename}"
    made = f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"
    plan = make(answers, {"estate": whose, "run": run, "made": made, "operator": operator})
    result: dict[str, Any] = {"changed": False, "devices": list(plan.devices), "plan": "", "sha256": ""}
    for line in lines_of(plan):
        show(line)
    if not plan.devices:
        show(f"{len(answers)} {nothing}，没有要做的")
    elif not reading:
        path = Path(arguments["folder"] or _FOLDER) / whose / f"{run}.yml"
        sha256 = save_plan(path, plan)
        show(f"计划：{path}\n摘要（批准时写明）：{sha256}")
        row = {"kind": SignedRow.kind, "sha256": sha256, "document": plan.document()}
        result.update(plan=str(path), sha256=sha256, panshi_record=record_payload(variables, template, [row]))
    return result
