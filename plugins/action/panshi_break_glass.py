"""Whether a host's break-glass accounts were used, from its own records (docs/design.md, 9); changes nothing there."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.record import RotationRow
from panshi.secret.estate import break_glass_of, store_of
from panshi.secret.glass import begun, judged, since_of
from panshi.secret.model import Entry
from panshi.secret.rotate import rotation_row

_MODULE = "panshi_logins"
display = Display()


class ActionModule(ActionBase):
    """Looks, and keeps in the store what it has found; ``begin`` names the versions whose watch begins now."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look; the result's ``used`` names the accounts that were used."""
        self._variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, self._variables)
        spec = {"begin": {"type": "list", "elements": "str"}}
        _, arguments = self.validate_argument_spec(spec)
        rows: list[RotationRow] = []
        try:
            self._look(arguments["begin"], rows)
        except PanshiError as error:
            result.update(failed=True, msg=str(error))
        except AnsibleConnectionFailure as error:
            result.update(unreachable=True, msg=str(error).splitlines()[0])
        result.update(changed=False, used=[row.account for row in rows if row.event == "used"])
        if rows:
            kept = [{"kind": row.kind, **asdict(row)} for row in rows]
            result["panshi_record"] = record_payload(self._variables, self._templar.template, kept)
        return result

    def _look(self, begin: list[str] | None, rows: list[RotationRow]) -> None:
        host = str(self._variables["inventory_hostname"])
        accounts = break_glass_of(self._variables, self._templar.template)
        self._refuse_own({one.secret.account for one in accounts})
        store = store_of(self._variables, self._templar.template)
        with store.hold(host):
            # An unfinished rotation is due as it is, and its logins are its own.
            entries = [
                entry
                for entry in (store.read(one.secret) for one in accounts)
                if entry.current is not None and entry.pending is None and (begin is None or entry.current.id in begin)
            ]
            if not entries:
                return
            told = self._ask({entry.secret.account: _seconds(since_of(entry)) for entry in entries})
            for entry in entries:
                logins = told["logins"][entry.secret.account]
                if begin is None and not logins and not 0 < told["from"] <= _seconds(since_of(entry)):
                    raise _blind(entry)
                look = begun(entry, told["now"]) if begin is not None else judged(entry, logins, told["now"])
                if look.entry != entry and not self._task.check_mode:
                    store.write(look.entry)
                version = entry.current.id if entry.current else ""
                row = rotation_row(entry, look.event, version, look.way, look.detail, look.time)
                rows.append(row)
                if look.event == "used":
                    display.warning(f"应急账户 {entry.secret} 已使用：{look.time} {look.way}；到期，请轮换")

    def _refuse_own(self, accounts: set[str]) -> None:
        """Refuse the account of the connection: every run would be its use.

        Raises:
            PanshiError: PS-E7250.
        """
        user = self._connection.get_option("remote_user") or self._play_context.remote_user or getpass.getuser()
        if user in accounts:
            raise PanshiError(
                "PS-E7250",
                f"主机 {self._variables['inventory_hostname']} 的应急账户 {user} 也是 Ansible 自己登录用的账户",
                "换一个只在应急时用的账户",
            )

    def _ask(self, accounts: Mapping[str, int]) -> Mapping[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            _MODULE, module_args={"accounts": accounts}, task_vars=self._variables
        )
        if answer.get("unreachable"):
            raise AnsibleConnectionFailure(str(answer.get("msg", "")))
        if answer.get("failed"):
            said = str(answer.get("msg", "")).splitlines()[0][:300]
            raise PanshiError(
                "PS-E7251",
                f"主机 {self._variables['inventory_hostname']} 的登录记录没有读成：{said}",
                "按原因处理后再运行；没有读成不等于没有使用",
            )
        return answer


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _blind(entry: Entry) -> PanshiError:
    return PanshiError(
        "PS-E7252",
        f"{entry.secret} 是否用过无法判断：主机上没有 {since_of(entry)} 以来完整的登录日志",
        "保留日志（journald 持久化，或 rsyslog 的 auth.log、secure）；怀疑用过时直接轮换",
    )
