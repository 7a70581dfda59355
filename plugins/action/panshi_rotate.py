"""Rotates the passwords of one host's accounts by the protocol of ``panshi/secret/rotate.py`` (docs/design.md, 9)."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.harden.run import current_run, record_payload
from panshi.inventory import plain
from panshi.record import RotationRow, utc_now
from panshi.secret.declared import Declared, connection_last
from panshi.secret.estate import accounts_of, store_of
from panshi.secret.linux import LinuxAccount
from panshi.secret.login import password_login
from panshi.secret.model import Entry
from panshi.secret.rotate import Order, due, rotate, rotation_row

_MODULE = "panshi_password"


class ActionModule(ActionBase):
    """The protocol runs here; the host sees one call to look, one to set, and new logins."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Rotate, and return what happened; on a failure what happened until then."""
        self._variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, self._variables)
        spec = {"due_only": {"type": "bool", "default": False}, "ticket": {"type": "str", "default": ""}}
        _, arguments = self.validate_argument_spec(spec)
        self._rows: list[RotationRow] = []
        self._at: Entry | None = None
        try:
            self._rotate(arguments["due_only"], str(plain(arguments["ticket"])))
        except PanshiError as error:
            self._tell_failed(f"{error.code} {error.message}")
            result.update(failed=True, msg=str(error))
        except AnsibleConnectionFailure as error:
            said = str(error).splitlines()[0]
            self._tell_failed(said)
            result.update(unreachable=True, msg=said)
        result["changed"] = any(row.event in ("set", "promoted") for row in self._rows)
        rows = [{"kind": row.kind, **asdict(row)} for row in self._rows]
        if rows:
            result["panshi_record"] = record_payload(self._variables, self._templar.template, rows)
        return result

    def _rotate(self, due_only: bool, ticket: str) -> None:
        host = str(self._variables["inventory_hostname"])
        store = store_of(self._variables, self._templar.template)
        accounts = accounts_of(self._variables, self._templar.template)
        carrying = _Carrying(self._connection, self._play_context)
        if self._task.check_mode:
            return
        with store.hold(host):
            self._reach(carrying, {one.secret.account: store.read(one.secret) for one in accounts})
            for one in connection_last(accounts, carrying.accounts):
                entry = self._at = store.read(one.secret)
                if due_only and not due(entry, one.max_age_days, utc_now()):
                    continue
                order = Order(one.policy, ticket, current_run())
                rotate(store, self._target(one, entry, carrying), entry, order, self._rows.append)
            self._at = None

    def _target(self, one: Declared, entry: Entry, carrying: _Carrying) -> LinuxAccount:
        account = one.secret.account
        login = None
        if self._connection._load_name == "ssh":
            login = password_login(self._variables, self._templar.template, self._play_context, account)
        known = set(entry.known().values())
        return LinuxAccount(
            one.secret.scope, account, self._ask, login, lambda value: carrying.use(account, known, value)
        )

    def _reach(self, carrying: _Carrying, entries: Mapping[str, Entry]) -> None:
        """Find the password that the connection itself has to use now, when its rotation did not come to its end.

        Raises:
            PanshiError: PS-E7011 none of those that the store knows lets the connection in.
        """
        for account in carrying.accounts:
            entry = entries.get(account)
            if entry is None or entry.pending is None:
                continue
            known = entry.known()
            failures = []
            for value in known.values():
                if not carrying.use(account, set(known.values()), value):
                    break
                try:
                    self._ask(verb="look", account=account)
                    break
                except (AnsibleError, PanshiError) as error:
                    failures.append(str(error).splitlines()[0])
            else:
                self._at = entry
                raise PanshiError(
                    "PS-E7011",
                    f"{entry.secret} 的轮换上次中断，库里的密码都连不上这台主机：{failures[0]}",
                    "检查网络与账户是否被锁定；新旧密码都在库里，从控制台登录后再运行",
                )

    def _ask(self, **arguments: Any) -> Mapping[str, Any]:
        if not self._connection.is_pipelining_enabled():
            raise PanshiError(
                "PS-E7015",
                "Ansible 的 pipelining 没有启用，密码会写进目标上的临时文件",
                "启用 pipelining（ansible.cfg 的默认），不要设 ANSIBLE_KEEP_REMOTE_FILES；没有改动这台目标",
            )
        answer: dict[str, Any] = self._execute_module(_MODULE, module_args=arguments, task_vars=self._variables)
        if answer.get("unreachable"):
            raise AnsibleConnectionFailure(str(answer.get("msg", "")))
        if answer.get("failed"):
            host, said = self._variables["inventory_hostname"], str(answer.get("msg", "")).splitlines()[0][:300]
            raise PanshiError(
                "PS-E7013", f"主机 {host} 上的操作没有完成：{said}；已存的密码都在库里", "按原因处理后再运行"
            )
        return answer

    def _tell_failed(self, said: str) -> None:
        if self._at is not None:
            self._rows.append(rotation_row(self._at, "failed", detail=said))


class _Carrying:
    """The accounts by which Ansible's connection gets in and becomes root, and their passwords in it."""

    def __init__(self, connection: Any, context: Any) -> None:
        self._connection = connection
        become = connection.become
        user = self._option("remote_user") or context.remote_user or getpass.getuser()
        self._raised = str(context.become_user or "root") if become is not None and become.name == "su" else str(user)
        self._user = str(user)
        # No password is tried or set twice; the next run goes on where this one ends.
        if self._option("reconnection_retries") is not None:
            connection.set_option("reconnection_retries", 0)
        # In the order of their rotation: who logs in goes last.
        self.accounts = [*([self._raised] if self._raised != self._user else []), self._user]

    def use(self, account: str, known: set[str], value: str) -> bool:
        """Let the connection use a password wherever it uses one of these; return whether it does."""
        used = False
        if account == self._user and self._option("password") in known:
            self._connection.set_option("password", value)
            used = True
        become = self._connection.become
        if account == self._raised and become is not None and become.get_option("become_pass") in known:
            become.set_option("become_pass", value)
            used = True
        return used

    def _option(self, name: str) -> Any:
        try:
            return self._connection.get_option(name)
        except KeyError:
            return None
