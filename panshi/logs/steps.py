"""Declared logs as steps of ``panshi_change``, and the configuration of the program that keeps them (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from panshi.logs import pipe
from panshi.logs.declared import COPY, FOR_EVER, LOSS, REOPEN


def stanza(policy: Mapping[str, Any]) -> str:
    """Return the logrotate file of a policy.

    logrotate only rotates. It deletes by counting, and what counts is days; it compresses by guessing when a program
    has let go of a file, and that can be seen. So both are the keeping program's. ``dateext`` with the second in it:
    a name is never used twice, and a rotation within the same second is put off, not lost.
    """
    lines = [f"    {policy['period']}", f"    rotate {FOR_EVER}"]
    lines += [
        "    dateext",
        "    dateformat -%Y%m%d-%s",
        "    nocompress",
        "    missingok",
        "    notifempty",
        "    noolddir",
    ]
    lines += [f"    maxsize {policy['max_size']}"] if policy["max_size"] else []
    lines += [f"    su {policy['owner']} {policy['group']}"] if policy["su"] else []
    if policy["style"] == COPY:
        lines += [f"    # {LOSS}", "    copytruncate"]
    else:
        owner = " ".join(filter(None, (policy["create_mode"], policy["owner"], policy["group"])))
        lines += [f"    create {owner}" if policy["create_mode"] and policy["owner"] else "    create"]
    if policy["style"] == REOPEN:
        lines += ["    sharedscripts", "    postrotate", f"        {policy['postrotate']}", "    endscript"]
    head = f"# 由磐石角色 logs 生成（{policy['name']}）：只轮转；"
    head += f"压缩、留存 {policy['keep_days']} 天与到期删除由 panshi-logs.timer 做。\n"
    return head + "\n".join(policy["paths"]) + "\n{\n" + "\n".join(lines) + "\n}\n"


def configuration(policies: Sequence[Mapping[str, Any]], archive: str, min_free_percent: float) -> str:
    """Return the configuration of the program that keeps logs, as text."""
    keys = ("name", "style", "paths", "config", "keep_days", "legal_days", "group", "archive_mode")
    logs = [{key: policy[key] for key in keys} for policy in policies]
    content = {"archive": archive, "min_free_percent": min_free_percent, "logs": logs}
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def steps(policies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps for the policies that this role manages, what is lost by them said first."""
    found: list[dict[str, Any]] = [
        {"left": {"resource": f"日志 {one['name']}", "why": LOSS}} for one in policies if one["style"] == COPY
    ]
    for one in policies:
        found += pipe.files(one)
        if one["config"]:
            path = {"path": one["config"], "content": stanza(one), "owner": "root", "group": "root", "mode": "0644"}
            found.append({"title": f"{one['name']} 的轮转", "file": {**path, "validate": ["logrotate", "-d", "%s"]}})
    return found


def units(policies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps that start the units of the policies, once systemd has read them."""
    return [step for one in policies for step in pipe.units(one)]
