"""Sums up what the hosts have answered about their accounts: lines, rows of the record, and the permission table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.accounts.document import TITLE, write_documents
from panshi.accounts.permissions import digest
from panshi.accounts.summary import WHAT_ZH, Summary, lines_of, summary
from panshi.errors import PanshiError
from panshi.harden.run import current_run, record_payload
from panshi.inventory import plain
from panshi.patch.versions import last_run
from panshi.record import AccountRow, PermissionRow, utc_now

JOB = "permissions"

display = Display()


class ActionModule(ActionBase):
    """Runs on the controller; the hosts have been asked before."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Sum up ``answers``, the variable that holds each host's; with ``folder`` write the permission table there.

        With ``ended`` leavers should be gone by now, and one who still is somewhere makes the task fail.

        Raises:
            AnsibleActionFail: PS-E7207 the table cannot be written.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        spec = {
            "answers": {"type": "str", "required": True},
            "folder": {"type": "path"},
            "ended": {"type": "bool", "default": False},
        }
        _, arguments = self.validate_argument_spec(spec)
        payload = record_payload(variables, self._templar.template, [])
        try:
            found = self._found(arguments, variables, payload)
            for line in lines_of(found):
                display.display(line)
            rows: list[AccountRow | PermissionRow] = [*found.accounts]
            if arguments["folder"]:
                self._tell(found, write_documents(found, Path(arguments["folder"]) / payload["estate"]))
                rows += found.rows
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        payload["rows"] = [{"kind": row.kind, **asdict(row)} for row in rows]
        result.update(changed=False, panshi_record=payload)
        if found.remaining:
            where = "、".join(f"{row.host} 的 {row.account}" for row in found.remaining)
            error = PanshiError("PS-E7206", f"离岗账户没有清除干净：{where}", "按上面列出的内容逐项处理后再运行")
            result.update(failed=True, msg=str(error))
        return result

    def _found(self, arguments: dict[str, Any], variables: dict[str, Any], payload: dict[str, Any]) -> Summary:
        everybody = [str(one) for one in variables["ansible_play_hosts_all"]]
        told = {host: plain(variables["hostvars"][host].get(arguments["answers"]) or {}) for host in everybody}
        if refused := [host for host, answer in told.items() if answer.get("failed")]:
            raise PanshiError(
                "PS-E7208",
                f"{'、'.join(refused)} 的账户读不到或不许可，没有改动任何主机",
                "按上面该主机的一行处理后再运行",
            )
        answers = {host: answer for host, answer in told.items() if "permissions" in answer}
        before = last_run(Path(payload["records"]), payload["estate"], JOB) if arguments["folder"] else None
        return summary(
            answers,
            before.permissions if before else (),
            estate=payload["estate"],
            run=current_run(),
            made=utc_now(),
            previous=before.begin.run if before else "",
            silent=sorted(set(everybody) - set(answers)),
            ended=arguments["ended"],
        )

    def _tell(self, found: Summary, paths: list[Path]) -> None:
        for one in found.changes:
            detail = f"：{one.detail}" if one.detail else ""
            display.display(f"   {one.row.host}：{one.row.account} {WHAT_ZH[one.what]}（{one.request}）{detail}")
        display.display(f"{TITLE}：{len(found.rows)} 个账户，内容的 SHA-256 {digest(found.rows)}")
        for path in paths:
            display.display(f"{TITLE}：{path}")
