"""Back to where it was, and the proof of it: a new login that reads both configurations."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from panshi.errors import PanshiError
from panshi.network.change.guards import Guard, quietly_confirmed, quietly_reverted
from panshi.network.config import normal, parse, patch
from panshi.network.session import Session

Login = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class WayBack:
    """How one device is brought back.

    Args:
        platform: of the device.
        before: the configuration, running and saved, to go back to.
        guard: that the change was made under.
        logins: ways to log in, in the order to try them: a change of passwords may have taken the old ones away.
        patience: seconds after which it is given up: longer than the device's timer.
        pause: seconds between two logins.
    """

    platform: str
    before: str
    guard: Guard
    logins: tuple[Login, ...]
    patience: float
    pause: float

    def taken(self, alive: Session | None) -> str:
        """Bring the device back and prove it.

        Args:
            alive: a session that still answers: perhaps the only way in.

        Returns:
            Empty when both configurations are proven to be those before; else why not, in Chinese.
        """
        until = time.monotonic() + self.patience
        if alive is not None:
            self._tried(alive)
        while why := self._proven():
            if time.monotonic() >= until:
                return why
            time.sleep(self.pause)
        return ""

    def _proven(self) -> str:
        why = ""
        for login in self.logins:
            try:
                with login() as session:
                    return self._tried(session)
            except PanshiError as error:
                why = error.message
        return f"登录不上：{why}"

    def _tried(self, session: Session) -> str:
        try:
            return self._back(session)
        except PanshiError as error:
            return error.message

    def _back(self, session: Session) -> str:
        quietly_reverted(self.guard, session)
        running = session.running()
        if not self._same(running):
            session.push(patch(parse(running, self.platform), parse(self.before, self.platform), self.platform))
            if not self._same(session.running()):
                return "运行配置与变更前不同"
        quietly_confirmed(self.guard, session)
        if not self._same(session.startup()):
            session.save()
        return "" if self._same(session.startup()) else "启动配置与变更前不同"

    def _same(self, text: str) -> bool:
        return normal(text, self.platform) == normal(self.before, self.platform)
