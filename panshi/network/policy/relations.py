"""Which rules of many overlap or contain each other: every pair at once, by one bit per rule (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from panshi.network.policy.rules import PERMIT, Rule, allowed
from panshi.network.policy.space import Product, Spans, remainder


def overlapping(rules: Sequence[Rule]) -> list[int]:
    """Return for every rule the others that share a packet with it, as bits by their place in the list.

    A rule of several products is compared as the product of their unions, so a bit may be set for a pair that shares
    nothing; no bit is missing.
    """
    hulls = [_hull(rule) for rule in rules]
    every = (1 << len(rules)) - 1
    found = [every] * len(rules)
    for axis in range(len(Product._fields)):
        masks = _axis([hull[axis] for hull in hulls])
        found = [bits & masks[hull[axis]] for bits, hull in zip(found, hulls, strict=True)]
    return found


def opened(new: Sequence[Rule], old: Sequence[Rule]) -> Iterator[tuple[Rule, Product]]:
    """Yield what the first rules let through and the second do not, with the rule that does; the default is deny."""
    bits = overlapping([*new, *old])
    for number, rule in enumerate(new):
        if rule.action == PERMIT:
            left = remainder(rule.match, matches(new, bits[number] & ((1 << number) - 1)))
            others = [old[place] for place in places(bits[number] >> len(new))]
            yield from ((rule, piece) for piece in allowed(others, left)[1])


def matches(rules: Sequence[Rule], bits: int) -> list[Product]:
    """Return what some rules match."""
    return [product for place in places(bits) for product in rules[place].match]


def places(bits: int) -> list[int]:
    """Return the numbers of the bits that are set, rising."""
    found = []
    while bits:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return found


def _hull(rule: Rule) -> tuple[Spans, ...]:
    if len(rule.match) == 1:
        return tuple(rule.match[0])
    return tuple(tuple(sorted({span for one in rule.match for span in one[axis]})) for axis in range(7))


def _axis(values: Sequence[Spans]) -> dict[Spans, int]:
    """Return for each value on one axis the rules whose value shares a number with it.

    The numbers fall into segments within which no value begins or ends; rules are noted per segment.
    """
    owners: dict[Spans, int] = {}
    for number, value in enumerate(values):
        owners[value] = owners.get(value, 0) | 1 << number
    edges = sorted({edge for value in owners for low, high in value for edge in (low, high + 1)})
    index = {edge: place for place, edge in enumerate(edges)}
    segments = [0] * len(edges)
    ranges = {value: [(index[low], index[high + 1]) for low, high in value] for value in owners}
    for value, bits in owners.items():
        for first, last in ranges[value]:
            for place in range(first, last):
                segments[place] |= bits
    found = {}
    for value, pieces in ranges.items():
        bits = 0
        for first, last in pieces:
            for place in range(first, last):
                bits |= segments[place]
        found[value] = bits
    return found
