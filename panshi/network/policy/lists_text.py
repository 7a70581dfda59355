"""Access lists as text: with wildcards and ``rule`` (VRP, Comware), and as IOS and Ruijie write them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from panshi.network.config.tree import Node, parse
from panshi.network.policy.dialect import not_understood, protocol_number, protocol_word, read_time, time_line
from panshi.network.policy.lists import (
    ALL_ADDRESSES,
    ALL_PORTS,
    ALL_PROTOCOLS,
    Drop,
    Entry,
    Lists,
    Put,
    Wanted,
    list_steps,
    with_range,
)
from panshi.network.policy.model import Schedule
from panshi.network.policy.space import LAST_ADDRESS, LAST_PORT

# Names that devices show instead of the numbers that were typed [K].
_PORT_NAMES = {
    "ftp-data": 20, "ftp": 21, "telnet": 23, "smtp": 25, "domain": 53, "dns": 53, "bootps": 67, "bootpc": 68,
    "tftp": 69, "www": 80, "pop3": 110, "sunrpc": 111, "ntp": 123, "netbios-ns": 137, "netbios-dgm": 138,
    "netbios-ssn": 139, "snmp": 161, "snmptrap": 162, "bgp": 179, "syslog": 514, "rip": 520,
}  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY_GROUPS = {"daily": range(7), "weekdays": range(5), "weekend": (5, 6)}


class ListDialect(ABC):
    """How a platform writes access lists.

    Args:
        platform: name of its rule book.
        default: what happens to packets that no entry of a list matches.
    """

    leave = "quit"
    default = "permit"

    def __init__(self, platform: str) -> None:
        self.platform = platform

    def lines(self, now: Lists, new: Wanted) -> list[str]:
        """Return the commands from what a device holds to what it shall hold, from the configuration view.

        Raises:
            PanshiError: PS-E8106 an entry cannot be moved.
        """
        found = []
        for name in new.schedules:
            if name not in now.schedules:
                found += self.time_lines(name, new.schedules[name])
        for name, entries in new.entries.items():
            if steps := list_steps(now.entries.get(name, ()), entries):
                found += [self.head(name), *map(self._step, steps), self.leave]
        had = Lists({name: now.entries.get(name, ()) for name in new.entries}, now.schedules).used()
        others = {name: one for name, one in now.entries.items() if name not in new.entries}
        still = set(new.schedules) | Lists(others).used()
        return [*found, *(self.undo_time(name) for name in sorted(had - still))]

    def parse(self, text: str, file: str, names: Sequence[str]) -> Lists:
        """Return the lists of some names, and all time ranges.

        Raises:
            PanshiError: PS-E8105 for an entry that is not understood.
        """
        tree = parse(text, self.platform)
        schedules: dict[str, Schedule] = {}
        for node in tree.find("time-range "):
            try:
                name, one = self.read_time(node)
            except (ValueError, IndexError):
                continue  # an error only where an entry refers to it
            schedules[name] = one
        found: dict[str, tuple[tuple[int, Entry], ...]] = {}
        for node in tree.children:
            if (name := self.name_of(node.line)) in names and name:
                entries = sorted(self._entries(node, file, name))
                for _, entry in entries:
                    if entry.schedule and entry.schedule not in schedules:
                        raise not_understood(file, f"访问列表 {name}", f"time-range {entry.schedule}")
                found[name] = tuple(entries)
        return Lists(found, schedules)

    def _entries(self, node: Node, file: str, name: str) -> Iterator[tuple[int, Entry]]:
        for child in node.children:
            words = child.line.split()
            if words[0] in ("description", "step", "remark") or words[2:3] in (["description"], ["comment"]):
                continue
            try:
                number, rest = self.number_of(words)
                yield number, self.read(rest)
            except (ValueError, IndexError) as error:
                raise not_understood(file, f"访问列表 {name}", child.line) from error

    def _step(self, step: Put | Drop) -> str:
        return self.put(step.number, step.entry) if isinstance(step, Put) else self.drop(step.number)

    @abstractmethod
    def head(self, name: str) -> str:
        """Return what enters a list."""

    @abstractmethod
    def name_of(self, line: str) -> str:
        """Return the name of the list that a line enters, or nothing."""

    @abstractmethod
    def number_of(self, words: Sequence[str]) -> tuple[int, Sequence[str]]:
        """Return the number of an entry and its further words; ValueError where it has none."""

    @abstractmethod
    def put(self, number: int, entry: Entry) -> str:
        """Return what adds an entry."""

    @abstractmethod
    def drop(self, number: int) -> str:
        """Return what removes an entry."""

    @abstractmethod
    def read(self, words: Sequence[str]) -> Entry:
        """Return the entry of some words; ValueError where one of them is not known."""

    @abstractmethod
    def time_lines(self, name: str, one: Schedule) -> list[str]:
        """Return the definition of a time range."""

    @abstractmethod
    def undo_time(self, name: str) -> str:
        """Return what removes a time range."""

    @abstractmethod
    def read_time(self, node: Node) -> tuple[str, Schedule]:
        """Return name and content of a time range; ValueError for a kind that is not known."""


class RuleLists(ListDialect):
    """Numbered advanced access lists of VRP and Comware."""

    def head(self, name: str) -> str:
        """Return what enters a list."""
        return f"acl {'advanced' if self.platform == 'hp_comware' else 'number'} {name}"

    def name_of(self, line: str) -> str:
        """Return the number of the advanced list that a line enters, or nothing."""
        found = re.match(r"acl (?:number |advanced |name \S+ (?:advance )?)?(3\d{3})\b", line)
        return found[1] if found else ""

    def number_of(self, words: Sequence[str]) -> tuple[int, Sequence[str]]:
        """Return the number of an entry and its further words."""
        if words[0] != "rule":
            raise ValueError
        return int(words[1]), words[2:]

    def put(self, number: int, entry: Entry) -> str:
        """Return what adds an entry."""
        words = [f"rule {number} {entry.action} {_protocol(entry)}"]
        for side, span, ports in (
            ("source", entry.source, entry.sport),
            ("destination", entry.destination, entry.port),
        ):
            if span != ALL_ADDRESSES:
                wildcard = span[1] - span[0]
                words.append(f"{side} {IPv4Address(span[0])} {IPv4Address(wildcard) if wildcard else 0}")
            if ports != ALL_PORTS:
                words.append(f"{side}-port {_ports(ports)}")
        words += [f"time-range {entry.schedule}"] if entry.schedule else []
        return " ".join([*words, *(["logging"] if entry.log else [])])

    def drop(self, number: int) -> str:
        """Return what removes an entry."""
        return f"undo rule {number}"

    def read(self, words: Sequence[str]) -> Entry:
        """Return the entry of some words."""
        found = Entry(_action(words[0]), _number(words[1]), ALL_ADDRESSES, ALL_ADDRESSES)
        at = 2
        while at < len(words):
            word = words[at]
            if word in ("source", "destination"):
                if words[at + 1] == "any":
                    at += 2
                    continue
                found = with_range(found, word, _network(words[at + 1], words[at + 2]))
                at += 3
            elif word in ("source-port", "destination-port"):
                ports, count = _read_ports(words[at + 1 :])
                found = with_range(found, "sport" if word[0] == "s" else "port", ports)
                at += 1 + count
            elif word == "time-range":
                found = found._replace(schedule=words[at + 1])
                at += 2
            elif word in ("logging", "counting"):
                found = found._replace(log=found.log or word == "logging")
                at += 1
            else:
                raise ValueError(word)
        return found

    def time_lines(self, name: str, one: Schedule) -> list[str]:
        """Return the definition of a time range."""
        return [time_line(name, one)]

    def undo_time(self, name: str) -> str:
        """Return what removes a time range."""
        return f"undo time-range {name}"

    def read_time(self, node: Node) -> tuple[str, Schedule]:
        """Return name and content of a time range."""
        return read_time(node.line.split())


class ExtendedLists(ListDialect):
    """Named extended access lists of IOS and Ruijie."""

    leave = "exit"
    default = "deny"

    def head(self, name: str) -> str:
        """Return what enters a list."""
        return f"ip access-list extended {name}"

    def name_of(self, line: str) -> str:
        """Return the name of the list that a line enters, or nothing."""
        return line.removeprefix("ip access-list extended ") if line.startswith("ip access-list extended ") else ""

    def number_of(self, words: Sequence[str]) -> tuple[int, Sequence[str]]:
        """Return the number of an entry and its further words."""
        return int(words[0]), words[1:]

    def put(self, number: int, entry: Entry) -> str:
        """Return what adds an entry."""
        words = [f"{number} {entry.action} {_protocol(entry)}"]
        for span, ports in ((entry.source, entry.sport), (entry.destination, entry.port)):
            words.append(_extended(span))
            if ports != ALL_PORTS:
                words.append(_ports(ports))
        words += [f"time-range {entry.schedule}"] if entry.schedule else []
        return " ".join([*words, *(["log"] if entry.log else [])])

    def drop(self, number: int) -> str:
        """Return what removes an entry."""
        return f"no {number}"

    def read(self, words: Sequence[str]) -> Entry:
        """Return the entry of some words."""
        sides: list[tuple[tuple[int, int], tuple[int, int]]] = []
        at = 2
        for _ in range(2):
            span, count = _read_extended(words[at:])
            at += count
            ports = ALL_PORTS
            if words[at : at + 1] and words[at] in ("eq", "gt", "lt", "range"):
                ports, count = _read_ports(words[at:])
                at += count
            sides.append((span, ports))
        schedule, log = "", False
        while at < len(words):
            if words[at] == "time-range":
                schedule, at = words[at + 1], at + 2
            elif words[at] == "log":
                log, at = True, at + 1
            else:
                raise ValueError(words[at])
        (source, sport), (destination, port) = sides
        return Entry(_action(words[0]), _number(words[1]), source, destination, sport, port, schedule, log)

    def time_lines(self, name: str, one: Schedule) -> list[str]:
        """Return the definition of a time range; its last minute is meant to its end [K]."""
        days = "daily" if len(one.days) == 7 else " ".join(_DAYS[day] for day in one.days)
        last = one.end - 1
        clock = f"{one.first // 60}:{one.first % 60:02} to {last // 60}:{last % 60:02}"
        return [f"time-range {name}", f"periodic {days} {clock}", self.leave]

    def undo_time(self, name: str) -> str:
        """Return what removes a time range."""
        return f"no time-range {name}"

    def read_time(self, node: Node) -> tuple[str, Schedule]:
        """Return name and content of a time range."""
        (period,) = (child.line.split() for child in node.children)
        if period[0] != "periodic" or period[-2] != "to":
            raise ValueError(period[0])
        days = {day for word in period[1:-3] for day in _days(word)}
        return node.line.split()[1], Schedule(tuple(sorted(days)), _minute(period[-3]), _minute(period[-1]) + 1)


def list_dialect(platform: str) -> ListDialect:
    """Return how a platform writes access lists."""
    if platform in ("huawei_vrp", "hp_comware"):
        return RuleLists(platform)
    return ExtendedLists(platform)


def _protocol(entry: Entry) -> str:
    return "ip" if entry.protocol == ALL_PROTOCOLS else protocol_word(entry.protocol)


def _number(word: str) -> int:
    return ALL_PROTOCOLS if word == "ip" else protocol_number(word)


def _action(word: str) -> str:
    if word not in ("permit", "deny"):
        raise ValueError(word)
    return word


def _ports(pair: tuple[int, int]) -> str:
    return f"eq {pair[0]}" if pair[0] == pair[1] else f"range {pair[0]} {pair[1]}"


def _read_ports(words: Sequence[str]) -> tuple[tuple[int, int], int]:
    """Return a port range and the number of words that it took."""
    first = _port(words[1])
    match words[0]:
        case "eq":
            return (first, first), 2
        case "gt":
            return (first + 1, LAST_PORT), 2
        case "lt":
            return (0, first - 1), 2
        case "range":
            return (first, _port(words[2])), 3
    raise ValueError(words[0])


def _port(word: str) -> int:
    return _PORT_NAMES[word] if word in _PORT_NAMES else int(word)


def _network(address: str, wildcard: str) -> tuple[int, int]:
    """Return the span of an address with a wildcard; ValueError for one with holes."""
    low, width = int(IPv4Address(address)), int(IPv4Address(wildcard)) if "." in wildcard else int(wildcard)
    if width & (width + 1):
        raise ValueError(wildcard)
    return low & ~width & LAST_ADDRESS, low | width


def _extended(span: tuple[int, int]) -> str:
    if span == ALL_ADDRESSES:
        return "any"
    if span[0] == span[1]:
        return f"host {IPv4Address(span[0])}"
    return f"{IPv4Address(span[0])} {IPv4Address(span[1] - span[0])}"


def _read_extended(words: Sequence[str]) -> tuple[tuple[int, int], int]:
    if words[0] == "any":
        return ALL_ADDRESSES, 1
    if words[0] == "host":
        return _network(words[1], "0"), 2
    return _network(words[0], words[1]), 2


def _days(word: str) -> Sequence[int]:
    return _DAY_GROUPS[word] if word in _DAY_GROUPS else (_DAYS.index(word),)


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)
