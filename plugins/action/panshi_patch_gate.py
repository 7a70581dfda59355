"""Lets a patch plan be carried out only when it is the signed one and its time has come.

Without ``answer`` it judges the plan as a whole, on the controller; with it, the host of the task, by what it says now;
with ``before`` and ``after``, a wave that has come to its end, by whom it has lost and by two audits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden.run import current_run, record_payload
from panshi.inventory import plain
from panshi.patch import Plan, digest, load_plan, refusals
from panshi.patch.baseline import worse
from panshi.patch.gate import drift, lost, missing
from panshi.patch.plan import NEVER_RESTARTED
from panshi.record import SignedRow, read_run

display = Display()


class ActionModule(ActionBase):
    """Reads a file; touches no host."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge.

        Raises:
            AnsibleActionFail: PS-E61xx, all that is wrong in one line.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(
            {
                "plan": {"type": "path", "required": True},
                "sha256": {"type": "str", "default": ""},
                "answer": {"type": "dict"},
                "wave_end": {"type": "bool", "default": False},
                "before": {"type": "path"},
                "after": {"type": "path"},
            }
        )
        host = str(variables["inventory_hostname"])
        try:
            if not arguments["plan"]:
                raise PanshiError("PS-E6101", "没有给出计划", "加 -e plan=<patch_plan.yml 写出的文件>")
            plan = load_plan(Path(arguments["plan"]))
            if arguments["wave_end"]:
                _refuse(lost(plan, host, map(str, variables["ansible_play_hosts"])))
                _refuse(_worse(arguments["before"], arguments["after"]))
            elif arguments["answer"] is not None:
                result.update(_todo(plan, host, arguments["answer"]))
            else:
                _refuse(refusals(plan, arguments["sha256"], dt.datetime.now()))
                _refuse(missing(plan, map(str, variables["ansible_play_hosts_all"])))
                row = {"kind": SignedRow.kind, "sha256": digest(plan.document), "document": plain(plan.document)}
                result["panshi_record"] = record_payload(variables, self._templar.template, [row])
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        result["changed"] = False
        return result


def _refuse(found: list[PanshiError]) -> None:
    if found:
        for error in found[1:]:
            display.error(str(error))
        raise found[0]


def _worse(before: str | None, after: str | None) -> list[PanshiError]:
    if not before or not after:
        return []
    lines = worse(read_run(Path(before)).verdicts, read_run(Path(after)).verdicts)
    told = "；".join(lines[:5]) + (f" 等 {len(lines)} 项" if len(lines) > 5 else "")
    help_text = "后面的批次没有动；查明原因，需要时用 rollback.yml 退回这次运行"
    return [PanshiError("PS-E6114", f"打补丁之后基线变差：{told}", help_text)] if lines else []


def _todo(plan: Plan, host: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is still to be done on a host, from what it answers now.

    ``todo`` are versions by name; ``resumed``: an earlier start has installed them and did not come to its end, so that
    restart, reboot and proof are still to be done; ``taken_back`` is the run to undo when that fails.
    """
    planned, sha256 = plan.hosts[host], digest(plan.document)
    offered = {one["name"]: one["to"] for one in answer["updates"]}
    here = {**{one["name"]: one["from"] for one in answer["updates"]}, **answer["versions"]}
    # What a run that died had begun is taken back by the next change, so that what it left is not what will be there.
    unfinished = bool(answer["unfinished"])
    todo = {
        one["name"]: one["to"]
        for one in planned["packages"]
        if unfinished or one["to"] not in here.get(one["name"], "").split(",")
    }
    problems = [one for one in answer["problems"] if not (unfinished and one["code"] == "PS-E6004")]
    if todo and problems:
        first = problems[0]
        raise PanshiError(first["code"], first["text"], "按错误页处理后再运行；没有做任何改动")
    held = [one["name"] for one in answer["held"]]
    if not unfinished and (lines := drift(planned["packages"], here, offered, held)):
        raise PanshiError("PS-E6107", f"主机与计划不符：{'；'.join(lines[:5])}", "重新制订计划并签字；没有做任何改动")
    resumed = not todo and sha256 not in answer["finished"]
    return {
        "todo": todo,
        "resumed": resumed,
        "taken_back": answer["upgraded_by"] if resumed else current_run(),
        "reboot": bool(planned["reboot"]),
        "sha256": sha256,
        "wave": next(number for number, wave in enumerate(plan.waves, 1) if host in wave),
        "never": list(NEVER_RESTARTED),
    }
