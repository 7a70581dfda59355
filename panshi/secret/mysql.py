"""Accounts of MariaDB and MySQL, and replicas that log in with one.

The server is asked on its own host, through Ansible's own connection, by the module ``panshi_mysql``; new logins are
made there too, by every way that a host pattern of the account allows from that host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from panshi.errors import PanshiError
from panshi.secret.model import Entry, Slot
from panshi.secret.rotate import Answer, PolicyRefusal

# Runs the module panshi_mysql on the server's host with these arguments and returns its result.
Ask = Callable[..., Mapping[str, Any]]

_NAME = re.compile(r"[\w.$-]{1,80}")
_PATTERN = re.compile(r"[\w.:%/-]{1,255}")


def name_problem(account: str, at: Mapping[str, Any]) -> str:
    """Return what is wrong with an account's name, ``user`` or ``user@host pattern``, or an empty text."""
    user, found, pattern = account.rpartition("@")
    if not found:
        user, pattern = account, "%"
    fits = _NAME.fullmatch(user) and _PATTERN.fullmatch(pattern)
    return "" if fits else "account 应为 用户名，或 用户名@主机模式（字母、数字、._$- 与模式里的 %_:/）"


@dataclass(frozen=True, slots=True)
class DatabaseAccount:
    """One account, with all its host patterns unless its name has one.

    Args:
        host: of the server, its name in the inventory.
        account: ``user`` or ``user@pattern``.
        at: options of the declaration.
        ask: the host.
    """

    host: str
    account: str
    at: Mapping[str, Any]
    ask: Ask

    def which(self, entry: Entry) -> Slot | None:
        """Compare hashes, or, where they cannot be compared, try logins: the password that should work first."""
        told = self._ask("look", known=entry.known())
        if told["state"] != "fit":
            code, problem, what_to_do = _UNFIT[told["state"]]
            why = f"（{told['why']}）" if told["why"] else ""
            raise PanshiError(code, f"{self.host} 的数据库账户 {self.account} {problem}{why}，不轮换", what_to_do)
        found: Slot | None = told["which"] or None
        return found

    def set(self, value: str) -> None:
        """Set it, beside the old one where the server can have both."""
        told = self._ask("set", password=value)
        if told["refusal"]:
            raise PolicyRefusal(told["refusal"])

    def retire(self, value: str) -> bool:
        """Take the old one out of the account."""
        return bool(self._ask("retire", password=value)["retired"])

    def prove(self, value: str) -> Answer:
        """Log in anew for every host pattern."""
        return proven(self._ask("login", password=value)["logins"])

    def refused(self, value: str) -> Answer:
        """Try to log in anew: no host pattern may take it."""
        answers = self._ask("login", password=value)["logins"]
        return proven([one for one in answers if one["accepted"]] or answers)

    def _ask(self, verb: str, **arguments: Any) -> Mapping[str, Any]:
        return self.ask(verb=verb, account=self.account, **self.at, **arguments)


def proven(answers: list[Mapping[str, Any]]) -> Answer:
    """Return what logins for several host patterns come to together."""
    by_login = [one["row"] for one in answers if one["by"] == "login"]
    by_hash = [one["row"] for one in answers if one["by"] == "hash"]
    ways = [f"数据库登录 {'、'.join(by_login)}"] if by_login else []
    # No login from the server's own host counts as such a pattern.
    ways += [f"服务器上的散列 {'、'.join(by_hash)}（从数据库主机登录不到这些模式）"] if by_hash else []
    failed = [f"{one['row']} {one['detail']}".strip() for one in answers if not one["accepted"]]
    return Answer(bool(answers) and not failed, "；".join(ways) or "没有办法登录", "；".join(failed))


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica that logs in to its source as the account.

    Args:
        host: of the replica.
        account: whose password it has.
        channel: name of the connection, where it has one.
        at: options of the replica's own server.
        ask: its host.
    """

    host: str
    account: str
    channel: str
    at: Mapping[str, Any]
    ask: Ask

    def __str__(self) -> str:
        """Return its host."""
        return f"{self.host} 的复制"

    def ready(self, known: Mapping[Slot, str]) -> None:
        """Refuse a server that is no replica of this account; or stands still, unless an earlier run may be why."""
        status = self._ask("replica")["status"]
        user = self.account.rpartition("@")[0] or self.account
        if not status:
            raise PanshiError(
                "PS-E7104", f"{self.host} 不是从库，不能更新它的复制密码", "改正 dependents；没有改动任何目标"
            )
        if status["user"] != user:
            raise PanshiError(
                "PS-E7104",
                f"{self.host} 以账户 {status['user']} 复制，不是 {user}",
                "改正 dependents；没有改动任何目标",
            )
        if "pending" not in known and (status["io"], status["sql"]) != ("Yes", "Yes"):
            raise PanshiError(
                "PS-E7104", f"{self.host} 的复制没有在运行（{told(status)}）", "先修好复制；没有改动任何目标"
            )

    def update(self, known: Mapping[Slot, str], value: str) -> Answer:
        """Stop, change, start, and wait until both threads run: the connection is a new one, with the new password."""
        status = self._ask("follow", password=value)["status"]
        return Answer((status["io"], status["sql"]) == ("Yes", "Yes"), "复制线程重新登录", told(status))

    def _ask(self, verb: str, **arguments: Any) -> Mapping[str, Any]:
        return self.ask(verb=verb, account=self.account, channel=self.channel, **self.at, **arguments)


def told(status: Mapping[str, str]) -> str:
    """Return how a replica stands, in one line."""
    threads = f"接收线程 {status['io']}，应用线程 {status['sql']}"
    # A statement that did not work is quoted in the error, and may be one with a password.
    error = re.split(r" on query\b|Query:", status["error"])[0]
    return f"{threads}，{error}" if error else threads


_UNFIT = {
    "unasked": (
        "PS-E7102",
        "问不到：以 root 登录本机数据库没有成功",
        "让操作系统的 root 能以套接字登录，或写明 at.socket",
    ),
    "unsupported": ("PS-E7102", "所在的数据库版本不支持", "支持 MariaDB 10.4、MySQL 5.7 起；更早的由 DBA 更换"),
    "absent": ("PS-E7103", "不存在", "建立账户，或从 accounts_passwords 去掉"),
    "locked": ("PS-E7103", "已锁定", "先解锁，或从 accounts_passwords 去掉"),
    "expired": ("PS-E7103", "的密码已被设为过期", "由 DBA 处理过期后再轮换"),
    "plugin": ("PS-E7103", "的登录方式不能轮换", "从 accounts_passwords 去掉，或由 DBA 改为一种密码登录"),
    "replica": ("PS-E7103", "所在的是从库", "在它的主库上声明这个账户；从库上的会被主库的覆盖或使复制中断"),
    "different": ("PS-E7103", "的几个主机模式现在的密码不同", "各自声明为 用户名@主机模式，或由 DBA 先统一"),
    "unprovable": (
        "PS-E7103",
        "有主机模式既不能从数据库主机登录，散列又不能比对",
        "给账户加一个能从数据库主机登录的模式",
    ),
}
