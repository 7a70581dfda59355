"""One emulated device: what it is configured to be, and what it has been told."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .faults import Faults
from .flash import Flash
from .platform import Platform, platform
from .rules import fits, hashed, loaded
from .tree import Node, body_of, lines_of

# The password of an account, typed in clear or as a hash.
_PASSWORD = re.compile(
    r"^(?:local-user|password|username)\b.* (?:irreversible-cipher|cipher|simple|hash|secret|password)(?: \d)? (\S+)$"
)


@dataclass(frozen=True)
class Entry:
    """A command that a device was given: when (monotonic), by whom, in which view, whether it was carried out."""

    time: float
    user: str
    view: str
    line: str
    accepted: bool


@dataclass
class Timer:
    """An armed way back: to what, and what is to go off."""

    before: Node
    handle: asyncio.TimerHandle | None
    by: object


@dataclass
class Device:
    """A device to emulate. ``running``, ``startup`` and ``journal`` tell what has become of it.

    Args:
        name: its host name.
        platform: one of platform.NAMES.
        config: its configuration at the beginning, running and saved.
        users: name and password of those who may log in.
        faults: see faults.py.
        shows: display commands and their answers, beside the platform's own.
        second: real seconds that a second of its timers lasts.
        save: variant of the save dialogue.
        enable: password of the privileged level; empty: a login has it at once.
        legacy_ssh: it speaks only SHA-1 key exchange, ssh-rsa and CBC.
        factory: there is no saved configuration.
        listen: address and port to listen on; port 0: any free one.
        flash: what it keeps when it is switched off; ``config`` and ``users`` are those of its first day then.
    """

    name: str
    platform: str
    config: str = ""
    users: Mapping[str, str] = field(default_factory=lambda: {"ops": "Emulated-1"})
    faults: Faults | Mapping[str, object] = field(default_factory=Faults)
    shows: Mapping[str, str] = field(default_factory=dict)
    second: float = 1.0
    save: str = "default"
    enable: str = ""
    legacy_ssh: bool = False
    factory: bool = False
    listen: tuple[str, int] = ("127.0.0.1", 0)
    flash: Flash | None = None

    def __post_init__(self) -> None:
        """Load the configuration and the users."""
        self.kind: Platform = platform(self.platform)
        if self.save not in self.kind.saves:
            raise ValueError(f"{self.platform} has no save dialogue {self.save!r}")
        self.fault = Faults.of(self.faults)
        kept = self.flash.startup() if self.flash else None
        self.tree = loaded(self.kind, self._first_day() if kept is None else kept)
        self.saved: Node | None = None if self.factory else self.tree.copy()
        if self.flash and self.saved and kept is None:
            self.flash.save(self.startup)
        self.journal: list[Entry] = []
        self.sessions: set[Callable[[], None]] = set()
        self.timer: Timer | None = None
        self.processor = asyncio.Lock()
        self.host = ""
        self.port = 0
        self.host_key = ""
        self._policy_changed = 0.0
        self._failed: dict[str, int] = {}
        self._passwords = list(self.users.values())
        self.matched = self.policy_lines()

    def _first_day(self) -> str:
        text = self.config
        if not any(self._named(node) for node in loaded(self.kind, text).walk()):
            text = f"{self.kind.texts['hostname'].format(name=self.name)}\n{text}"
        for user, password in self.users.items():
            stored = hashed(password, self.kind.texts["hash"])
            text += "\n" + self.kind.user.format(user=user, hash=stored)
        return text

    @staticmethod
    def _named(node: Node) -> bool:
        return node.key in ("sysname", "hostname")

    @property
    def hostname(self) -> str:
        """The name in the prompt."""
        named = next((node for node in self.tree.children.values() if self._named(node)), None)
        return named.line.split()[1] if named else self.name

    @property
    def running(self) -> str:
        """The running configuration, without heading and ending."""
        return self.text(self.tree)

    @property
    def startup(self) -> str:
        """The saved configuration, without heading and ending; empty when there is none."""
        return self.text(self.saved) if self.saved else ""

    @property
    def lines(self) -> list[str]:
        """The running configuration's lines, indented, without separators."""
        return lines_of(self.tree)

    @property
    def known_hosts(self) -> str:
        """The line of a known_hosts file that names this device's key."""
        return f"[{self.host}]:{self.port} {self.host_key}"

    def text(self, root: Node) -> str:
        """Return the text of a configuration."""
        return "\n".join(body_of(root, self.kind.separator, self.kind.indent_top))

    def lets_in(self, user: str, password: str) -> bool:
        """Tell whether a login is let in now."""
        if self.fault.auth_fail > 0:
            self.fault.auth_fail -= 1
            return False
        if self._holds(self.fault.lockout_line) or self.cut:
            return False
        logins = (node.login for node in self.tree.walk() if node.login)
        failed = self._failed.get(user, 0)
        if self.fault.locks_after and failed >= self.fault.locks_after:
            return False
        let_in = any(name == user and fits(password, kept) for name, kept in logins)
        self._failed[user] = 0 if let_in else failed + 1
        return let_in

    def password_refused(self, line: str) -> str:
        """Return the platform's words when its rules do not take the password of a line; remember those they take."""
        typed = _PASSWORD.search(line)
        if typed is None or typed[1].startswith(self.kind.texts["hash"]):
            return ""
        if len(typed[1]) < self.fault.password_least:
            return self.kind.texts["password_short"].format(least=self.fault.password_least)
        if self.fault.password_history and typed[1] in self._passwords[-self.fault.password_history :]:
            return self.kind.texts["password_used"]
        self._passwords.append(typed[1])
        return ""

    @property
    def cut(self) -> bool:
        """Whether the management path is cut by the configuration."""
        return self._holds(self.fault.kills_session_line)

    def _holds(self, text: str) -> bool:
        return bool(text) and any(text in node.line for node in self.tree.walk())

    def become(self, tree: Node) -> None:
        """Run another configuration; sessions whose path it cuts are cut."""
        self.tree = tree
        self.changed()

    def changed(self) -> None:
        """Draw the consequences of a change of the running configuration."""
        self._policy_changed = time.monotonic()
        if self.cut:
            self.cut_sessions()

    def cut_sessions(self) -> None:
        """Cut all sessions."""
        for end in list(self.sessions):
            end()

    def arm(self, seconds: float, by: object, before: Node) -> None:
        """Go back to ``before`` in so many of the device's seconds unless disarmed.

        Args:
            seconds: how long.
            by: the session that armed it.
            before: where to go back to.
        """
        self.disarm()
        self.timer = Timer(before, None, by)
        if not self.fault.timer_fails:
            loop = asyncio.get_running_loop()
            self.timer.handle = loop.call_later(seconds * self.second, self.revert)

    def disarm(self) -> bool:
        """Keep what is running; tells whether a timer was armed."""
        timer, self.timer = self.timer, None
        if timer and timer.handle:
            timer.handle.cancel()
        return timer is not None

    def revert(self) -> bool:
        """Go back to where it was when the timer was armed; tells whether one was."""
        timer = self.timer
        if timer is None:
            return False
        self.disarm()
        self.become(timer.before)
        return True

    def keep(self) -> None:
        """Save the running configuration."""
        self.saved = self.tree.copy()
        if self.flash:
            self.flash.save(self.startup)

    def reboot(self) -> None:
        """Come up again with the saved configuration; all sessions end."""
        self.disarm()
        self.cut_sessions()
        self.become(self.saved.copy() if self.saved else loaded(self.kind, ""))

    def policy_lines(self) -> tuple[str, ...]:
        """Return the lines of the security policy, in order."""
        policy = next((node for key, node in self.tree.children.items() if key.startswith("security-policy")), None)
        return tuple(lines_of(policy)) if policy else ()

    @property
    def matching_policy(self) -> tuple[str, ...]:
        """The security policy that packets meet now: on a SecPath a changed one only after it was accelerated.

        2 seconds with up to 100 rules, 20 with more [D: command reference of H3C security policies]; counted from the
        last change of the configuration.
        """
        lines = self.policy_lines()
        if lines != self.matched and not self.fault.accelerate_fail:
            rules = sum(line.startswith("rule ") for line in lines)
            wait = (2 if rules <= 100 else 20) if "accelerates" in self.kind.texts else 0
            if time.monotonic() - self._policy_changed >= wait * self.second:
                self.matched = lines
        return self.matched

    def accelerate(self) -> bool:
        """Let changed rules match now; tells whether it worked."""
        if self.fault.accelerate_fail:
            return False
        self.matched = self.policy_lines()
        return True
