"""A user in a file of users (Tomcat's tomcat-users.xml, htpasswd) as a target of rotation.

The host is asked through Ansible's own connection (module ``panshi_userfile``), which writes the file and logs in by
HTTP to what the server guards with it. Such a file holds one password per user: the old one ends with the new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from panshi.errors import PanshiError
from panshi.secret.linux import Ask
from panshi.secret.model import Entry, Slot
from panshi.secret.rotate import Answer


@dataclass(slots=True)
class FileUser:
    """One user.

    Args:
        host: its name in the inventory.
        account: name of the user.
        ask: the host, about this file.
        file: where it is.
        url: what a new login asks for.
    """

    host: str
    account: str
    ask: Ask
    file: str
    url: str
    _proven: str = field(default="", init=False, repr=False)

    def which(self, entry: Entry) -> Slot | None:
        """Compare the known passwords with what stands in the file: that costs no failed login."""
        told = self.ask(verb="look", account=self.account, known=entry.known())
        if told["state"] != "on":
            raise PanshiError(
                "PS-E7131",
                f"{self.host} 的 {self.file} 里的用户 {self.account} 不能轮换：{told['why'] or '没有这个用户'}",
                "按原因处理，或从 accounts_passwords 去掉；没有改动",
            )
        found: Slot | None = told["which"] or None
        return found

    def set(self, value: str) -> None:
        """Write the file."""
        self.ask(verb="set", account=self.account, password=value)

    def prove(self, value: str) -> Answer:
        """Log in anew, giving the server the time that it needs to read the file."""
        answer = self._login(value, expected=True)
        self._proven = value if answer.accepted else ""
        return answer

    def refused(self, value: str) -> Answer:
        """Try to log in, and then with the proven password, so that the server forgets the failure."""
        answer = self._login(value, expected=False)
        if self._proven:
            self._login(self._proven, expected=True)
        return answer

    def _login(self, value: str, *, expected: bool) -> Answer:
        told = self.ask(verb="login", account=self.account, password=value, expected=expected)
        return Answer(told["accepted"], f"HTTP 登录（{self.url}）", told["detail"])
