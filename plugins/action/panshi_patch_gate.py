"""Lets a patch plan be carried out only when it is the signed one and its time has come; or says what a host lacks.

Without ``answer`` it judges the plan as a whole, on the controller; with it, the host of the task, by what it says now.
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
from panshi.patch import load_plan, refusals
from panshi.patch.gate import drift
from panshi.patch.plan import NEVER_RESTARTED

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
            }
        )
        try:
            if not arguments["plan"]:
                raise PanshiError("PS-E6101", "没有给出计划", "加 -e plan=<patch_plan.yml 写出的文件>")
            plan = load_plan(Path(arguments["plan"]))
            if arguments["answer"] is None:
                _refuse(refusals(plan, arguments["sha256"], dt.datetime.now()))
            else:
                result.update(_todo(plan.hosts[str(variables["inventory_hostname"])], arguments["answer"]))
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        result["changed"] = False
        return result


def _refuse(found: list[PanshiError]) -> None:
    if found:
        for error in found[1:]:
            display.error(str(error))
        raise found[0]


def _todo(planned: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is still to be done on a host, from what it answers now."""
    offered = {one["name"]: one["to"] for one in answer["updates"]}
    here = {**{one["name"]: one["from"] for one in answer["updates"]}, **answer["versions"]}
    if lines := drift(planned["packages"], here, offered):
        raise PanshiError("PS-E6107", f"主机与计划不符：{'；'.join(lines[:5])}", "重新制订计划并签字；没有做任何改动")
    todo = {one["name"]: one["to"] for one in planned["packages"] if here.get(one["name"]) != one["to"]}
    if todo and answer["problems"]:
        first = answer["problems"][0]
        raise PanshiError(first["code"], first["text"], "按错误页处理后再运行；没有做任何改动")
    return {"todo": todo, "reboot": bool(planned["reboot"]) and bool(todo), "never": list(NEVER_RESTARTED)}
