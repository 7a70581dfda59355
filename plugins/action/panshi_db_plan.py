"""Turns chosen proposals of a review into orders for the primaries, and refuses what no longer fits."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.database.apply import Order, orders, outcome
from panshi.database.model import limits_of
from panshi.database.past import last_reviews
from panshi.database.review import declared_primaries, reviews
from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.inventory import plain

display = Display()


class ActionModule(ActionBase):
    """Runs on the controller; the hosts have been asked before."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``orders`` by host: what is left to do of ``proposals`` chosen from a ``review`` (a run; the last)."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        spec = {
            "answers": {"type": "str", "required": True},
            "proposals": {"type": "list", "elements": "str", "required": True},
            "review": {"type": "str", "default": ""},
            "limits": {"type": "dict", "default": {}},
        }
        _, arguments = self.validate_argument_spec(spec)
        payload = record_payload(variables, self._templar.template, [])
        result.update(changed=False, orders={}, panshi_record=payload)
        try:
            found = self._orders(plain(arguments), variables, payload)
        except PanshiError as error:
            return {**result, "failed": True, "msg": str(error)}
        for one in found:
            said = "已经是这样，无事可做" if one.done else one.proposal["statement"]
            display.display(f"{one.host} {one.proposal['id']}：{one.proposal['title']}：{said}")
            if not one.done:
                result["orders"].setdefault(one.host, []).append(asdict(one))
            elif not self._task.check_mode:
                row = outcome(asdict(one), {"changed": False}, [])
                payload["rows"].append({"kind": row.kind, **asdict(row)})
        return result

    def _orders(self, arguments: dict[str, Any], variables: dict[str, Any], payload: dict[str, Any]) -> list[Order]:
        declared = declared_primaries(variables)
        hosts = variables["hostvars"]
        answers = {host: plain(hosts[host].get(arguments["answers"]) or {}).get("database") or {} for host in declared}
        before = last_reviews(Path(payload["records"]), payload["estate"], arguments["review"])
        now = reviews(declared, answers, before, limits_of(arguments["limits"]))
        if now.errors:
            raise PanshiError("PS-E7509", f"有数据库没有读到：{'；'.join(now.errors)}", "处理后再执行")
        rows = {row.host: row for row in now.rows}
        return orders(arguments["proposals"], list(before.values()), rows, now.servers)
