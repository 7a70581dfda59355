"""Small worlds in which every packet can be tried, and policy sets that are made up in them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from panshi.network.policy.document import mistakes, understood
from panshi.network.policy.model import PolicySet
from panshi.network.policy.rules import PERMIT, Rule
from panshi.network.policy.space import Packet, Product, Spans

ZONES = ("office", "dmz")
ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
BASE = 0xC0000200
SERVICES = ["tcp/443", "udp/53", "icmp"]
POINTS = (
    (0, 1),
    (0, 1),
    (9 * 60, 23 * 60),
    (BASE + 1, BASE + 2, BASE + 3),
    (50000,),
    (BASE + 1, BASE + 2, BASE + 3),
    (6 << 16 | 443, 17 << 16 | 53, 1 << 16),
)
PACKETS = [Packet(*values) for values in itertools.product(*POINTS)]
ALL = (1 << len(PACKETS)) - 1


@cache
def axis_mask(axis: int, spans: Spans) -> int:
    return sum(
        1 << number for number, packet in enumerate(PACKETS) if any(low <= packet[axis] <= high for low, high in spans)
    )


@cache
def mask(product: Product) -> int:
    found = ALL
    for axis, spans in enumerate(product):
        found &= axis_mask(axis, spans)
    return found


def allowed(rules: Sequence[Rule], default: str = "deny") -> int:
    """Return the packets that get through, one bit each: by trying, not by set operations."""
    rest, through = ALL, 0
    for rule in rules:
        hit = rest & sum_of(rule)
        if rule.action == PERMIT:
            through |= hit
        rest &= ~hit
    return through | (rest if default == PERMIT else 0)


def sum_of(rule: Rule) -> int:
    found = 0
    for product in rule.match:
        found |= mask(product)
    return found


def some(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.one_of(
        st.just(["any"]), st.lists(st.sampled_from(values), min_size=1, max_size=len(values), unique=True).map(sorted)
    )


def policies(devices: dict[str, Any], most: int = 6) -> st.SearchStrategy[dict[str, Any]]:
    """Return documents whose policies are p0, p1, … in any order, over objects a, b and s, t of any content."""
    content = st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3, unique=True)
    policy = st.fixed_dictionaries(
        {
            "owner": st.just("张三"),
            "ticket": st.just("CHG-1"),
            "from": some(ZONES),
            "to": some(ZONES),
            "source": some(["a", "b"]),
            "destination": some(["a", "b"]),
            "service": some(["s", "t"]),
            "action": st.sampled_from(["permit", "deny"]),
        },
        optional={"schedule": st.just("work"), "enabled": st.booleans(), "log": st.booleans()},
    )
    service = st.lists(st.sampled_from(SERVICES), min_size=1, max_size=3, unique=True)
    named = st.permutations([f"p{number}" for number in range(most)]).flatmap(
        lambda names: st.lists(policy, min_size=1, max_size=most).map(
            lambda found: [{"name": name, **one} for name, one in zip(names, found, strict=False)]
        )
    )
    return st.fixed_dictionaries(
        {
            "zones": st.just({"office": "办公区", "dmz": "对外区"}),
            "addresses": st.fixed_dictionaries({"a": content, "b": content}),
            "services": st.fixed_dictionaries({"s": service, "t": service}),
            "schedules": st.fixed_dictionaries(
                {"work": st.sampled_from([WORK, {**WORK, "to": "24:00"}])},
            ),
            "devices": st.just(devices),
            "policies": named,
        }
    )


WORK = {"days": ["mon", "tue"], "from": "08:00", "to": "18:00"}


def made(document: dict[str, Any]) -> PolicySet:
    assert mistakes(document, "policies.yml") == []
    return understood(document, "policies.yml")
