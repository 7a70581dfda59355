"""Has the mirror host update or promote its snapshots, and keeps in the record which pointer went where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.harden.run import record_payload
from panshi.inventory import plain
from panshi.record import ChangeRow

display = Display()


class ActionModule(ActionBase):
    """One module call; nothing is asked of the host in check mode, for a source's news are only known by fetching."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the module of the same name, show the pointers, and return the rows."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True}
        arguments = plain(self._task.args)
        answer: dict[str, Any] = self._execute_module("panshi_mirror", module_args=arguments, task_vars=variables)
        result.update(answer)
        if answer.get("failed"):
            return result
        host = str(variables["inventory_hostname"])
        for line in lines_of(answer["repositories"]):
            display.display(f"{host}：{line}")
        rows = [
            {"kind": ChangeRow.kind, "host": host, "role": "package_mirror", "title": "软件源镜像", **plain(one)}
            for one in answer["changes"]
        ]
        if rows:
            result["panshi_record"] = record_payload(variables, self._templar.template, rows)
        return result


def lines_of(repositories: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Return one line for each repository: what its stages use."""
    for name, one in repositories.items():
        stages = f"test {one['test'] or '还没有'}，prod {one['prod'] or '还没有'}"
        upstream = f"，上游日期 {one['upstream']}" if one["upstream"] else ""
        yield f"{name}：{stages}；{one['packages']} 个软件包{upstream}，快照 {len(one['snapshots'])} 份"
