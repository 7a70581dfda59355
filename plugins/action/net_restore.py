"""Brings a network device back to a backup by a change with a way back; without a digest it only shows the change."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.network.archive import Archive
from panshi.network.backup import kept_key
from panshi.network.change import Change, change
from panshi.network.estate import changes_of, login_of, state_of
from panshi.network.restore import refuse_other, restore_of
from panshi.record import ChangeRow
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
        payload = record_payload(variables, self._templar.template, [])
        try:
            result.update(self._restored(variables, arguments, payload))
        except PanshiError as error:
            result.update(failed=True, msg=str(error), code=error.code)
        if not self._task.check_mode:
            result["panshi_record"] = payload
        return result

    def _restored(
        self, variables: dict[str, Any], arguments: dict[str, Any], payload: dict[str, Any]
    ) -> dict[str, Any]:
        template = self._templar.template
        store = store_of(variables, template)
        login = login_of(variables, template, store)
        device = login.device
        archive = Archive(state_of(variables, template), kept_key(store))
        commit = archive.commit_at(arguments["at"])
        kept = archive.whole(device.name, commit)
        with login.session() as session:
            wanted = restore_of(device.name, device.platform, session.running(), kept, commit)
        told = {
            "changed": bool(wanted.lines) and bool(self._task.check_mode),
            "commit": commit,
            "digest": wanted.digest,
            "commands": list(wanted.shown),
            "diff": {"before": wanted.before, "after": wanted.after, "prepared": "\n".join(wanted.shown)},
        }
        if not wanted.lines:
            display.display(f"{device.name}：运行配置与 {commit[:12]} 的备份相同，没有要恢复的")
            return told
        if self._task.check_mode or not arguments["digest"]:
            display.display("\n".join(f"{device.name}：{line}" for line in wanted.shown))
            display.display(f"{device.name}：以上 {len(wanted.lines)} 行恢复到 {commit[:12]}；摘要 {wanted.digest}")
            return told
        refuse_other(wanted, arguments["digest"], device.name)
        done = change(
            Change(wanted.lines, kept.running, minutes=arguments["minutes"]),
            login.session,
            state=changes_of(variables, template),
        )
        title = f"恢复到备份 {commit[:12]}：{done.lines} 行，{done.guard}，新登录核对后保存"
        row = ChangeRow(
            host=device.name,
            role="network_restore",
            resource="running-config",
            title=title,
            before=done.before,
            after=done.after,
        )
        payload["rows"] = [{"kind": row.kind, **asdict(row)}]
        display.display(f"{device.name}：{title}，{done.seconds:.0f} 秒")
        return {**told, "changed": True}
