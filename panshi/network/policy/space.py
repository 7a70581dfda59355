"""Sets of packets, exactly: products of integer intervals over seven axes (pure).

A packet is a point: zone it comes from, zone it goes to, minute of the week, source address, source port, destination
address, and service. The service axis holds protocol and destination port in one number (``protocol * 65536 + port``),
so that a list of services is one set of intervals; protocols without ports use all port numbers, which stand for the
same packet. Addresses are IPv4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address
from typing import NamedTuple

# Disjoint, sorted, not adjacent, never empty within a product.
Spans = tuple[tuple[int, int], ...]

FROM, TO, TIME, SOURCE, SPORT, DESTINATION, SERVICE = range(7)
LAST_PORT, LAST_ADDRESS, LAST_PROTOCOL = 65535, (1 << 32) - 1, 255
MINUTES = 7 * 24 * 60
ANY_ADDRESS: Spans = ((0, LAST_ADDRESS),)
ANY_PORT: Spans = ((0, LAST_PORT),)
ANY_SERVICE: Spans = ((0, (LAST_PROTOCOL << 16) | LAST_PORT),)
ANY_TIME: Spans = ((0, MINUTES - 1),)
PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "ospf": 89, "sctp": 132}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}
# Protocols with ports; of all others the port numbers mean nothing.
PORTED = (6, 17, 132)
_DAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")


class Product(NamedTuple):
    """The packets whose every axis lies within the spans."""

    origin: Spans
    target: Spans
    time: Spans
    source: Spans
    sport: Spans
    destination: Spans
    service: Spans


class Packet(NamedTuple):
    """One packet; zones are numbers of the policy set, ``time`` minutes since Monday 00:00."""

    origin: int
    target: int
    time: int
    source: int
    sport: int
    destination: int
    service: int

    def text(self, zones: Sequence[str]) -> str:
        """Return the packet in Chinese."""
        protocol, port = divmod(self.service, LAST_PORT + 1)
        ends = [str(IPv4Address(one)) for one in (self.source, self.destination)]
        name = PROTOCOL_NAMES.get(protocol, f"协议 {protocol}")
        if protocol in PORTED:
            ends = [f"{ends[0]}:{self.sport}", f"{ends[1]}:{port}"]
        day, minute = divmod(self.time, 24 * 60)
        when = f"，{_DAYS[day]} {minute // 60:02}:{minute % 60:02}" if self.time else ""
        return f"{zones[self.origin]} → {zones[self.target]} {name} {ends[0]} → {ends[1]}{when}"


def spans(pairs: Iterable[tuple[int, int]]) -> Spans:
    """Return the same numbers as disjoint, sorted spans that do not touch."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def common(left: Spans, right: Spans) -> Spans:
    """Return the numbers that are in both."""
    if left == right:
        return left
    found, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            found.append((low, high))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def without(left: Spans, right: Spans) -> Spans:
    """Return the numbers of the first that are not in the second."""
    found = []
    for low, high in left:
        at = low
        for first, last in right:
            if last < at or first > high:
                continue
            if first > at:
                found.append((at, first - 1))
            at = last + 1
        if at <= high:
            found.append((at, high))
    return tuple(found)


def meet(left: Product, right: Product) -> Product | None:
    """Return the packets that are in both, or None."""
    axes = []
    for one, other in zip(left, right, strict=True):
        both = common(one, other)
        if not both:
            return None
        axes.append(both)
    return Product(*axes)


def remove(left: Product, right: Product) -> list[Product]:
    """Return the packets of the first that are not in the second, as disjoint products."""
    both = meet(left, right)
    if both is None:
        return [left]
    found, rest = [], list(left)
    for axis, (own, shared) in enumerate(zip(left, both, strict=True)):
        if outside := without(own, shared):
            found.append(Product._make([*rest[:axis], outside, *rest[axis + 1 :]]))
            rest[axis] = shared
    return found


def remainder(products: Iterable[Product], others: Iterable[Product]) -> list[Product]:
    """Return the packets of the first list that are in none of the second."""
    rest = list(products)
    for other in others:
        rest = [piece for one in rest for piece in remove(one, other)]
        if not rest:
            break
    return rest


def overlap(products: Iterable[Product], others: Sequence[Product]) -> Iterator[Product]:
    """Yield the packets that are in both lists, some perhaps twice."""
    for one in products:
        for other in others:
            if both := meet(one, other):
                yield both


def sample(product: Product) -> Packet:
    """Return one packet: the lowest of every axis, but a real protocol, port and address where there is a choice."""
    service = next((value for value in (6 << 16 | 443, 17 << 16 | 53, 1 << 16) if _holds(product.service, value)), None)
    source, destination = (_host(axis) for axis in (product.source, product.destination))
    sport = 50000 if _holds(product.sport, 50000) else product.sport[0][0]
    first = product.service[0][0] if service is None else service
    return Packet(
        product.origin[0][0], product.target[0][0], product.time[0][0], source, sport, destination, first
    )  # fmt: skip


def holds(product: Product, packet: Packet) -> bool:
    """Return whether a packet is in a product."""
    return all(_holds(axis, value) for axis, value in zip(product, packet, strict=True))


def volume(product: Product) -> int:
    """Return how many packets are in a product."""
    found = 1
    for axis in product:
        found *= sum(high - low + 1 for low, high in axis)
    return found


def _holds(axis: Spans, value: int) -> bool:
    return any(low <= value <= high for low, high in axis)


def _host(axis: Spans) -> int:
    low, high = axis[0]
    return low + 1 if high > low else low
