"""How a device is reached while passwords of its accounts change: by whichever of the known ones works just now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from panshi.errors import PanshiError
from panshi.network.account.model import Accounts, read_accounts
from panshi.network.change import Change, Changed, Login, Probe, change
from panshi.network.session import Device, Session, open_device

REFUSED = "PS-E8031"
# The password was taken, and the privileged mode was not: so is an account of a low level let in.
_NOT_PRIVILEGED = "PS-E8037"
# Minutes until a device goes back by itself: a change of accounts is a few lines, and some platforms can only wait.
_MINUTES = 2


@dataclass(slots=True)
class Reach:
    """One device, and the administrator as whom it is changed.

    Args:
        device: as the administrator logs in to it.
        passwords: that the administrator may have at this moment, the likeliest first; asked for each login anew.
        state: folder of the estate's change journals.
        enable: password of the privileged mode.
        literal: the inventory names the administrator's password itself, so that it could not follow a change.
        pause: seconds between two attempts to log in while a change is taken back.
    """

    device: Device
    passwords: Callable[[], Sequence[str]] = field(repr=False)
    state: Path
    enable: str = field(default="", repr=False)
    literal: bool = False
    pause: float = 5.0
    _last: str = field(default="", init=False, repr=False)

    @contextmanager
    def login(self) -> Iterator[Session]:
        """Open a session as the administrator; each password that is not taken costs a failed login.

        Raises:
            PanshiError: as ``open_device``; PS-E8031 when the device takes none of the passwords.
        """
        with ExitStack() as stack:
            yield self._opened(stack)

    def login_with(self, value: str) -> Login:
        """Return what opens a session as the administrator with this password alone."""
        return lambda: open_device(self.device, value, enable=self.enable)

    def lets_in(self, account: str, value: str) -> bool:
        """Log in anew as an account, with a password and nothing else; False when the device refuses that.

        Raises:
            PanshiError: as ``open_device``: it was not about the password.
        """
        try:
            self._log_in(account, value)
        except PanshiError as error:
            if error.code != REFUSED:
                raise
            return False
        return True

    def settle(self) -> Accounts:
        """Take back what a killed run has left open, see that nothing is unsaved, and return the accounts.

        Raises:
            PanshiError: PS-E8000 to PS-E8007, as ``change``; those of a session.
        """
        change(Change((), minutes=_MINUTES, pause=self.pause), self.login, state=self.state)
        with self.login() as session:
            return read_accounts(session.running(), self.device.platform)

    def change(self, lines: Sequence[str], account: str = "", value: str = "", *, proven: bool = True) -> Changed:
        """Change accounts, prove it by new logins while the first session stays open, and save; or take it back.

        Args:
            lines: to be typed.
            account: whose password the lines set; empty: nobody's.
            value: that password.
            proven: by a login with it; not where the account may not come in by SSH.

        Raises:
            ChangeFailed: PS-E8004, PS-E8005; PanshiError: as ``change``.
        """

        def failing(_: Session) -> str:
            self._log_in(account, value)
            return ""

        own = bool(value) and account == self.device.user and not self.device.key_file
        return change(
            Change(lines, secrets=(value,) if value else (), minutes=_MINUTES, pause=self.pause),
            self.login,
            state=self.state,
            probes=[Probe(f"以新口令登录 {account}", failing)] if value and proven else [],
            login_after=self.login_with(value) if own else None,
        )

    def _log_in(self, account: str, value: str) -> None:
        device = replace(self.device, user=account, key_file="")
        try:
            with open_device(device, value, enable=self.enable):
                pass
        except PanshiError as error:
            if error.code != _NOT_PRIVILEGED:
                raise

    def _opened(self, stack: ExitStack) -> Session:
        values = sorted(dict.fromkeys(self.passwords()), key=lambda value: value != self._last)
        for number, value in enumerate(values, 1):
            try:
                session = stack.enter_context(open_device(self.device, value, enable=self.enable))
            except PanshiError as error:
                if error.code != REFUSED or number == len(values):
                    raise
            else:
                self._last = value
                return session
        raise PanshiError(REFUSED, f"设备 {self.device.name} 没有可用的口令", "核对密码库")
