"""What takes a change back when nobody confirms it: the device's own timer, or, without one, the session kept open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from panshi.errors import PanshiError
from panshi.network.session import PushFailed, Refused, Session

# Lines that would end a guard, save, or restart: they are the transaction's own, never part of a change.
RESERVED = (
    "abort",
    "clear configuration candidate",
    "commit",
    "configuration commit",
    "configure",
    "copy",
    "do",
    "reboot",
    "reload",
    "reset saved-configuration",
    "rollback",
    "save",
    "schedule reboot",
    "write",
)


@dataclass(frozen=True, slots=True)
class Guard:
    """The rope: nothing on the device takes a change back; the first session stays open until a second has worked.

    Attributes:
        title: Chinese, for plans and records.
        timed: the device itself goes back after a time.
    """

    title: str = "双会话（平台没有定时回退）"
    timed: bool = False

    def push(self, session: Session, lines: Sequence[str], minutes: int, secrets: Sequence[str]) -> None:
        """Make the change, armed where the device can be.

        Args:
            session: to push over.
            lines: from the first view of the configuration mode.
            minutes: until the device goes back.
            secrets: values in the lines to be hidden.

        Raises:
            PanshiError: PS-E8003 the timer is refused, and nothing is changed; PushFailed.
        """
        session.push(lines, secrets=secrets)

    def confirm(self, session: Session) -> None:
        """Disarm: what is running stays."""

    def revert(self, session: Session) -> None:
        """Let the device go back at once, as far as it can."""


@dataclass(frozen=True, slots=True)
class Trial(Guard):
    """VRP 8: ``commit trial`` of 60 to 65535 seconds, ``commit``, ``abort trial`` [D: NE8000 command reference]."""

    title: str = "commit trial"
    timed: bool = True

    def push(self, session: Session, lines: Sequence[str], minutes: int, secrets: Sequence[str]) -> None:
        """Commit on trial."""
        session.push(lines, secrets=secrets, commit=f"commit trial {minutes * 60}")

    def confirm(self, session: Session) -> None:
        """Keep what is on trial."""
        session.push((), commit="commit")

    def revert(self, session: Session) -> None:
        """Abort the trial."""
        session.push((), commit="abort trial")


@dataclass(frozen=True, slots=True)
class Delay(Guard):
    """Comware 7: ``configuration commit delay`` of so many minutes, ``configuration commit`` [D: H3C, R1121 and later].

    It cannot be asked to go back before its time.
    """

    title: str = "configuration commit delay"
    timed: bool = True

    def push(self, session: Session, lines: Sequence[str], minutes: int, secrets: Sequence[str]) -> None:
        """Arm alone, then push."""
        arm = f"configuration commit delay {minutes}"
        try:
            session.push((arm,))
        except PushFailed as error:
            raise _unarmed(session, arm, error) from None
        session.push(lines, secrets=secrets)

    def confirm(self, session: Session) -> None:
        """Keep what is running."""
        session.push(("configuration commit",))


@dataclass(frozen=True, slots=True)
class Revert(Guard):
    """IOS: ``configure terminal revert timer`` of 1 to 120 minutes; needs an archive [D: rollback confirmed change]."""

    title: str = "configure terminal revert timer"
    timed: bool = True

    def push(self, session: Session, lines: Sequence[str], minutes: int, secrets: Sequence[str]) -> None:
        """Enter the configuration mode with the timer."""
        arm = f"configure terminal revert timer {minutes}"
        try:
            session.push(lines, secrets=secrets, enter=arm)
        except PushFailed as error:
            if error.pushed.lines and error.pushed.lines[0].text == arm:
                raise _unarmed(session, arm, error) from None
            raise

    def confirm(self, session: Session) -> None:
        """Keep what is running."""
        session.read("configure confirm")

    def revert(self, session: Session) -> None:
        """Go back now."""
        session.read("configure revert now")


def _unarmed(session: Session, arm: str, error: PushFailed) -> PanshiError:
    said = error.pushed.lines[-1].error if error.pushed.lines else error.message
    return PanshiError(
        "PS-E8003",
        f"设备 {session.device.name} 不接受“{arm}”：{said}；没有改动",
        "IOS 先配好 archive 的 path，Comware 核对版本；没有定时回退就不在有定时回退的平台上改",
    )


GUARDS: Mapping[str, Guard] = {
    "huawei_vrp": Guard(),
    "huawei_vrpv8": Trial(),
    "hp_comware": Delay(),
    "ruijie_os": Guard(),
    "cisco_ios": Revert(),
}


def guard_of(platform: str) -> Guard:
    """Return what guards a change on a platform; the rope for one that is not known here."""
    return GUARDS.get(platform.rpartition(".")[2], Guard())


def quietly_reverted(guard: Guard, session: Session) -> None:
    """Let the device go back at once; that it has nothing armed any more is no failure."""
    try:
        guard.revert(session)
    except (PushFailed, Refused) as error:
        if error.code not in ("PS-E8040", "PS-E8041", "PS-E8047"):
            raise


def quietly_confirmed(guard: Guard, session: Session) -> None:
    """Disarm, once the device is back where it was; that it has nothing armed any more is no failure."""
    try:
        guard.confirm(session)
    except (PushFailed, Refused) as error:
        if error.code not in ("PS-E8040", "PS-E8041", "PS-E8047"):
            raise
