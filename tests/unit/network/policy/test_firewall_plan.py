"""Plans for firewalls, line by line: after every line a packet is treated as before or as after the change."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from panshi.network.policy.dialect import Dialect
from panshi.network.policy.firewall import Firewall, compiled
from panshi.network.policy.secpath import SecPath
from panshi.network.policy.steps import steps
from panshi.network.policy.usg import Usg

from .boxes import Box
from .worlds import ZONES, allowed, made, policies

TODAY = date(2026, 11, 22)
DIALECTS: dict[str, Dialect] = {"huawei_usg": Usg(), "h3c_secpath": SecPath()}


def devices(platform: str) -> dict[str, Any]:
    return {"fw": {"platform": platform}}


def box_of(platform: str) -> Box:
    dialect = DIALECTS[platform]
    return Box(dialect.view, dialect.activate)


def read(platform: str, box: Box) -> Firewall:
    return DIALECTS[platform].parse(box.text(), "fw")


def lines_to(platform: str, now: Firewall, document: dict[str, Any]) -> tuple[list[str], Firewall]:
    found = made(document)
    new = compiled(found, found.devices["fw"], now, TODAY)
    return DIALECTS[platform].lines(steps(now, new), new), new


def effect(firewall: Firewall) -> int:
    return allowed(firewall.effective(ZONES), firewall.default)


def told(platform: str, box: Box, lines: list[str]) -> list[int]:
    """Say the lines; return what is allowed after each."""
    found = []
    for line in lines:
        box.say(line)
        found.append(effect(read(platform, box)))
    return found


def between(found: list[int], old: int, new: int) -> list[int]:
    """Return the numbers of the lines after which a packet is treated as neither side treats it."""
    return [number for number, now in enumerate(found) if now & ~(old | new) or (old & new) & ~now]


@pytest.mark.parametrize("platform", DIALECTS)
def test_parsed_random_changes_open_and_cut_nothing(platform: str) -> None:
    @settings(max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))
    @given(policies(devices(platform)), policies(devices(platform)))
    def run(before: dict[str, Any], after: dict[str, Any]) -> None:
        box = box_of(platform)
        first, _ = lines_to(platform, read(platform, box), before)
        told(platform, box, first)
        now = read(platform, box)
        old = effect(now)
        assert old == allowed(made(before).rules(TODAY))
        lines, _ = lines_to(platform, now, after)
        new = allowed(made(after).rules(TODAY))
        states = told(platform, box, lines)
        assert between(states, old, new) == [], lines
        assert box.path == []
        final = read(platform, box)
        assert effect(final) == new
        again, _ = lines_to(platform, final, after)
        assert again == []

    run()
