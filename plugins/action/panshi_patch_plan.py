"""Writes the plan of a patch run from what the hosts of the play have answered, or renders an edited plan again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden import estate
from panshi.harden.run import current_run
from panshi.inventory import plain
from panshi.patch import digest, load_plan, make_plan, save_plan
from panshi.patch.document import lines_of, write_workbook
from panshi.patch.document_docx import write_document
from panshi.patch.notice import load_notice
from panshi.record import utc_now

ROOT = Path(__file__).resolve().parents[2]
_SETTINGS = ("group", "order", "canary", "backup_hours", "share", "only")

display = Display()


class ActionModule(ActionBase):
    """Runs on the controller; the hosts have been asked before."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the plan and show it.

        Raises:
            AnsibleActionFail: PS-E61xx for a plan that cannot be written or read.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(
            {
                "answers": {"type": "str", "default": "patch_found"},
                "plan": {"type": "path"},
                "folder": {"type": "path"},
                "notice": {"type": "path"},
                "only": {"type": "list", "elements": "str", "default": []},
            }
        )
        try:
            path = self._revise(arguments) if arguments["plan"] else self._make(arguments, variables)
            plan = load_plan(path)
            workbook, document = write_workbook(plan), write_document(plan)
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        for line in lines_of(plan):
            display.display(line)
        sha256 = digest(plan.document)
        display.display(f"计划：{path}\n方案：{workbook}\n方案：{document}\n摘要（签字时写明）：{sha256}")
        files = {"plan": str(path), "workbook": str(workbook), "document": str(document)}
        result.update(changed=False, sha256=sha256, **files)
        return result

    def _make(self, arguments: dict[str, Any], variables: dict[str, Any]) -> Path:
        name, _ = estate.estate_of(variables)
        facts, settings = {}, {}
        for host in map(str, variables["ansible_play_hosts"]):
            own = variables["hostvars"][host]
            if "panshi_updates" not in own[arguments["answers"]]:
                continue  # not asked: nothing of the notice is on it
            facts[host] = plain(own[arguments["answers"]]["panshi_updates"])
            given = {key: own[f"patch_{key}"] for key in _SETTINGS if f"patch_{key}" in own}
            settings[host] = {key: plain(self._templar.template(value)) for key, value in given.items()}
            settings[host]["drained_by"] = _balancers(own, host)
            if arguments["only"]:
                settings[host]["only"] = arguments["only"]
        run, made = current_run(), f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"
        path = Path(arguments["folder"] or ROOT / "plans") / name / f"{run}.yml"
        document = make_plan(name, run, made, facts, settings)
        answered = set(map(str, variables["ansible_play_hosts"]))
        document["unreachable"] = sorted(set(map(str, variables["ansible_play_hosts_all"])) - answered)
        if arguments["notice"]:
            document["notice"] = load_notice(Path(arguments["notice"])).about
        save_plan(path, document)
        return path

    def _revise(self, arguments: dict[str, Any]) -> Path:
        return Path(arguments["plan"])


def _balancers(own: Mapping[str, Any], host: str) -> list[str]:
    """Return the other hosts on which commands drain a host or send it work again."""
    commands = [one for name in ("patch_host_drain", "patch_host_undrain") for one in plain(own.get(name) or [])]
    return sorted({str(one["host"]) for one in commands if isinstance(one, Mapping) and one.get("host")} - {host})
