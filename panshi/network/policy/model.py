"""A policy set: zones, objects and ordered policies, and the packets that they mean (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import NamedTuple

from panshi.network.policy.rules import PERMIT, Rule
from panshi.network.policy.space import (
    ANY_ADDRESS,
    ANY_PORT,
    ANY_SERVICE,
    ANY_TIME,
    LAST_PORT,
    PROTOCOL_NAMES,
    Product,
    Spans,
    spans,
)

ANY = "any"


class Service(NamedTuple):
    """One protocol with its port ranges (inclusive); all ports where it has none."""

    protocol: int
    port: tuple[int, int] = (0, LAST_PORT)
    sport: tuple[int, int] = (0, LAST_PORT)

    def text(self) -> str:
        """Return the service as a policy set writes it."""
        text = PROTOCOL_NAMES.get(self.protocol, str(self.protocol))
        if self.port != (0, LAST_PORT):
            text += f"/{_range(self.port)}"
        return text if self.sport == (0, LAST_PORT) else f"{text} from {_range(self.sport)}"


class Schedule(NamedTuple):
    """Days (0 is Monday) and minutes of the day, the end exclusive."""

    days: tuple[int, ...]
    first: int
    end: int

    def minutes(self) -> Spans:
        """Return the minutes of the week."""
        return spans((day * 1440 + self.first, day * 1440 + self.end - 1) for day in self.days)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy; empty ``origin``, ``target``, ``source``, ``destination``, ``service`` mean any.

    Args:
        name: its identity on every device.
        owner: person and office that answer for it.
        ticket: number of the request.
        expires: last day on which it holds, or None.
        origin: zones.
        target: zones.
        source: names of addresses.
        destination: names of addresses.
        service: names of services.
        schedule: name, or empty.
        action: permit or deny.
        log: whether hits are logged.
        enabled: whether it is in force.
        on: devices; empty for all that have its zones.
    """

    name: str
    owner: str
    ticket: str
    expires: date | None
    origin: tuple[str, ...]
    target: tuple[str, ...]
    source: tuple[str, ...]
    destination: tuple[str, ...]
    service: tuple[str, ...]
    schedule: str
    action: str
    log: bool
    enabled: bool
    on: tuple[str, ...]

    def is_expired(self, today: date) -> bool:
        """Return whether its last day is over."""
        return self.expires is not None and self.expires < today

    def holds(self, today: date) -> bool:
        """Return whether it decides anything: an expired permit does not, an expired deny does until it is removed."""
        return self.enabled and not (self.action == PERMIT and self.is_expired(today))


@dataclass(frozen=True, slots=True)
class Device:
    """A firewall with the names that it gives to zones, or a device with access lists between two zones each.

    Args:
        name: as in the inventory.
        platform: one of ``schema.PLATFORMS``.
        zones: of a firewall, the set's name to the device's.
        lists: of other devices, name or number of an access list to (zone from, zone to).
    """

    name: str
    platform: str
    zones: Mapping[str, str]
    lists: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Published:
    """A service that shall be reachable."""

    name: str
    match: tuple[Product, ...]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Everything of a policy set, resolved.

    ``zones`` are in the document's order, their index is their number, ``titles`` what they are called; ``digest`` is
    the SHA-256 of the document.
    """

    file: str
    zones: tuple[str, ...]
    titles: tuple[str, ...]
    addresses: Mapping[str, Spans]
    services: Mapping[str, tuple[Service, ...]]
    schedules: Mapping[str, Schedule]
    devices: Mapping[str, Device]
    policies: tuple[Policy, ...]
    published: tuple[Published, ...]
    digest: str

    def rule(self, policy: Policy) -> Rule:
        """Return the packets of a policy, whether it is in force or not."""
        return Rule(
            policy.name,
            policy.action,
            products(
                self._zones(policy.origin),
                self._zones(policy.target),
                self.schedules[policy.schedule].minutes() if policy.schedule else ANY_TIME,
                self.address(policy.source),
                self.address(policy.destination),
                [one for name in policy.service for one in self.services[name]],
            ),
        )

    def rules(self, today: date) -> list[Rule]:
        """Return the rules that are in force on a day."""
        return [self.rule(policy) for policy in self.policies if policy.holds(today)]

    def address(self, names: Sequence[str]) -> Spans:
        """Return the addresses of some objects; all for none."""
        return spans(pair for name in names for pair in self.addresses[name]) if names else ANY_ADDRESS

    def _zones(self, names: Sequence[str]) -> Spans:
        numbers = [self.zones.index(name) for name in names] or range(len(self.zones))
        return spans((number, number) for number in numbers)


def products(
    origin: Spans, target: Spans, time: Spans, source: Spans, destination: Spans, services: Sequence[Service]
) -> tuple[Product, ...]:
    """Return the packets of conditions that all hold; no service means any."""
    if not services:
        return (Product(origin, target, time, source, ANY_PORT, destination, ANY_SERVICE),)
    by_sport: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for one in services:
        base = one.protocol << 16
        by_sport.setdefault(one.sport, []).append((base | one.port[0], base | one.port[1]))
    return tuple(
        Product(origin, target, time, source, (sport,), destination, spans(pairs)) for sport, pairs in by_sport.items()
    )


def address_span(text: str) -> tuple[int, int]:
    """Return first and last address of ``a.b.c.d``, ``a.b.c.d/n`` or ``a.b.c.d-e.f.g.h``; ValueError otherwise."""
    try:
        if "-" in text:
            low, high = (int(IPv4Address(end.strip())) for end in text.split("-", 1))
            if low > high:
                raise ValueError
            return low, high
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"“{text}” 不是地址、网段（主机位须为 0）、范围或已有的对象") from error
    if not isinstance(network, IPv4Network):
        raise ValueError(f"“{text}” 是 IPv6，目前只支持 IPv4")
    return int(network.network_address), int(network.broadcast_address)


def _range(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}-{pair[1]}"
