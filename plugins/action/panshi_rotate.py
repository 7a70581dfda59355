"""Rotates the passwords and SSH keys of one host's accounts by the protocol of ``panshi/secret/rotate.py``."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.harden.run import current_run, record_payload
from panshi.inventory import plain
from panshi.record import RotationRow, utc_now
from panshi.secret.declared import Declared, connection_last
from panshi.secret.elsewhere import for_other_host
from panshi.secret.estate import accounts_of, store_of
from panshi.secret.key_file import KeyFile, read_key
from panshi.secret.keys import public_key
from panshi.secret.kinds import DEPENDENTS, KINDS
from panshi.secret.login import in_memory, in_one_line, key_login, password_login
from panshi.secret.model import Entry, SecretId, Slot
from panshi.secret.rotate import Answer, Dependent, Order, due, imported, rotate, rotation_row
from panshi.secret.store import Store

if TYPE_CHECKING:
    from panshi.network.account.reach import Reach

_CHANGES = ("set", "dependent", "retired", "promoted")


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
            said = in_one_line(str(error))
            self._tell_failed(said)
            result.update(unreachable=True, msg=said)
        result["changed"] = any(row.event in _CHANGES for row in self._rows)
        rows = [{"kind": row.kind, **asdict(row)} for row in self._rows]
        if rows:
            result["panshi_record"] = record_payload(self._variables, self._templar.template, rows)
        return result

    def _rotate(self, due_only: bool, ticket: str) -> None:
        store = store_of(self._variables, self._templar.template)
        accounts = accounts_of(self._variables, self._templar.template)
        carrying = _Carrying(self._connection, self._play_context)
        if self._task.check_mode:
            return
        with ExitStack() as held:
            for scope in sorted({one.secret.scope for one in accounts}):
                held.enter_context(store.hold(scope))
            local = [one.secret for one in accounts if one.secret.target == "linux"]
            self._reach(carrying, {secret.account: store.read(secret) for secret in local})
            carrier = next((one.secret for one in accounts if _is_carrier(one, carrying)), None)
            if carrier is not None:
                self._reach_by_key(carrying, store.read(carrier), held)
            means = _Means(self, carrying, store)
            for one in connection_last(accounts, carrying.accounts):
                entry = self._at = store.read(one.secret)
                if due_only and not due(entry, one.max_age_days, utc_now()):
                    continue
                dependents = [DEPENDENTS[each.kind].make(one, each, means.on(each.host)) for each in one.dependents]
                if one.secret == carrier:
                    entry = self._at = self._taken_over(store, carrying, entry, ticket)
                    dependents += _key_file(carrying, entry)
                target = KINDS[one.secret.target].make(one, entry, means)
                order = Order(one.policy, ticket, current_run())
                rotate(store, target, entry, order, self._rows.append, dependents)
            self._at = None

    def _taken_over(self, store: Store, carrying: _Carrying, entry: Entry, ticket: str) -> Entry:
        """Store the key by which the connection logs in, when the store knows none yet: it is the one to be replaced.

        Raises:
            PanshiError: PS-E7292, PS-E7293 it cannot be rotated, or not read; PS-E7294 it is in no file.
        """
        carrying.need_key_file(str(entry.secret))
        if carrying.key_file is None or entry.current is not None or entry.pending is not None:
            return entry
        entry = store.write(replace(entry, current=imported(read_key(carrying.key_file), ticket)))
        assert entry.current is not None
        said = f"取自 {carrying.key_file}"
        self._rows.append(rotation_row(entry, "imported", entry.current.id, detail=said))
        return entry

    def _reach_by_key(self, carrying: _Carrying, entry: Entry, held: ExitStack) -> None:
        """Find the key that the connection has to use now, when its rotation did not come to its end.

        The file that the inventory names holds one that works, unless somebody has put another one there since.

        Raises:
            PanshiError: PS-E7011 neither that one nor those that the store knows lets the connection in.
        """
        if entry.pending is None or carrying.key_file is None:
            return
        failures = []
        for path in (str(carrying.key_file), *(held.enter_context(in_memory(one)) for one in entry.known().values())):
            carrying.log_in_by(path)
            try:
                self.ask("panshi_password", verb="look", account=carrying.user)
                return
            except (AnsibleError, PanshiError) as error:
                failures.append(in_one_line(str(error)))
        self._at = entry
        raise _unreachable(entry, "密钥", failures[0])

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
                    self.ask("panshi_password", verb="look", account=account)
                    break
                except (AnsibleError, PanshiError) as error:
                    failures.append(in_one_line(str(error)))
            else:
                self._at = entry
                raise _unreachable(entry, "密码", failures[0])

    def ask(self, module: str, /, **arguments: Any) -> Mapping[str, Any]:
        """Run a module on the host of this action's connection, nothing of its arguments on the host's disk.

        Raises:
            PanshiError: PS-E7015 they would be; PS-E7013 it failed.
            AnsibleConnectionFailure: the host does not answer.
        """
        if not self._connection.is_pipelining_enabled():
            raise PanshiError(
                "PS-E7015",
                "Ansible 的 pipelining 没有启用，密码会写进目标上的临时文件",
                "启用 pipelining（ansible.cfg 的默认），不要设 ANSIBLE_KEEP_REMOTE_FILES；没有改动这台目标",
            )
        answer: dict[str, Any] = self._execute_module(module, module_args=arguments, task_vars=self._variables)
        if answer.get("unreachable"):
            raise AnsibleConnectionFailure(str(answer.get("msg", "")))
        if answer.get("failed"):
            host, said = self._variables["inventory_hostname"], in_one_line(str(answer.get("msg", "")))
            raise PanshiError(
                "PS-E7013", f"主机 {host} 上的操作没有完成：{said}；已存的密码都在库里", "按原因处理后再运行"
            )
        return answer

    def ssh_login(self, account: str) -> Callable[[str], Answer] | None:
        """Return what logs in to the host anew as an account."""
        if self._connection._load_name != "ssh":
            return None
        return password_login(self._variables, self._templar.template, self._play_context, account)

    def key_login(self, account: str) -> Callable[[str], Answer] | None:
        """Return what logs in to the host anew as an account with a private key."""
        if self._connection._load_name != "ssh":
            return None
        return key_login(self._variables, self._templar.template, self._play_context, account)

    def device(self, store: Store) -> Reach:
        """Return how the network device is reached that this action is for."""
        # Here, since netmiko takes longer to load than everything else of a rotation.
        from panshi.network.estate import reach_of

        return reach_of(self._variables, self._templar.template, store)

    def for_other_host(self, host: str) -> ActionModule:
        """Return this action for another host."""
        other: ActionModule = for_other_host(self, host, self._variables)
        return other

    def _tell_failed(self, said: str) -> None:
        if self._at is not None:
            self._rows.append(rotation_row(self._at, "failed", detail=said))


def _is_carrier(one: Declared, carrying: _Carrying) -> bool:
    """Return whether an account's key may be the one that the connection logs in with."""
    return bool(one.secret.target == "ssh_key" and one.secret.account == carrying.user)


def _key_file(carrying: _Carrying, entry: Entry) -> list[Dependent]:
    """Return the file that the connection takes this key from, unless it logs in with one of another entry."""
    path = carrying.key_file
    if path is None:
        return []
    held = public_key(read_key(path), str(path))
    if held not in map(public_key, entry.known().values()):
        return []
    return [KeyFile(path, lambda: carrying.log_in_by(str(path)))]


def _unreachable(entry: Entry, word: str, said: str) -> PanshiError:
    return PanshiError(
        "PS-E7011",
        f"{entry.secret} 的轮换上次中断，库里的{word}都连不上这台主机：{said}",
        f"检查网络与账户是否被锁定；新旧{word}都在库里，从控制台登录后再运行",
    )


class _Means:
    """What targets and dependents of a host may do; see ``panshi/secret/kinds.py``."""

    def __init__(self, action: ActionModule, carrying: _Carrying, store: Store) -> None:
        self._action = action
        self._carrying = carrying
        self._store = store
        self.ask = action.ask
        self.ssh_login = action.ssh_login
        self._others: dict[str, _Elsewhere] = {}

    def on(self, host: str) -> Callable[..., Mapping[str, Any]]:
        """Return what asks another host, or this one."""
        return self.ask if self._is_here(host) else self._other(host).ask

    def key_login(self, host: str, account: str) -> Callable[[str], Answer] | None:
        """Return what logs in anew to another host, or to this one."""
        return self._action.key_login(account) if self._is_here(host) else self._other(host).key_login(account)

    def _is_here(self, host: str) -> bool:
        return bool(host == self._action._variables["inventory_hostname"])

    def _other(self, host: str) -> _Elsewhere:
        return self._others.setdefault(host, _Elsewhere(self._action, host))

    def known(self, secret: SecretId) -> Mapping[Slot, str]:
        """Return what the store knows of another account."""
        return self._store.read(secret).known()

    def device(self) -> Reach:
        """Return how the network device is reached that this action is for."""
        return self._action.device(self._store)

    def carry(self, account: str, known: set[str], value: str) -> None:
        """Give the connection a new password."""
        self._carrying.use(account, known, value)


class _Elsewhere:
    """Another host: connected to when it is first asked, and an error where it does not answer.

    The host of the task is not lost with it, so that what is not done there can be told and done by the next run.
    """

    def __init__(self, action: ActionModule, host: str) -> None:
        self._here = action
        self._host = host
        self._there: ActionModule | None = None

    def ask(self, module: str, /, **arguments: Any) -> Mapping[str, Any]:
        """Run a module there."""
        try:
            return self._action().ask(module, **arguments)
        except AnsibleError as error:
            raise PanshiError(
                "PS-E7013",
                f"主机 {self._host} 上的操作没有完成：{in_one_line(str(error))}；已存的密码都在库里",
                "按原因处理后再运行",
            ) from None

    def key_login(self, account: str) -> Callable[[str], Answer] | None:
        """Return what logs in there anew."""
        return self._action().key_login(account)

    def _action(self) -> ActionModule:
        if self._there is None:
            self._there = self._here.for_other_host(self._host)
        return self._there


class _Carrying:
    """The accounts by which Ansible's connection gets in and becomes root, and their passwords in it."""

    def __init__(self, connection: Any, context: Any) -> None:
        self._connection = connection
        become = connection.become
        user = self._option("remote_user") or context.remote_user or getpass.getuser()
        self._raised = str(context.become_user or "root") if become is not None and become.name == "su" else str(user)
        self.user = str(user)
        self.key_file = Path(named).expanduser() if (named := self._option("private_key_file")) else None
        # No password is tried or set twice; the next run goes on where this one ends.
        if self._option("reconnection_retries") is not None:
            connection.set_option("reconnection_retries", 0)
        # In the order of their rotation: who logs in goes last.
        self.accounts = [*([self._raised] if self._raised != self.user else []), self.user]

    def need_key_file(self, secret: str) -> None:
        """Refuse where the connection's key could not be replaced together with what the host takes.

        Raises:
            PanshiError: PS-E7294.
        """
        if self._option("private_key") or (self.key_file is None and not self._option("password")):
            raise PanshiError(
                "PS-E7294",
                f"{secret} 是连接用的账户，而它的密钥不在 ansible_ssh_private_key_file 指明的文件里",
                "写明 ansible_ssh_private_key_file（不用 ssh-agent、默认文件、ansible_ssh_private_key）；没有改动",
            )

    def log_in_by(self, path: str) -> None:
        """Let the connection log in with the private key of a file."""
        self._connection.set_option("private_key_file", path)

    def use(self, account: str, known: set[str], value: str) -> bool:
        """Let the connection use a password wherever it uses one of these; return whether it does."""
        used = False
        if account == self.user and self._option("password") in known:
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
