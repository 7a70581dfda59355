"""The connectivity matrix: which services are open from zone to zone, and whether they are those published (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from panshi.network.policy.model import PolicySet
from panshi.network.policy.relations import matches, overlapping
from panshi.network.policy.rules import PERMIT, Rule, allowed
from panshi.network.policy.space import (
    FROM,
    LAST_PORT,
    PORTED,
    PROTOCOL_NAMES,
    TO,
    Packet,
    Product,
    Spans,
    common,
    overlap,
    remainder,
    sample,
    spans,
)


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether exactly what is published is open.

    Args:
        closed: published services with a packet that does not get through, and the policy that stops it.
        open: policies that let a packet through that nobody has published, from a zone to which something is.
    """

    closed: tuple[tuple[str, Packet, str], ...]
    open: tuple[tuple[str, Packet], ...]


def matrix(rules: Sequence[Rule], zones: Sequence[str]) -> list[list[str]]:
    """Return for each pair of zones the services that some packet may use: rows from, columns to."""
    open_to = _open(rules)
    found = []
    for origin in range(len(zones)):
        row = []
        for target in range(len(zones)):
            pairs = [
                pair
                for _, piece in open_to
                if _has(piece[FROM], origin) and _has(piece[TO], target)
                for pair in piece.service
            ]
            row.append(services_text(spans(pairs)))
        found.append(row)
    return found


def proof(policies: PolicySet, today: date) -> Proof:
    """Return what is published and closed, and what is open and not published.

    Args:
        policies: the set; its ``published`` services are what shall be open: all of them, and nothing else from the
            zones that they are published to.
        today: permits that have expired before do not count.
    """
    rules = policies.rules(today)
    closed = []
    for one in policies.published:
        for piece in allowed(rules, one.match)[1]:
            packet = sample(piece)
            by = next((rule.name for rule in rules if any(overlap([piece], rule.match))), "默认拒绝")
            closed.append((one.name, packet, by))
            break
    published = [product for one in policies.published for product in one.match]
    origins = spans(pair for product in published for pair in product.origin)
    more: dict[str, Packet] = {}
    for name, whole in _open(rules):
        if not (origin := common(whole.origin, origins)):
            continue
        piece = whole._replace(origin=origin)
        if name not in more and (left := remainder([piece], published)):
            more[name] = sample(left[0])
    return Proof(tuple(closed), tuple(more.items()))


def services_text(pairs: Spans) -> str:
    """Return a set of the service axis in words."""
    found = []
    for low, high in pairs:
        first, last = low >> 16, high >> 16
        if (first, last) == (0, 255):
            return "任意"
        if first != last:
            found.append(f"协议 {first}-{last}")
            continue
        name, ports = PROTOCOL_NAMES.get(first, f"协议 {first}"), (low & LAST_PORT, high & LAST_PORT)
        if first not in PORTED or ports == (0, LAST_PORT):
            found.append(name)
        else:
            found.append(f"{name}/{ports[0]}" if ports[0] == ports[1] else f"{name}/{ports[0]}-{ports[1]}")
    return "、".join(found)


def _open(rules: Sequence[Rule]) -> list[tuple[str, Product]]:
    """Return the packets that get through, by the policy that lets them."""
    bits = overlapping(rules)
    found = []
    for number, rule in enumerate(rules):
        if rule.action == PERMIT:
            earlier = matches(rules, bits[number] & ((1 << number) - 1))
            found += [(rule.name, piece) for piece in remainder(rule.match, earlier)]
    return found


def _has(axis: Spans, value: int) -> bool:
    return any(low <= value <= high for low, high in axis)
