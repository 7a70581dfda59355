"""What the security policies of two firewalls have in common as text; their words are in usg.py and secpath.py."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import NamedTuple

from panshi.errors import PanshiError
from panshi.network.policy.firewall import Firewall, FirewallRule, literals
from panshi.network.policy.model import Schedule, Service, address_span
from panshi.network.policy.space import LAST_PORT, PROTOCOL_NAMES, PROTOCOLS, Spans
from panshi.network.policy.steps import (
    SIDES,
    AddObject,
    AddRule,
    Default,
    DeleteRule,
    Members,
    MoveRule,
    Place,
    RemoveObject,
    Rename,
    Step,
    Switch,
    Words,
)

_WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAYS: Mapping[str, Sequence[int]] = {
    "daily": range(7),
    "working-day": range(5),
    "off-day": (5, 6),
    **{name.lower(): (number,) for number, name in enumerate(_WEEK)},
}


class Known(NamedTuple):
    """The objects of a configuration."""

    addresses: dict[str, Spans]
    services: dict[str, tuple[Service, ...]]
    schedules: dict[str, Schedule]


class Dialect(ABC):
    """How one firewall writes rules, objects and changes."""

    view = ""
    permit_deny: tuple[str, str] = ("permit", "deny")
    logging = ""
    # Sent when changes shall count and again at the end; empty where they count at once.
    activate = ""

    def lines(self, steps: Sequence[Step], new: Firewall) -> list[str]:
        """Return the commands of a way, views entered and left, from the configuration view.

        Args:
            steps: as ``steps.steps`` gives them.
            new: what the firewall shall hold, for the objects' content.
        """
        found: list[str] = []
        policy: list[str] = []
        pending = False
        for step in steps:
            match step:
                case AddObject(kind, name):
                    found += self.object_lines(kind, name, new)
                case RemoveObject():
                    continue
                case Rename() | Words():
                    policy += self._step(step)
                case _:
                    # Deleting may count at once while what came before does not yet [D: the two command references
                    # of H3C differ on it], so what came before is made to count first.
                    if pending and self.activate and isinstance(step, DeleteRule):
                        policy.append(self.activate)
                        pending = False
                    pending = pending or not isinstance(step, DeleteRule)
                    policy += self._step(step)
        if policy:
            found += [self.view, *policy, *([self.activate] if self.activate else []), "quit"]
        for step in steps:
            if isinstance(step, RemoveObject):
                found.append(self.undo_object(step.kind, step.name))
        return found

    def _step(self, step: Step) -> list[str]:
        match step:
            case AddRule(rule, place):
                return self._added(rule, place)
            case MoveRule(name, place):
                return [self.move_line(name, place)]
            case DeleteRule(name):
                return [f"undo rule name {name}"]
            case Members(name, side, members, add):
                undo = "" if add else "undo "
                return self._within(name, [f"{undo}{self.member_line(side, one)}" for one in members])
            case Switch(name, enabled):
                return self._within(name, ["undo disable" if enabled else "disable"])
            case Rename(name, to):
                return [f"rule rename {name} {to}"]
            case Words(name, log, description):
                words = [] if log is None else [self.logging if log else f"undo {self.logging}"]
                if description is not None:
                    words.append(f"description {description}" if description else "undo description")
                return self._within(name, words)
            case Default(action):
                return [self.default_line(action)]
        raise TypeError(step)

    def _added(self, rule: FirewallRule, place: Place | None) -> list[str]:
        """Return a new rule: disabled by its first line, complete, moved to its place, and only then enabled.

        Without conditions a rule matches everything; a new one stands last, above the default action alone.
        """
        body = ["disable", *([f"description {rule.description}"] if rule.description else [])]
        body += [self.member_line(side, one) for side in SIDES for one in getattr(rule, side)]
        body += [f"time-range {rule.schedule}"] if rule.schedule else []
        body += [self.logging] if rule.log else []
        body.append(f"action {self.permit_deny[rule.action == 'deny']}")
        enabled = ["undo disable"] if rule.enabled else []
        if place is None:
            return self._within(rule.name, [*body, *enabled])
        return [
            *self._within(rule.name, body),
            self.move_line(rule.name, place),
            *(self._within(rule.name, enabled) if enabled else []),
        ]

    def _within(self, name: str, lines: Sequence[str]) -> list[str]:
        return [f"rule name {name}", *lines, "quit"]

    @abstractmethod
    def object_lines(self, kind: str, name: str, new: Firewall) -> list[str]:
        """Return the definition of an object."""

    @abstractmethod
    def undo_object(self, kind: str, name: str) -> str:
        """Return what removes an object."""

    @abstractmethod
    def member_line(self, side: str, member: str) -> str:
        """Return the condition of a rule."""

    @abstractmethod
    def move_line(self, name: str, place: Place) -> str:
        """Return what moves a rule."""

    @abstractmethod
    def default_line(self, action: str) -> str:
        """Return what sets the action for packets that no rule matches."""

    @abstractmethod
    def parse(self, text: str, file: str) -> Firewall:
        """Return what a configuration says.

        Raises:
            PanshiError: PS-E8105 for a line of the security policy that is not understood.
        """


def not_understood(file: str, place: str, line: str) -> PanshiError:
    """Return the error for a line whose effect is not known: nothing may be planned around it."""
    return PanshiError(
        "PS-E8105",
        f"{file}：{place} 中的“{line}”不认识，不知道它放行什么",
        "把这一行的条件改写成区域、地址、服务、时间段，或把该设备从策略集中拿掉",
    )


def built(
    name: str, action: str, sides: Mapping[str, Sequence[str]], plain: Mapping[str, str], flags: Sequence[bool]
) -> FirewallRule:
    """Return a rule from what its lines have said; ``flags`` are whether it is disabled, and whether it logs."""
    disabled, log = flags
    return FirewallRule(
        name=name,
        action=action,
        enabled=not disabled,
        origin=tuple(sorted(sides["origin"])),
        target=tuple(sorted(sides["target"])),
        source=tuple(sorted(sides["source"])),
        destination=tuple(sorted(sides["destination"])),
        service=tuple(sorted(sides["service"])),
        schedule=plain["time-range"],
        log=log,
        description=plain["description"],
    )


def time_line(name: str, one: Schedule) -> str:
    """Return a time range of VRP and Comware; its end is exclusive."""
    days = " ".join(_WEEK[day] for day in one.days)
    return f"time-range {name} {_clock(one.first)} to {_clock(one.end)} {'daily' if len(one.days) == 7 else days}"


def read_time(words: Sequence[str]) -> tuple[str, Schedule]:
    """Return name and content of a ``time-range`` line; ValueError for another kind (absolute, several periods)."""
    if len(words) < 6 or words[3] != "to":
        raise ValueError
    days = sorted({day for word in words[5:] for day in _days(word)})
    return words[1], Schedule(tuple(days), _minute(words[2]), _minute(words[4]))


def network_words(text: str) -> tuple[str, str] | None:
    """Return address and prefix length of a network, None for a range."""
    if "-" in text:
        return None
    network = ip_network(text)
    return str(network.network_address), str(network.prefixlen)


def span_of(address: str, mask: str) -> tuple[int, int]:
    """Return the span of an address with a mask or prefix length; ValueError for neither."""
    network = ip_network(f"{address}/{mask}", strict=False)
    return address_span(str(network))


def literal(low_high: tuple[int, int]) -> str:
    """Return a span as a member."""
    return next(literals((low_high,)))


def protocol_number(word: str) -> int:
    """Return a protocol's number; ValueError for an unknown name."""
    return PROTOCOLS[word] if word in PROTOCOLS else int(word)


def protocol_word(number: int) -> str:
    """Return a protocol as devices write it."""
    return PROTOCOL_NAMES.get(number, str(number))


def is_any_port(pair: tuple[int, int]) -> bool:
    """Return whether a port range says nothing."""
    return pair == (0, LAST_PORT)


def _days(word: str) -> Sequence[int]:
    if word.isdigit():  # 0 is Sunday [K]
        return [(int(word) - 1) % 7]
    if word.lower() not in _DAYS:
        raise ValueError(word)
    return _DAYS[word.lower()]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _minute(text: str) -> int:
    hour, minute = text.split(":")[:2]
    return int(hour) * 60 + int(minute)
