"""Brings a network device back to a backup by a change with a way back; without a digest it only shows the change."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.network.archive import Archive
from panshi.network.backup import kept_key
from panshi.network.change import settle
from panshi.network.estate import Login, changes_of, login_of, state_of
from panshi.network.intent import Found, Intent, carry_out, look
from panshi.network.restore import digest_of, intent_of, refuse_other
from panshi.network.task import outcome
from panshi.record import NetworkChangeRow
from panshi.secret.estate import store_of

_SPEC = {
    "at": {"type": "str", "default": ""},
    "digest": {"type": "str", "default": ""},
    "minutes": {"type": "int", "default": 5},
}
display = Display()


class ActionModule(ActionBase):
    """Runs for one device, on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the commands, the commit and the digest; ``changed`` says whether they are, or would be, typed."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        self._row: NetworkChangeRow | None = None
        try:
            result.update(self._restored(variables, arguments))
        except PanshiError as error:
            result.update(failed=True, msg=str(error), code=error.code)
            if self._row is not None:
                self._row = replace(self._row, **outcome(True, None, error))
        if not self._task.check_mode:
            told = [] if self._row is None else [{"kind": self._row.kind, **asdict(self._row)}]
            result["panshi_record"] = record_payload(variables, self._templar.template, told)
        return result

    def _restored(self, variables: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
        template = self._templar.template
        store = store_of(variables, template)
        login = login_of(variables, template, store)
        name, state = login.device.name, changes_of(variables, template)
        settle(name, login.session, state=state, reading=self._task.check_mode or not arguments["digest"])
        archive = Archive(state_of(variables, template), kept_key(store))
        commit = archive.commit_at(arguments["at"])
        intent = intent_of(archive.whole(name, commit), name, login.device.platform)
        found = look(login, intent)
        self._row = _row(name, found)
        digest = digest_of(name, commit, found)
        if not found.commands:
            display.display(f"{name}：运行配置与 {commit[:12]} 的备份相同，没有要恢复的")
        elif self._task.check_mode or not arguments["digest"]:
            display.display("\n".join(f"{name}：{line}" for line in found.shown))
            display.display(f"{name}：以上 {len(found.shown)} 行恢复到 {commit[:12]}；摘要 {digest}")
        else:
            refuse_other(arguments["digest"], digest, name)
            self._row = replace(self._row, plan=digest)
            self._carry_out(login, intent, found, state, arguments["minutes"])
            display.display(f"{name}：已恢复到 {commit[:12]}，{len(found.shown)} 行，新登录核对后保存")
        return {
            "changed": bool(found.commands) if self._task.check_mode else self._row.state == "changed",
            "commit": commit,
            "digest": digest,
            "commands": list(found.shown),
            "diff": {"before": found.before, "after": found.after, "prepared": "\n".join(found.shown)},
        }

    def _carry_out(self, login: Login, intent: Intent, found: Found, state: Path, minutes: int) -> None:
        began = time.monotonic()
        steps: list[dict[str, Any]] = []

        def tell(step: str, detail: str) -> None:
            steps.append({"step": step, "detail": detail, "seconds": round(time.monotonic() - began, 3)})

        assert self._row is not None
        self._row = replace(self._row, steps=steps)
        done = carry_out(login, intent, found, state=state, minutes=minutes, probes=(), tell=tell)
        self._row = replace(self._row, seconds=round(done.seconds, 3), **outcome(True, done, None))


def _row(host: str, found: Found) -> NetworkChangeRow:
    """Return what is recorded of a device that was read."""
    return NetworkChangeRow(
        host=host,
        platform=found.platform,
        commands=found.shown,
        differences=found.differences,
        before=found.running,
        **outcome(bool(found.commands), None, None),
    )
