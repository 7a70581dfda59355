"""Writes the plan of the access policies from what the devices of the play have answered."""

from __future__ import annotations

import getpass
import os
from datetime import date
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden import estate
from panshi.harden.run import current_run, record_payload
from panshi.inventory import plain
from panshi.network.plan import lines_of, save_plan
from panshi.network.policy.document import load_folder
from panshi.network.policy.review import plan_of
from panshi.record import SignedRow, utc_now

ROOT = Path(__file__).resolve().parents[2]
_SPEC = {
    "policies": {"type": "path", "required": True},
    "answers": {"type": "str", "required": True},
    "folder": {"type": "path"},
}

display = Display()


class ActionModule(ActionBase):
    """Runs on the controller, once; the devices have been asked before."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the plan and show it; nothing is written when there is nothing to do, or in check mode.

        Raises:
            AnsibleActionFail: PS-E8100 to PS-E8104, PS-E8108.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        own = variables["hostvars"]
        answers = {
            str(host): plain(own[host][arguments["answers"]])
            for host in variables["ansible_play_hosts"]
            if "commands" in own[host].get(arguments["answers"], {})
        }
        name, _ = estate.estate_of(variables)
        run = current_run()
        try:
            digests = {file.name: one.digest for file, one in load_folder(Path(arguments["policies"])).items()}
            plan = plan_of(
                digests,
                date.today(),
                answers,
                estate=name,
                run=run,
                made=f"{utc_now():%Y-%m-%dT%H:%M:%SZ}",
                operator=f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{os.uname().nodename}",
            )
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(changed=False, devices=list(plan.devices), plan="", sha256="")
        for line in lines_of(plan):
            display.display(line)
        if not plan.devices:
            display.display(f"{len(answers)} 台设备上的策略都与策略文件一致，没有要做的")
        elif not self._task.check_mode:
            path = Path(arguments["folder"] or ROOT / "plans") / name / f"{run}.yml"
            try:
                sha256 = save_plan(path, plan)
            except PanshiError as error:
                raise AnsibleActionFail(str(error)) from error
            display.display(f"计划：{path}\n摘要（批准时写明）：{sha256}")
            row = {"kind": SignedRow.kind, "sha256": sha256, "document": plan.document()}
            payload = record_payload(variables, self._templar.template, [row])
            result.update(plan=str(path), sha256=sha256, panshi_record=payload)
        return result
