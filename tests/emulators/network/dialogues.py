"""Orders that change the session or the device, and ask questions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .grammar import Match, Refusal, Why
from .platform import Question

if TYPE_CHECKING:
    from .session import Session

ORDERS = (
    "enter", "leave", "leave_all", "save", "enable", "disable", "do", "commit", "commit_trial", "abort_trial",
    "clear_candidate", "arm_delay", "confirm", "enter_timed", "revert_now", "accelerate", "reboot",
)  # fmt: skip


async def pause(seconds: float) -> None:
    """Let time pass on the device."""
    await asyncio.sleep(seconds)


async def greeting(session: Session) -> None:
    """Say what comes before the first prompt."""
    fault, terminal = session.device.fault, session.terminal
    if fault.banner:
        await terminal.write(fault.banner + "\n")
    if fault.pw_expire_prompt:
        await terminal.write(session.kind.texts["password_expires"])
        await terminal.read_line()
    await terminal.write("\n")


async def ask(session: Session, question: str) -> str:
    """Ask, and return the answer in small letters."""
    await session.terminal.write(question)
    return (await session.terminal.read_line()).strip().lower()


async def enter(session: Session, match: Match | None = None) -> str:
    """Enter configuration."""
    session.configuring, session.views, session.dirty = True, [], False
    session.candidate = session.device.tree.copy() if session.kind.two_stage else None
    return session.kind.enter_message


async def leave(session: Session, match: Match) -> str:
    """Leave the view; from the outermost one, the session."""
    if not session.configuring:
        session.ended = True
        return ""
    if session.views:
        session.views.pop()
        return ""
    return await leave_all(session)


async def leave_all(session: Session, match: Match | None = None) -> str:
    """Leave configuration; changes that were not committed are asked about."""
    said = ""
    if session.dirty:
        answer = await ask(session, session.kind.texts["uncommitted"])
        if answer not in ("y", "n"):
            return ""
        if answer == "y":
            said = await _committed(session)
            if session.dirty:
                return said
    session.configuring, session.views, session.dirty, session.candidate = False, [], False, None
    return said


async def save(session: Session, match: Match) -> str:
    """Save the running configuration."""
    device, fault, kind = session.device, session.device.fault, session.kind
    questions = () if match.words[-1] == "force" else kind.saves[device.save]
    if fault.save_prompt:
        questions = (Question(fault.save_prompt), *questions[1:])
    for question in questions:
        answer = await ask(session, question.text)
        if question.kind == "yes" and answer not in ("y", "yes"):
            return ""
    if fault.save_fail:
        return fault.save_fail
    await pause(fault.save_delay)
    if not fault.save_skips:
        device.keep()
    return kind.saved


async def enable(session: Session, match: Match) -> str:
    """Ask for the password of the privileged level."""
    if not session.enabled:
        await session.terminal.write("Password:")
        session.enabled = await session.terminal.read_line(echo=False) == session.device.enable
        await session.terminal.write("\n")
        return "" if session.enabled else "% Access denied"
    return ""


async def disable(session: Session, match: Match) -> str:
    """Give the privileged level up."""
    session.enabled = not session.device.enable
    return ""


async def do(session: Session, match: Match) -> str | Refusal:
    """Carry an order of the user view out within configuration."""
    session.configuring = False
    try:
        return await session.carry_out(match.values[0])
    finally:
        session.configuring = True


async def commit(session: Session, match: Match) -> str:
    """Let the candidate run; during a trial, keep it."""
    if not session.dirty:
        return "" if session.device.disarm() else ""
    return await _committed(session)


async def commit_trial(session: Session, match: Match) -> str:
    """Let the candidate run for a while, from 60 to 65535 seconds, 600 unless said [D: NE8000 command reference]."""
    before = session.device.tree
    said = await _committed(session)
    if not session.dirty:
        session.device.arm(int(match.values[0]) if match.values else 600, session, before)
    return said


async def _committed(session: Session) -> str:
    fault, texts = session.device.fault, session.kind.texts
    if fault.commit_ask and await ask(session, fault.commit_ask) not in ("y", "yes"):
        return texts["commit_aborted"]
    if fault.commit_fail:
        return fault.commit_fail
    session.dirty = False
    session.device.become(session.tree.copy())
    return texts["committed"]


async def abort_trial(session: Session, match: Match) -> str:
    """Go back to before the trial."""
    return "" if session.device.revert() else session.kind.texts["no_timer"]


async def clear_candidate(session: Session, match: Match) -> str:
    """Forget what was not committed."""
    session.candidate, session.views, session.dirty = session.device.tree.copy(), [], False
    return ""


async def arm_delay(session: Session, match: Match) -> str:
    """Go back after so many minutes unless confirmed; the configuration of now is where to."""
    device = session.device
    device.arm(int(match.values[0]) * 60, session, device.tree.copy())
    return ""


async def confirm(session: Session, match: Match) -> str:
    """Keep what is running."""
    texts = session.kind.texts
    return texts["confirmed"] if session.device.disarm() else texts["no_timer"]


async def enter_timed(session: Session, match: Match) -> str:
    """Enter configuration; go back after so many minutes unless confirmed. Needs an archive."""
    device, texts = session.device, session.kind.texts
    if not any(line.strip().startswith("path") for line in device.lines):
        return texts["no_archive"]
    device.arm(int(match.values[0]) * 60, session, device.tree.copy())
    return texts["timer_armed"] + "\n" + await enter(session)


async def revert_now(session: Session, match: Match) -> str:
    """Go back at once to where the timer would."""
    texts = session.kind.texts
    return texts["reverted"] if session.device.revert() else texts["no_timer"]


async def accelerate(session: Session, match: Match) -> str | Refusal:
    """Let changed rules of the security policy match now."""
    if not session.path[-1].key.startswith("security-policy"):
        return Refusal(Why.UNKNOWN, 0)
    return "" if session.device.accelerate() else session.kind.texts["accelerate_failed"]


async def reboot(session: Session, match: Match) -> str:
    """Start again with the saved configuration."""
    if await ask(session, session.kind.texts["reboot"]) == "y":
        session.ended = True
        session.device.reboot()
    return ""
