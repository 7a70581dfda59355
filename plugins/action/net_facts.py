"""Reads what the network devices of the batch say of themselves, all at once; changes nothing on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.inventory import plain
from panshi.network.estate import Login, logins_of
from panshi.network.fleet import FORKS, each
from panshi.network.look import Look, look, only_reads
from panshi.record import safe_name

_SPEC = {
    "commands": {"type": "dict", "default": {}},
    "transcripts": {"type": "path"},
    "forks": {"type": "int", "default": FORKS},
}


class ActionModule(ActionBase):
    """Runs once for the batch (``run_once: true``), on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``results`` by device; one that failed is told there and fails nobody else.

        Raises:
            AnsibleActionFail: PS-E8057 a command does not only read.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        commands: Mapping[str, Sequence[str]] = plain(arguments["commands"])
        folder = Path(arguments["transcripts"]) if arguments["transcripts"] and not self._task.check_mode else None
        try:
            _read_only(commands)
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (PanshiError, OSError) as error:
            raise AnsibleActionFail(str(error)) from error
        logins, refused = logins_of(variables, self._templar.template)

        def one(login: Login) -> Look:
            device = login.device
            transcript = folder / f"{safe_name(device.name)}.txt" if folder else None
            return look(login, commands.get(device.platform, []), transcript)

        outcomes = {login.device.name: outcome for login, outcome in each(logins, one, arguments["forks"]).items()}
        errors = {**refused, **{name: one.error for name, one in outcomes.items() if one.error is not None}}
        told = {
            name: {"ok": True, "msg": "", **asdict(one.value)}
            for name, one in outcomes.items()
            if one.value is not None
        }
        told |= {name: {"ok": False, "code": error.code, "msg": str(error)} for name, error in errors.items()}
        return {**result, "changed": False, "ok": not errors, "results": told}


def _read_only(commands: Mapping[str, Sequence[str]]) -> None:
    """Refuse what could change a device.

    Raises:
        PanshiError: PS-E8057.
    """
    wrong = [command for group in commands.values() for command in group if not only_reads(command)]
    if wrong:
        raise PanshiError(
            "PS-E8057", f"不是只读命令：{wrong[0][:60]}", "只用 display、show、dir 开头的一行；没有连接设备"
        )
