"""Runs ``panshi audit`` once for all hosts of the play.

In a process of its own, as the fleet read needs an event loop that must not meet Ansible's workers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

ROOT = Path(__file__).resolve().parents[2]
# Exit statuses of ``panshi audit``, see docs/design.md, 6.
FINDINGS, UNREAD = 1, 3

display = Display()


class ActionModule(ActionBase):
    """Arguments in, one child process, its summary out."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the audit.

        Raises:
            AnsibleActionFail: when the input was refused, or findings are to fail the task.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(
            {
                "inventory": {"type": "path"},
                "level": {"type": "int", "choices": [2, 3], "default": 3},
                "profile": {"type": "str", "default": ""},
                "controls": {"type": "list", "elements": "str", "default": []},
                "hosts": {"type": "list", "elements": "str", "default": []},
                "records": {"type": "path", "default": "records"},
                "forks": {"type": "int", "default": 32},
                "timeout": {"type": "int", "default": 30},
                "report": {"type": "bool", "default": True},
                "fail_on_findings": {"type": "bool", "default": False},
                "fail_on_unread": {"type": "bool", "default": True},
            }
        )
        status, summary, last_line = _audit(_command(arguments, variables))
        result.update(summary, changed=False, exit=status)
        passing = {0}
        if not arguments["fail_on_findings"]:
            passing.add(FINDINGS)
        if not arguments["fail_on_unread"]:
            passing.add(UNREAD)
        if status in passing:
            return result
        unread = [
            host["message"] if host["code"] else f"主机 {name}：{host['rows'].get('error', 0)} 项未能判定"
            for name, host in summary.get("hosts", {}).items()
            if host["code"] or host["rows"].get("error")
        ]
        raise AnsibleActionFail("；".join(unread) or last_line or f"panshi audit: exit status {status}", result=result)


def _command(arguments: dict[str, Any], variables: dict[str, Any]) -> list[str]:
    sources = [arguments["inventory"]] if arguments["inventory"] else variables.get("ansible_inventory_sources") or []
    if len(sources) != 1:
        raise AnsibleActionFail("一次审计只针对一个环境：请只给一个 -i，或用参数 inventory 指明")
    command = [sys.executable, "-m", "panshi", "audit", "--json", "--inventory", sources[0]]
    command += ["--limit", ",".join(arguments["hosts"] or variables["ansible_play_hosts_all"])]
    for name in ("level", "records", "forks", "timeout"):
        command += [f"--{name.replace('_', '-')}", str(arguments[name])]
    if arguments["profile"]:
        command += ["--profile", arguments["profile"]]
    for control in arguments["controls"]:
        command += ["--control", control]
    return [*command, "--report" if arguments["report"] else "--no-report"]


def _audit(command: list[str]) -> tuple[int, dict[str, Any], str]:
    """Return exit status, summary and the last line that was told; lines are shown as they come."""
    search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    line = ""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search, "PYTHONUTF8": "1"},
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # The summary is one line at the very end, so it cannot fill its pipe while the progress is being read.
        for line in process.stderr:
            display.display(line.rstrip("\n"))
        told = process.stdout.read()
    return process.returncode, json.loads(told) if told.strip() else {}, line.strip()
