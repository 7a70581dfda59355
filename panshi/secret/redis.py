"""An ACL user of a Redis server (6 or later) as a target of rotation.

The host is asked through Ansible's own connection (module ``panshi_redis``), which speaks to the server on the host
itself, as its administrator. A user of Redis has any number of passwords, so the old one works until it is retired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from panshi.errors import PanshiError
from panshi.secret.linux import Ask
from panshi.secret.model import Entry, Slot
from panshi.secret.rotate import Answer

_UNFIT = {"absent": "没有这个用户", "off": "用户已停用（off）"}


@dataclass(frozen=True, slots=True)
class RedisUser:
    """One user.

    Args:
        host: its name in the inventory.
        account: name of the user.
        ask: the host.
        administer: options that name the administrator and hold its password, as the store knows it at the moment.
        where: how the server is reached there, in words.
    """

    host: str
    account: str
    ask: Ask
    administer: Callable[[], dict[str, object]]
    where: str

    def which(self, entry: Entry) -> Slot | None:
        """Compare the known passwords with the user's hashes, once the server was seen to keep changes for good."""
        told = self.ask(verb="look", account=self.account, known=entry.known(), **self.administer())
        if told["state"] != "on":
            why = told["why"] or _UNFIT[told["state"]]
            raise PanshiError(
                "PS-E7130",
                f"{self.host} 的 Redis（{self.where}）用户 {self.account} 不能轮换：{why}",
                "按原因处理，或从 accounts_passwords 去掉；没有改动",
            )
        found: Slot | None = told["which"] or None
        return found

    def set(self, value: str) -> None:
        """Add the password to those that the user has."""
        self.ask(verb="add", account=self.account, password=value, **self.administer())

    def retire(self, value: str) -> bool:
        """Leave the user this password alone."""
        told = self.ask(verb="keep", account=self.account, password=value, **self.administer())
        return bool(told["changed"])

    def prove(self, value: str) -> Answer:
        """Log in on a new connection."""
        told = self.ask(verb="login", account=self.account, password=value)
        return Answer(told["accepted"], f"新连接 AUTH（{self.where}）", told["detail"])

    def refused(self, value: str) -> Answer:
        """Try to log in on a new connection."""
        return self.prove(value)
