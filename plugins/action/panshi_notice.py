"""Asks a host what it has of a security notice, or sums up what all hosts have answered."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.inventory import plain
from panshi.patch.notice import Notice, load_notice
from panshi.record import NoticeRow

_STATES = {"affected": "受影响", "unknown": "版本不明", "fixed": "已修复"}

display = Display()


class ActionModule(ActionBase):
    """One module call per host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host, or with ``summary`` all the answers.

        Raises:
            AnsibleActionFail: PS-E6201, PS-E6202 for the notice. Affected hosts although ``none_left`` is set are a
                failed result (PS-E6203), as the record keeps that answer too.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(
            {
                "notice": {"type": "str", "required": True},
                "roots": {"type": "list", "elements": "str"},
                "summary": {"type": "str", "default": ""},
                "none_left": {"type": "bool", "default": False},
            }
        )
        try:
            if not arguments["notice"]:
                raise PanshiError("PS-E6201", "没有给出通知", "加 -e notice=<文件>")
            notice = load_notice(Path(arguments["notice"]))
            if arguments["summary"]:
                result.update(self._sum_up(notice, arguments, variables))
            else:
                result.update(self._ask(notice, arguments, variables))
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        return result

    def _ask(self, notice: Notice, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        asked: dict[str, Any] = {"packages": list(notice.packages), "jars": list(notice.jars)}
        if arguments["roots"]:
            asked["roots"] = arguments["roots"]
        answer: dict[str, Any] = self._execute_module("panshi_affected", module_args=asked, task_vars=variables)
        if answer.get("failed"):
            return answer
        host = str(variables["inventory_hostname"])
        rows = [{"kind": "finding", "host": host, "notice": notice.id, **plain(one)} for one in answer["findings"]]
        affected = [one for one in answer["findings"] if one["state"] == "affected"]
        return {
            **answer,
            "affected": bool(affected),
            "packages": sorted({str(one["product"]) for one in affected if one["by"] == "package"}),
            "panshi_record": record_payload(variables, self._templar.template, rows),
        }

    def _sum_up(self, notice: Notice, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        hosts = [str(one) for one in variables["ansible_play_hosts"]]
        silent = sorted(set(map(str, variables["ansible_play_hosts_all"])) - set(hosts))
        answers = {host: plain(variables["hostvars"][host][arguments["summary"]]) for host in hosts}
        now = dt.datetime.now()
        for line in _lines(notice, now, answers, silent):
            display.display(line)
        left = sorted(host for host, answer in answers.items() if answer["affected"])
        proven = arguments["none_left"] and not left and not silent
        row = NoticeRow(
            notice=notice.id,
            source=notice.source,
            received=f"{notice.received:%Y-%m-%dT%H:%M}",
            deadline=f"{notice.deadline:%Y-%m-%dT%H:%M}" if notice.deadline else "",
            hours=notice.hours(now),
            affected=left,
            silent=silent,
            proof=proven,
        )
        rows = [{"kind": row.kind, **dataclasses.asdict(row)}]
        payload = record_payload(variables, self._templar.template, rows)
        told = {"changed": False, "affected": left, "unreachable": silent, "panshi_record": payload}
        if not arguments["none_left"] or proven:
            return told
        who, quiet = ("、".join(names) or "没有" for names in (left, silent))
        text = f"通知 {notice.id}：仍受影响的主机 {who}；没有应答的主机 {quiet}"
        error = PanshiError("PS-E6203", text, "处理完再运行，或登记例外")
        return {**told, "failed": True, "msg": str(error)}


def _lines(notice: Notice, now: dt.datetime, answers: dict[str, Any], silent: list[str]) -> Iterator[str]:
    due = f"，期限 {notice.deadline:%Y-%m-%d %H:%M}" if notice.deadline else ""
    yield f"── 通知 {notice.id}（{notice.source or '没有编号'}），收到后 {notice.hours(now)} 小时{due}"
    for state, title in _STATES.items():
        rows = [(host, one) for host, answer in answers.items() for one in answer["findings"] if one["state"] == state]
        yield f"── {title}：{len({host for host, _ in rows})} 台，{len(rows)} 处"
        for host, one in rows if state != "fixed" else []:
            running = f"，正在运行：{'、'.join(one['running'])}" if one["running"] else ""
            yield f"   {host}：{one['product'] or '读不了的归档'} {one['version']}　{one['where']}{running}"
    if silent:
        yield f"── 没有应答：{'、'.join(silent)}"
