"""One change of one device: all of it, proven and saved, or nothing of it, proven too."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from panshi.errors import PanshiError
from panshi.network.change.guards import RESERVED, Guard, guard_of
from panshi.network.change.journal import Journal, Open, digest, held, is_open
from panshi.network.change.way_back import Login, WayBack
from panshi.network.config import differences, normal, parse
from panshi.network.session import Session, SessionFailed

# Saves by itself what was not confirmed: then a restart is no way back [D: VRP "configuration file auto-save", "set
# save-configuration"; K: on Comware as in VRP].
_AUTO_SAVE = re.compile(r"^\s*(?:configuration file auto-save|set save-configuration)\b", re.MULTILINE)
# After these a session does not answer in order any more.
_LOST = ("PS-E8038", "PS-E8039", "PS-E8042")
_MARGIN = 120.0  # seconds beyond the device's timer: it needs some to go back
_PATIENCE = 60.0  # seconds without a timer
_DIFFERENCES_MOST = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """What must be true after a change.

    Attributes:
        title: Chinese.
        failing: asked with a new login; returns why it is not so, in Chinese, or an empty text.
    """

    title: str
    failing: Callable[[Session], str]


# Told of every step that is done: its name, and a detail in Chinese.
#   begun, pushed (armed, where the device can be), logged_in (anew), probed, confirmed, saved (and compared),
#   taken_back (and proven), lost (not proven to be taken back)
Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was reviewed.

    Attributes:
        lines: to be typed from the first view of the configuration mode, as ``panshi.network.config.patch`` gives them.
        intended: the whole configuration that they lead to; empty: any that differs from the one before.
        made_from: digest (SHA-256, volatile lines aside) of the configuration they were made from; empty: of any.
        secrets: values in them to be hidden from every log and error.
        minutes: until the device goes back by itself, 1 to 120.
        patience: seconds after which going back is given up; 0: the timer and 120 more, or 60 without one.
        pause: seconds between two attempts to log in meanwhile.
    """

    lines: Sequence[str]
    intended: str = ""
    made_from: str = ""
    secrets: Sequence[str] = ()
    minutes: int = 5
    patience: float = 0.0
    pause: float = 5.0


@dataclass(frozen=True, slots=True)
class Changed:
    """A change that is made, proven and saved.

    Attributes:
        device: name in the inventory.
        guard: what would have taken it back, in Chinese.
        lines: how many were sent; 0: nothing was to be done.
        before, after: SHA-256 of the configuration, volatile lines aside.
        seconds: wall time.
        earlier: what an earlier run had left open and was taken back first, in Chinese; empty: nothing.
    """

    device: str
    guard: str
    lines: int
    before: str
    after: str
    seconds: float
    earlier: str = ""


class ChangeFailed(PanshiError):
    """A change that was begun and is not there.

    Attributes:
        proven: the device is proven to be as before.
        cause: code of what went wrong first.
    """

    def __init__(self, code: str, message: str, hint: str, *, proven: bool, cause: str) -> None:
        super().__init__(code, message, hint)
        self.proven = proven
        self.cause = cause


def change(
    wanted: Change,
    login: Login,
    *,
    state: Path,
    probes: Sequence[Probe] = (),
    login_after: Login | None = None,
    tell: Tell = lambda step, detail: None,
) -> Changed:
    """Carry a change out.

    Args:
        wanted: the change.
        login: opens a session as things are.
        state: folder of the estate's change journals, outside the checkout.
        probes: what must be true afterwards, asked through a new login.
        login_after: opens a session as things will be, where the change concerns the login itself.
        tell: told of every step.

    Raises:
        ChangeFailed: PS-E8004 it failed and is proven to be taken back; PS-E8005 that cannot be proven.
        PanshiError: PS-E8000 to PS-E8003, PS-E8006 to PS-E8008, PS-E8110: nothing was changed; PS-E8030 to PS-E8049 of
            the first session.
    """
    began = time.monotonic()
    with login() as session:
        device = session.device.name
        _refuse_reserved(device, wanted.lines)
        with held(state, device) as journal:
            guard = guard_of(session.device.platform)
            logins = (login,) if login_after is None else (login_after, login)
            earlier = _earlier(session, journal, guard, (login,), wanted)
            before = _ready(session)
            way = _way(session, before, guard, logins, wanted)
            mark = digest(normal(before, way.platform))
            _is_made_from(wanted.made_from, mark, device)
            if not wanted.lines:
                return Changed(device, guard.title, 0, mark, mark, time.monotonic() - began, earlier)
            journal.begin(Open(secrets.token_hex(4), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), mark))
            tell("begun", earlier)
            try:
                guard.push(session, wanted.lines, wanted.minutes, wanted.secrets)
                tell("pushed", f"{len(wanted.lines)} 行，{guard.title}")
                after = _proven(logins[0], probes, way.platform, tell)
                _took_effect(after, before, wanted.intended, way.platform)
                guard.confirm(session)
                _unchanged(session, after, way.platform)
                tell("confirmed", "")
                session.save()
                tell("saved", "")
            except BaseException as error:
                failure = _taken_back(session, error, way, journal)
                tell("taken_back" if failure.proven else "lost", failure.message)
                if not isinstance(error, Exception):
                    raise
                raise failure from error
            journal.end()
    return Changed(device, guard.title, len(wanted.lines), mark, digest(after), time.monotonic() - began, earlier)


def take_back_open(login: Login, *, state: Path, pause: float = 5.0, patience: float = 0.0) -> str:
    """Take back what a killed run has left open on a device.

    Args:
        login: opens a session.
        state: folder of the estate's change journals.
        pause: seconds between two attempts to log in.
        patience: seconds after which it is given up; 0: 60.

    Returns:
        What was done, in Chinese; empty when nothing was open.

    Raises:
        ChangeFailed: PS-E8005 it cannot be proven; PanshiError: PS-E8000, PS-E8006, PS-E8007.
    """
    with login() as session, held(state, session.device.name) as journal:
        guard = guard_of(session.device.platform)
        return _earlier(session, journal, guard, (login,), Change((), pause=pause, patience=patience))


def _is_made_from(wanted: str, mark: str, device: str) -> None:
    if wanted and wanted != mark:
        raise PanshiError("PS-E8110", f"设备 {device} 的配置自计划以来变了；没有改动", "重新生成计划，核对后再执行")


def settle(device: str, login: Login, *, state: Path, reading: bool = False) -> str:
    """Take back what a killed run has left open, before anything is judged by what the device runs.

    Args:
        device: name in the inventory.
        login: opens a session; not used when nothing is open.
        state: folder of the estate's change journals.
        reading: the device must not be changed now.

    Returns:
        What was done, in Chinese; empty when nothing was open.

    Raises:
        PanshiError: PS-E8011 something is open and must not be taken back now; else as :func:`take_back_open`.
    """
    if not is_open(state, device):
        return ""
    if reading:
        raise PanshiError(
            "PS-E8011",
            f"设备 {device} 有一次变更没有结束：它现在的配置不是谁批准过的",
            "再执行一次当时的命令（会先撤回没有结束的），或等正在做的变更结束；没有改动",
        )
    return take_back_open(login, state=state)


def _refuse_reserved(device: str, lines: Sequence[str]) -> None:
    for line in lines:
        word = next((one for one in RESERVED if re.match(rf"\s*{one}(?:\s|$)", line)), "")
        if word:
            raise PanshiError(
                "PS-E8008",
                f"设备 {device} 的变更里有“{word}”：提交、保存与重启由事务自己做；没有改动",
                "从变更里去掉这一行",
            )


def _way(session: Session, before: str, guard: Guard, logins: tuple[Login, ...], wanted: Change) -> WayBack:
    patience = wanted.patience or (wanted.minutes * 60 + _MARGIN if guard.timed else _PATIENCE)
    return WayBack(session.device.platform, before, guard, logins, patience, wanted.pause)


def _ready(session: Session) -> str:
    """Return the configuration before; it must be saved, and must not save itself."""
    device, platform = session.device.name, session.device.platform
    running = session.running()
    if _AUTO_SAVE.search(running):
        raise PanshiError(
            "PS-E8002", f"设备 {device} 会自动保存配置，“未保存即可回退”不成立；没有改动", "先关掉自动保存"
        )
    startup = session.startup()
    if normal(running, platform) != normal(startup, platform):
        found = differences(parse(startup, platform), parse(running, platform), platform).splitlines()
        shown = "；".join(line for line in found if line[:1] in "+-")[:200]
        raise PanshiError(
            "PS-E8001",
            f"设备 {device} 有别人未保存的改动（{len(found)} 行，如 {shown}）；没有改动",
            "与做改动的人核对：要留就先保存，不要就先撤掉",
        )
    return running


def _earlier(session: Session, journal: Journal, guard: Guard, logins: tuple[Login, ...], wanted: Change) -> str:
    """Take back what an earlier run has left open. What was before it is what is still saved."""
    left = journal.open()
    if left is None:
        return ""
    device, platform = session.device.name, session.device.platform
    startup = session.startup()
    if digest(normal(startup, platform)) != left.before:
        if session.is_saved():
            journal.end()
            return f"{left.began} 开始的变更已保存完毕，只是没有记完"
        raise PanshiError(
            "PS-E8006",
            f"设备 {device} 上 {left.began} 开始的变更没有结束，而启动配置也已不是当时的；没有改动",
            "人工核对运行配置与启动配置，一致后删除变更账本里这台设备的文件",
        )
    why = _way(session, startup, guard, logins, wanted).taken(session)
    if why:
        raise ChangeFailed(
            "PS-E8005",
            f"设备 {device} 上 {left.began} 开始的变更没有结束，也没能证明已撤回：{why}",
            "经控制台核对；启动配置未变，重启可回到变更前",
            proven=False,
            cause="PS-E8006",
        )
    journal.end()
    return f"{left.began} 开始而没有结束的变更已撤回"


def _proven(login: Login, probes: Sequence[Probe], platform: str, tell: Tell) -> str:
    """Log in anew, ask the probes, and return the configuration that is running."""
    try:
        with login() as session:
            tell("logged_in", "")
            failing = _failing(session, probes, tell)
            after = normal(session.running(), platform)
    except PanshiError as error:
        # Not the first session's: that may still answer.
        raise PanshiError("PS-E8009", f"变更后新登录不成功：{error.message}", error.hint) from error
    if failing:
        raise PanshiError("PS-E8009", f"变更后{failing}", "")
    return after


def _failing(session: Session, probes: Sequence[Probe], tell: Tell) -> str:
    for probe in probes:
        if why := probe.failing(session):
            return f"探测“{probe.title}”不成立：{why}"
        tell("probed", probe.title)
    return ""


def _took_effect(after: str, before: str, intended: str, platform: str) -> None:
    """See that the change is there: a timer that was faster than it would have made everything else look well."""
    if after == normal(before, platform):
        raise PanshiError("PS-E8009", "变更没有生效：运行配置与变更前相同，定时回退可能已先到", "")
    if intended and after != normal(intended, platform):
        raise PanshiError("PS-E8009", "运行配置不是计划的样子：定时回退可能先到了一半，或有别人同时在改", "")


def _unchanged(session: Session, after: str, platform: str) -> None:
    if normal(session.running(), platform) != after:
        raise PanshiError("PS-E8009", "确认之后的运行配置不是探测过的：定时回退可能已先到", "")


def _taken_back(session: Session, error: BaseException, way: WayBack, journal: Journal) -> ChangeFailed:
    lost = isinstance(error, SessionFailed) and error.code in _LOST
    code = error.code if isinstance(error, PanshiError) else ""
    what = error.message if isinstance(error, PanshiError) else type(error).__name__
    name = session.device.name
    why = way.taken(None if lost else session)
    if why:
        return ChangeFailed(
            "PS-E8005",
            f"设备 {name} 的变更失败（{what}），且没能证明已撤回：{why}",
            "经控制台核对；未保存过，重启可回到变更前；再次变更前会先撤回它",
            proven=False,
            cause=code,
        )
    journal.end()
    return ChangeFailed(
        "PS-E8004",
        f"设备 {name} 的变更失败，已撤回并经新登录比对与变更前一致：{what}",
        "按所说的原因改正后重新生成计划",
        proven=True,
        cause=code,
    )
