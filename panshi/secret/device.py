"""A local account of a network device as a target of rotation.

A device has one password for an account at a time, and its configuration two states. So ``set`` is a whole change by
the transaction of ``panshi/network/change``: pushed, proven by a new login while the old session stays open, saved, or
taken back and proven to be. What a controller that died has left in between is taken back by ``which``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from panshi.errors import PanshiError
from panshi.network.account import password_lines
from panshi.network.account.model import Accounts
from panshi.network.account.reach import REFUSED, Reach
from panshi.network.change import ChangeFailed
from panshi.secret.model import Entry, Slot
from panshi.secret.rotate import Answer, PolicyRefusal

WAY = "设备 SSH 口令登录"
# A line was refused, or the commit.
_LINE_REFUSED = ("PS-E8041", "PS-E8047")


@dataclass(slots=True)
class DeviceAccount:
    """One account.

    Args:
        account: name.
        reach: the device, and who changes it.
    """

    account: str
    reach: Reach
    _accounts: Accounts = field(default_factory=dict, init=False)
    _proven: str = field(default="", init=False, repr=False)

    def which(self, entry: Entry) -> Slot | None:
        """Settle the device, and log in with the known passwords until one is taken: its hashes cannot be compared.

        At most two failed logins, with one that succeeds behind them.

        Raises:
            PanshiError: PS-E8154 the inventory would go on naming the old password.
        """
        if self.reach.literal and self.account == self.reach.device.user:
            raise PanshiError(
                "PS-E8154",
                f"设备 {self.reach.device.name} 的账户 {self.account} 是登录用的，而清单里写死了 ansible_password",
                "先用 panshi secret import 存入库，再去掉 ansible_password；没有改动",
            )
        self._accounts = self.reach.settle()
        password_lines(self._accounts, self.reach.device.platform, self.account, "-" * 8)
        return next((slot for slot, value in entry.known().items() if self.reach.lets_in(self.account, value)), None)

    def set(self, value: str) -> None:
        """Change it, prove it, save it."""
        lines = password_lines(self._accounts, self.reach.device.platform, self.account, value)
        try:
            self.reach.change(lines, self.account, value)
        except ChangeFailed as error:
            if error.proven and _not_taken(error):
                raise PolicyRefusal(error.message) from error
            raise

    def prove(self, value: str) -> Answer:
        """Log in anew."""
        accepted = self.reach.lets_in(self.account, value)
        self._proven = value if accepted else ""
        return Answer(accepted, WAY)

    def refused(self, value: str) -> Answer:
        """Try to log in, and then with the proven password: an account that is locked would refuse every one.

        Raises:
            PanshiError: PS-E8153 the proven one is not taken any more either.
        """
        accepted = self.reach.lets_in(self.account, value)
        if not accepted and not self.reach.lets_in(self.account, self._proven):
            raise PanshiError(
                "PS-E8153",
                f"设备 {self.reach.device.name} 的账户 {self.account} 刚证明过的新口令也不再被接受：账户可能被锁定",
                "等锁定期满后再运行，会从这里继续；新旧密码都在库里",
            )
        return Answer(accepted, WAY)


def _not_taken(error: ChangeFailed) -> bool:
    """Whether the device does not want this password: it refused a line, or took all of them and not the new login."""
    first = error.__cause__
    login = first.__cause__ if first is not None else None
    return error.cause in _LINE_REFUSED or (isinstance(login, PanshiError) and login.code == REFUSED)
