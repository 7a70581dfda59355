"""Access lists: what a policy set makes of them, and the way from one to another, entry by entry (pure).

Entries are single lines, so each counts whole. The order of the steps is that of ``steps.py``: new entries from the
top, then old ones away from the bottom. Devices refuse an entry that repeats another one of the same list [D: H3C
operation manuals, "the rule already exists"; taken to hold for the others], so an entry that only moves is represented
by its two halves while its old place is cleared. An entry that has no halves (one address to one address, any port):
a deny is represented by a wider deny, a permit is away for one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from ipaddress import IPv4Address, summarize_address_range
from typing import Any, NamedTuple

from panshi.errors import PanshiError
from panshi.network.policy.firewall import object_named
from panshi.network.policy.model import Device, Policy, PolicySet, Schedule, Service
from panshi.network.policy.rules import DENY, Rule
from panshi.network.policy.space import (
    ANY_TIME,
    LAST_ADDRESS,
    LAST_PORT,
    LAST_PROTOCOL,
    PORTED,
    Product,
    Spans,
)
from panshi.network.policy.steps import longest

ALL_ADDRESSES, ALL_PORTS, ALL_PROTOCOLS = (0, LAST_ADDRESS), (0, LAST_PORT), -1
_SPACING = 10


class Entry(NamedTuple):
    """One line of an access list.

    Args:
        action: permit or deny.
        protocol: number, or ``ALL_PROTOCOLS``.
        source: first and last address of one network.
        destination: first and last address of one network.
        sport: range.
        port: range.
        schedule: name of a time range, or empty.
        log: whether hits are logged.
    """

    action: str
    protocol: int
    source: tuple[int, int]
    destination: tuple[int, int]
    sport: tuple[int, int] = ALL_PORTS
    port: tuple[int, int] = ALL_PORTS
    schedule: str = ""
    log: bool = False

    def statement(self) -> Entry:
        """Return what a device compares to refuse a repetition."""
        return self._replace(log=False)


CLEANUP = Entry(DENY, ALL_PROTOCOLS, ALL_ADDRESSES, ALL_ADDRESSES)
Numbered = tuple[tuple[int, Entry], ...]


@dataclass(frozen=True, slots=True)
class Lists:
    """The access lists of a device in the order of their numbers, and the time ranges that they may use."""

    entries: Mapping[str, Numbered] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)

    def effective(self, name: str, origin: int, target: int) -> list[Rule]:
        """Return what a list between two zones (by number) does; the default is not among it."""
        return [
            Rule(f"{name} {number}", entry.action, (self._match(entry, origin, target),))
            for number, entry in self.entries.get(name, ())
        ]

    def used(self) -> set[str]:
        """Return the time ranges that entries refer to."""
        return {entry.schedule for one in self.entries.values() for _, entry in one if entry.schedule}

    def _match(self, entry: Entry, origin: int, target: int) -> Product:
        return Product(
            ((origin, origin),),
            ((target, target),),
            self.schedules[entry.schedule].minutes() if entry.schedule else ANY_TIME,
            (entry.source,),
            (entry.sport,),
            (entry.destination,),
            (_services(entry),),
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the access lists of a device shall hold, in order; the numbers follow from what is there."""

    entries: Mapping[str, tuple[Entry, ...]]
    schedules: Mapping[str, Schedule]


@dataclass(frozen=True, slots=True)
class Put:
    """Add an entry under a number that is free."""

    number: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove the entry of a number."""

    number: int


def compiled_lists(policies: PolicySet, device: Device, now: Lists, today: date) -> Wanted:
    """Return what the access lists of a device shall hold.

    Each ends with a deny of everything: VRP and Comware let through what no entry matches [K: traffic-filter and
    packet-filter defaults].

    Args:
        policies: the set.
        device: one that has lists.
        now: what it holds, for the names of time ranges.
        today: permits that have expired before are left out.
    """
    schedules = dict(now.schedules)
    found = {}
    for name, (origin, target) in device.lists.items():
        entries: dict[Entry, Entry] = {}
        for policy in policies.policies:
            if not policy.holds(today) or (policy.on and device.name not in policy.on):
                continue
            if (policy.origin and origin not in policy.origin) or (policy.target and target not in policy.target):
                continue
            named = policy.schedule
            if named:
                named = object_named(named, policies.schedules[named], schedules)
            for entry in _entries(policies, policy, named):
                entries.setdefault(entry.statement(), entry)  # a repetition never matches
        entries.setdefault(CLEANUP, CLEANUP)
        found[name] = tuple(entries.values())
    used = {entry.schedule for one in found.values() for entry in one if entry.schedule}
    return Wanted(found, {name: schedules[name] for name in sorted(used)})


def list_steps(old: Numbered, new: Sequence[Entry]) -> list[Put | Drop]:
    """Return the way from the entries of a list to others; empty when nothing differs.

    Raises:
        PanshiError: PS-E8106 an entry cannot be moved because everything that could stand for it is there already.
    """
    places = {entry: number for number, entry in old}
    fixed = set(longest([entry for entry in new if entry in places], places))
    moving = {entry.statement(): number for number, entry in old}
    numbers = _numbers(places, moving, new, fixed)
    taken = {entry.statement() for entry in (*places, *new)}
    found: list[Put | Drop] = []
    later: dict[int, list[Put | Drop]] = {}
    for entry in new:
        if entry in fixed:
            continue
        free = numbers[entry]
        if (place := moving.get(entry.statement())) is None:
            found.append(Put(free[0], entry))
            continue
        stand_ins = _stand_ins(entry, taken)
        taken |= set(stand_ins)
        found += [Put(number, one) for number, one in zip(free, stand_ins, strict=False)]
        later[place] = [
            Put(free[2], entry),
            *(Drop(number) for number, _ in zip(free, stand_ins, strict=False)),
        ]
    for number, entry in reversed(old):
        if entry not in fixed:
            found += [Drop(number), *later.get(number, ())]
    return found


def networks(spans: Spans) -> Iterator[tuple[int, int]]:
    """Yield the networks that make up spans, as first and last address."""
    for low, high in spans:
        for one in summarize_address_range(IPv4Address(low), IPv4Address(high)):
            yield int(one.network_address), int(one.broadcast_address)


def with_range(entry: Entry, side: str, pair: tuple[int, int]) -> Entry:
    """Return an entry with another range of addresses or ports."""
    change: dict[str, Any] = {side: pair}
    return entry._replace(**change)


def _entries(policies: PolicySet, policy: Policy, schedule: str) -> Iterator[Entry]:
    services = [one for name in policy.service for one in policies.services[name]] or [Service(ALL_PROTOCOLS)]
    for source in networks(policies.address(policy.source)):
        for destination in networks(policies.address(policy.destination)):
            for one in services:
                ends = (source, destination, one.sport, one.port)
                yield Entry(policy.action, one.protocol, *ends, schedule, policy.log)


def _services(entry: Entry) -> tuple[int, int]:
    if entry.protocol == ALL_PROTOCOLS:
        return 0, (LAST_PROTOCOL << 16) | LAST_PORT
    return (entry.protocol << 16) | entry.port[0], (entry.protocol << 16) | entry.port[1]


def _numbers(
    places: Mapping[Entry, int], moving: Mapping[Entry, int], new: Sequence[Entry], fixed: set[Entry]
) -> dict[Entry, list[int]]:
    """Return free numbers for every entry that is not fixed: one, or three for one that moves.

    Where there is no room before a fixed entry, that one moves as well (and is taken out of ``fixed``).
    """
    taken = set(places.values())
    while True:
        found: dict[Entry, list[int]] = {}
        low = 0
        run: list[tuple[Entry, int]] = []
        for entry in new:
            if entry not in fixed:
                run.append((entry, 3 if entry.statement() in moving else 1))
                continue
            free = _free(low, places[entry], taken, sum(count for _, count in run))
            if free is None:
                fixed.discard(entry)
                break
            _deal(run, free, found)
            run, low = [], places[entry]
        else:
            _deal(run, _tail(low, taken, sum(count for _, count in run)), found)
            return found


def _deal(run: Sequence[tuple[Entry, int]], free: Sequence[int], found: dict[Entry, list[int]]) -> None:
    at = 0
    for entry, count in run:
        found[entry] = list(free[at : at + count])
        at += count


def _free(low: int, high: int, taken: set[int], count: int) -> list[int] | None:
    """Return numbers spread between two, or None where there are too few."""
    inside = sorted(number for number in taken if low < number < high)
    room = high - low - 1 - len(inside)
    if room < count:
        return None
    found, at = [], 0
    for number in range(1, count + 1):
        one = low + number * (room + 1) // (count + 1) + at
        while at < len(inside) and inside[at] <= one:
            one, at = one + 1, at + 1
        found.append(one)
    return found


def _tail(low: int, taken: set[int], count: int) -> list[int]:
    found: list[int] = []
    number = low
    while len(found) < count:
        number = (number // _SPACING + 1) * _SPACING
        if number not in taken:
            found.append(number)
    return found


def _stand_ins(entry: Entry, taken: set[Entry]) -> list[Entry]:
    """Return what stands for an entry while it moves: its halves, a wider deny, or nothing for a permit."""
    for halves in _halves(entry):
        if not {one.statement() for one in halves} & taken:
            return halves
    if entry.action != DENY:
        return []
    for wider in (entry._replace(destination=ALL_ADDRESSES), entry._replace(source=ALL_ADDRESSES)):
        if wider.statement() not in taken:
            return [wider]
    raise PanshiError(
        "PS-E8106",
        f"访问列表中 {IPv4Address(entry.source[0])} 到 {IPv4Address(entry.destination[0])} 的 deny 无法安全地移动位置",
        "先把它之外的改动推送下去，再单独调整它的位置",
    )


def _halves(entry: Entry) -> Iterator[list[Entry]]:
    ports = ("port", "sport") if entry.protocol in PORTED else ()
    for side in ("source", "destination", *ports):
        low, high = getattr(entry, side)
        if low < high:
            middle = (low + high) // 2
            yield [with_range(entry, side, (low, middle)), with_range(entry, side, (middle + 1, high))]
