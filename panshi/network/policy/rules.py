"""Ordered rules over packets: what the first match decides (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from panshi.network.policy.space import Packet, Product, holds, overlap, remainder

PERMIT, DENY = "permit", "deny"


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to packets that no earlier rule matches.

    Args:
        name: of the policy, or of the line that it comes from.
        action: permit or deny.
        match: the packets; disjoint products are not required.
    """

    name: str
    action: str
    match: tuple[Product, ...]


def verdict(rules: Sequence[Rule], packet: Packet, default: str = DENY) -> tuple[str, str]:
    """Return (action, name of the rule) for a packet; the name is empty where the default decides."""
    for rule in rules:
        if any(holds(product, packet) for product in rule.match):
            return rule.action, rule.name
    return default, ""


def decided(rules: Sequence[Rule], products: Sequence[Product]) -> Iterator[tuple[Rule | None, Product]]:
    """Yield disjoint pieces of a set of packets with the rule that decides them; None is the default."""
    rest = disjoint(products)
    for rule in rules:
        if not rest:
            return
        hit = list(overlap(rest, rule.match))
        if hit:
            yield from ((rule, piece) for piece in disjoint(hit))
            rest = remainder(rest, rule.match)
    yield from ((None, piece) for piece in rest)


def allowed(
    rules: Sequence[Rule], products: Sequence[Product], default: str = DENY
) -> tuple[list[Product], list[Product]]:
    """Return those packets of a set that get through, and those that do not."""
    through: list[Product] = []
    kept: list[Product] = []
    for rule, piece in decided(rules, products):
        (through if (rule.action if rule else default) == PERMIT else kept).append(piece)
    return through, kept


def disjoint(products: Sequence[Product]) -> list[Product]:
    """Return the same packets as products that do not overlap."""
    found: list[Product] = []
    for one in products:
        found += remainder([one], found)
    return found
