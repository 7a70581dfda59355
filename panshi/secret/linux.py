"""A local account of a Linux host as a target of rotation.

The host is asked through Ansible's own connection (module ``panshi_password``, the password on standard input only);
new logins come from here, by SSH with the password alone, or, where sshd takes none, through the host's PAM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from panshi.errors import PanshiError
from panshi.secret.model import Entry, Slot
from panshi.secret.rotate import Answer, PolicyRefusal

# Calls the module panshi_password with these arguments and returns its result; raises PanshiError when it failed.
Ask = Callable[..., Mapping[str, Any]]
# Logs in anew as the account with a password, by SSH.
Login = Callable[[str], Answer]


@dataclass(slots=True)
class LinuxAccount:
    """One account.

    Args:
        host: its name in the inventory.
        account: name.
        ask: the host.
        login: from the controller; None where the host is not reached by SSH.
        changed: told the new password as soon as it is set: the connection itself may need it.
    """

    host: str
    account: str
    ask: Ask
    login: Login | None
    changed: Callable[[str], None] = lambda value: None
    _by_ssh: bool = field(default=False, init=False)
    _why_not: str = field(default="", init=False)

    def which(self, entry: Entry) -> Slot | None:
        """Compare the known passwords with the account's hash, on the host: that costs no failed login."""
        told = self.ask(verb="look", account=self.account, known=entry.known())
        if (problem := _unfit(told["state"], entry)) is not None:
            raise PanshiError("PS-E7012", f"{self.host} 的账户 {self.account} {problem[0]}，不轮换", problem[1])
        self._by_ssh = self.login is not None and told["ssh"]
        self._why_not = told["why"] if self.login is not None else "不经 SSH 连接"
        found: Slot | None = told["which"] or None
        return found

    def set(self, value: str) -> None:
        """Change the password through the host's PAM, so that its own rules are asked."""
        told = self.ask(verb="set", account=self.account, password=value)
        if told["refusal"]:
            raise PolicyRefusal(told["refusal"])
        self.changed(value)

    def prove(self, value: str) -> Answer:
        """Log in anew."""
        if self._by_ssh and self.login is not None:
            return self.login(value)
        told = self.ask(verb="login", account=self.account, password=value)
        return Answer(told["accepted"], f"主机 PAM（sshd 不收口令：{self._why_not}）", told["detail"])

    def refused(self, value: str) -> Answer:
        """Try to log in anew."""
        return self.prove(value)


_UNFIT = {
    "absent": ("不存在", "建立账户，或从 accounts_passwords 去掉"),
    "foreign": ("不是本机账户（不在 /etc/shadow）", "在账户所在的目录服务里更换"),
    "expired": ("已到期", "延长账户的有效期，或从 accounts_passwords 去掉"),
    "locked": ("已锁定", "先解锁，或从 accounts_passwords 去掉；更换密码会把它解锁"),
}


def _unfit(state: str, entry: Entry) -> tuple[str, str] | None:
    """Return why an account is left alone. One without a password gets its first; one that had one was locked since."""
    if state == "disabled" and entry.current is not None:
        return _UNFIT["locked"]
    return _UNFIT.get(state)
