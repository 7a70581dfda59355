"""Has a client try to destroy its own second copy, shows the table, and keeps every attempt in the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.inventory import plain
from panshi.record import ExerciseRow

display = Display()


class ActionModule(ActionBase):
    """One module call; the run fails loudly when one attempt was not refused, or when it could not be told."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the module of the same name and judge what it has seen."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True}
        arguments = plain(self._task.args)
        name = "panshi_vault_exercise"
        answer: dict[str, Any] = self._execute_module(module_name=name, module_args=arguments, task_vars=variables)
        result.update(answer)
        if answer.get("failed"):
            return result
        attempts = plain(answer["attempts"])
        host = str(variables["inventory_hostname"])
        for line in table(attempts):
            display.display(f"{host}：{line}")
        rows = [{"kind": ExerciseRow.kind, "host": host, **one} for one in attempts]
        result["panshi_record"] = record_payload(variables, self._templar.template, rows)
        if error := verdict(attempts, str(answer["trouble"])):
            result.update(failed=True, msg=str(error), code=error.code)
        return result


def table(attempts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one line for each attempt."""
    words = {True: "拒绝", False: "得逞"}
    return [
        f"{one['title']}：{words[one['refused']]}（{one['seen']}）"
        if one["attempt"] != "restore"
        else f"{one['title']}：{'完好' if one['refused'] else '失败'}（{one['seen']}）"
        for one in attempts
    ]


def verdict(attempts: Sequence[Mapping[str, Any]], trouble: str) -> PanshiError | None:
    """Return what is wrong: an attempt that went through comes before one that could not be made."""
    through = [one["title"] for one in attempts if not one["refused"]]
    if through:
        text = f"备份金库没有挡住：{'、'.join(dict.fromkeys(through))}"
        return PanshiError("PS-E7350", text, "当作第二份没有保护处理：由保管员立即重新应用角色 backup_vault，再演练")
    if trouble or not attempts or attempts[-1]["attempt"] != "restore":
        return PanshiError(
            "PS-E7351", f"演练没有做完：{trouble or '没有结果'}", "先让备份能送达金库，再演练；没有做的不算通过"
        )
    return None
