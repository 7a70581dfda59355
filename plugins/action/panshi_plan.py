"""Says, before a hardening run starts, what it will do, what it leaves for an opt-in, and what leaving it costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden import estate, load_coverage, plan_rows
from panshi.harden.plan import ACTION_ZH
from panshi.harden.run import record_payload
from panshi.record import PlanRow, read_run

display = Display()


class ActionModule(ActionBase):
    """Reads an audit's record; touches no host."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Show and return the plan.

        Raises:
            AnsibleActionFail: PS-E11xx for the estate's input, PS-E4xxx for the record.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec({"audit": {"type": "path", "required": True}})
        try:
            rows = self._rows(Path(arguments["audit"]), variables)
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        for line in _lines(rows):
            display.display(line)
        told = [{"kind": row.kind, **{key: getattr(row, key) for key in _FIELDS}} for row in rows]
        result.update(
            changed=False, rows=len(rows), panshi_record=record_payload(variables, self._templar.template, told)
        )
        return result

    def _rows(self, audit: Path, variables: dict[str, Any]) -> list[PlanRow]:
        # hostvars resolve every host's own precedence; extra variables of the command line are in them.
        selections = {
            host: estate.selection_of(variables["hostvars"][host], self._templar.template)
            for host in variables["ansible_play_hosts_all"]
        }
        return plan_rows(estate.catalogue(), read_run(audit).verdicts, selections, load_coverage())


_FIELDS = ("host", "control", "check", "title", "action", "role", "reason", "cost")


def _lines(rows: Iterable[PlanRow]) -> Iterable[str]:
    """Return the plan as a person reads it: per kind of action the checks, with the hosts they concern."""
    grouped: dict[str, dict[str, list[PlanRow]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        grouped[row.action][row.check].append(row)
    for action, title in ACTION_ZH.items():
        checks = grouped.get(action, {})
        count = sum(map(len, checks.values()))
        yield f"── {title}：{len(checks)} 个检查项，{count} 处"
        for found in checks.values():
            first = found[0]
            hosts = "、".join(row.host for row in found[:6]) + (f" 等 {len(found)} 台" if len(found) > 6 else "")
            tail = f"　不做的代价：{first.cost}" if first.cost else f"　角色 {first.role or '无'}"
            reason = f"　原因：{first.reason}" if action != "apply" else ""
            yield f"   {first.control} {first.title}（{first.check}）　主机：{hosts}{reason}{tail}"
