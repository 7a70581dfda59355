"""The emitted lines, each said to an emulated device in its real order: no line opens or cuts what both sides agree on.

The emulator knows the platforms' commands from its own files. On a SecPath changed rules match only after acceleration,
which the device may do by itself at any moment: so what is configured must be safe, and what matches still, with and
without the rules that were deleted meanwhile.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from emulators.network import Device
from emulators.network.session import Session
from hypothesis import Phase, assume, given, settings

from panshi.errors import PanshiError
from panshi.network.policy.change import device_change, firewall_dialect
from panshi.network.policy.firewall import Firewall
from panshi.network.policy.lists_text import list_dialect

from .test_list_plan import PAIR, name_on
from .test_list_plan import devices as list_devices
from .worlds import ALL, ZONES, allowed, made, policies

TODAY = date(2026, 11, 22)
# A failing example is not made smaller: that takes minutes, and the lines are in the message.
BOUNDED = settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
RUNS_ON = {"huawei_usg": "huawei_vrp", "h3c_secpath": "hp_comware"}


class Line:
    """A session with an emulated device, without a network."""

    def __init__(self, platform: str) -> None:
        self.device = Device("fw", platform, second=1000.0)
        self.session = Session(self.device, None, "ops")  # type: ignore[arg-type]
        self.session.configuring = True

    def say(self, line: str) -> None:
        said = asyncio.run(self.session.carry_out(line))
        assert said == "", (line, said)

    @property
    def running(self) -> str:
        return self.device.running


class FirewallStates:
    """What a firewall lets through while lines are said to it."""

    def __init__(self, platform: str) -> None:
        self.dialect = firewall_dialect(platform)
        self.line = Line(RUNS_ON[platform])
        # What matches if deleted rules go with the next acceleration, and if they go at once.
        self.late = self.early = Firewall()

    def now(self) -> Firewall:
        return self.dialect.parse(self.line.running, "fw")

    def say(self, line: str) -> list[int]:
        """Say a line; return every set of packets that may get through now."""
        self.line.say(line)
        now = self.now()
        if not self.dialect.activate or line == self.dialect.activate:
            self.late = self.early = now
        left = {rule.name for rule in now.rules}
        self.early = replace(self.early, rules=tuple(rule for rule in self.early.rules if rule.name in left))
        return [
            allowed(replace(now, rules=one.rules).effective(ZONES), now.default) for one in (now, self.late, self.early)
        ]


@pytest.mark.parametrize("platform", RUNS_ON)
def test_emulated_lines_of_a_firewall_open_and_cut_nothing(platform: str) -> None:
    @BOUNDED
    @given(policies({"fw": {"platform": platform}}, 5), policies({"fw": {"platform": platform}}, 5))
    def run(before: dict[str, Any], after: dict[str, Any]) -> None:
        states = FirewallStates(platform)
        for line in device_change(made(before), "fw", states.line.running, TODAY).commands:
            states.say(line)
        old, new = (allowed(made(one).rules(TODAY)) for one in (before, after))
        commands = device_change(made(after), "fw", states.line.running, TODAY).commands
        for line in commands:
            for state in states.say(line):
                assert not state & ~(old | new), (line, commands)
                assert not old & new & ~state, (line, commands)
        assert states.line.session.views == []
        assert states.late.rules == states.now().rules
        assert device_change(made(after), "fw", states.line.running, TODAY).commands == ()

    run()


@pytest.mark.parametrize("platform", RUNS_ON)
def test_emulated_a_careless_order_is_seen(platform: str) -> None:
    sides = {"from": ["any"], "to": ["any"], "destination": ["any"], "service": ["any"]}
    whose = {"owner": "张三", "ticket": "CHG-1"}
    shared = {
        "zones": {"office": "", "dmz": ""},
        "addresses": {"a": ["192.0.2.1"]},
        "devices": {"fw": {"platform": platform}},
    }
    stop = {**whose, **sides, "source": ["a"], "action": "deny"}
    rest = {**whose, **sides, "source": ["any"], "action": "permit", "name": "rest"}
    before = {**shared, "policies": [{**stop, "name": "stop"}, rest]}
    states = FirewallStates(platform)
    for line in device_change(made(before), "fw", states.line.running, TODAY).commands:
        states.say(line)
    old = allowed(made(before).rules(TODAY))
    states.say(states.dialect.view)
    opened = [state & ~old for state in states.say("undo rule name stop")]
    assert any(opened)
    assert all(opened) == (platform == "huawei_usg")  # a SecPath may go on matching it for a while


@pytest.mark.parametrize("platform", ("huawei_vrp", "hp_comware", "cisco_ios", "ruijie_os"))
def test_emulated_lines_of_a_list_open_nothing(platform: str) -> None:
    dialect, name = list_dialect(platform), name_on(platform)

    def through(line: Line) -> int:
        lists = dialect.parse(line.running, "sw", [name])
        return (allowed(lists.effective(name, 0, 1), dialect.default) if lists.entries.get(name) else ALL) & PAIR

    def changed(line: Line, document: dict[str, Any]) -> tuple[str, ...]:
        try:
            return device_change(made(document), "sw", line.running, TODAY).commands
        except PanshiError as error:
            assume(error.code != "PS-E8106")  # said, and nothing done
            raise

    @BOUNDED
    @given(policies(list_devices(platform), 4), policies(list_devices(platform), 4))
    def run(before: dict[str, Any], after: dict[str, Any]) -> None:
        line = Line(platform)
        for one in changed(line, before):
            line.say(one)
        old, new = (allowed(made(one).rules(TODAY)) & PAIR for one in (before, after))
        for one in changed(line, after):
            line.say(one)
            assert not through(line) & ~(old | new), one
        assert through(line) == new
        assert changed(line, after) == ()

    run()
