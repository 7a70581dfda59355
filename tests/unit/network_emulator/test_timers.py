"""Ways back that a device has itself: candidates, trials, delays, confirmed changes, a restart."""

from __future__ import annotations

import pytest
from emulators.network import Device, Typist, emulated, until

ARCHIVE = "archive\n path flash:backup\n"
# platform, how the timer is armed, how it is kept, how it is taken back at once
TIMERS = [
    ("huawei_vrpv8", ["system-view", "vlan batch 10", "commit trial 60"], ["commit"], ["abort trial"]),
    ("hp_comware", ["system-view", "configuration commit delay 1", "vlan 10", "quit"], ["configuration commit"], []),
    (
        "cisco_ios",
        ["configure terminal revert timer 1", "vlan 10", "end"],
        ["configure confirm"],
        ["configure revert now"],
    ),
]


def vlan(device: Device) -> bool:
    return any(line.startswith("vlan") for line in device.lines)


@pytest.mark.parametrize(("name", "arms", "keeps", "takes_back"), TIMERS)
def test_emulated_a_timer_takes_back_what_is_not_confirmed(
    name: str, arms: list[str], keeps: list[str], takes_back: list[str]
) -> None:
    device = Device("SW1", name, config=ARCHIVE if name == "cisco_ios" else "", second=0.002)
    with emulated(device):
        before = device.running
        with Typist(device) as terminal:
            terminal.lines(*arms)
            assert vlan(device)
        until(lambda: device.running == before)  # although the session that armed it is gone


@pytest.mark.parametrize(("name", "arms", "keeps", "takes_back"), TIMERS)
def test_emulated_a_timer_that_is_confirmed_keeps(
    name: str, arms: list[str], keeps: list[str], takes_back: list[str]
) -> None:
    device = Device("SW1", name, config=ARCHIVE if name == "cisco_ios" else "")
    with emulated(device), Typist(device) as terminal:
        terminal.lines(*arms)
        assert device.timer is not None
        terminal.lines(*keeps)
        assert device.timer is None
        assert vlan(device)
        terminal.lines(*(keeps if name != "huawei_vrpv8" else ["abort trial"]))
        assert not device.journal[-1].accepted  # nothing is armed any more


@pytest.mark.parametrize(("name", "arms", "keeps", "takes_back"), [one for one in TIMERS if one[3]])
def test_emulated_a_timer_is_taken_back_at_once(
    name: str, arms: list[str], keeps: list[str], takes_back: list[str]
) -> None:
    device = Device("SW1", name, config=ARCHIVE if name == "cisco_ios" else "")
    with emulated(device), Typist(device) as terminal:
        before = device.running
        terminal.lines(*arms, *takes_back)
        assert device.running == before
        assert device.timer is None


def test_emulated_a_timer_that_never_goes_off() -> None:
    device = Device("SW1", "hp_comware", second=0.0001, faults={"timer_fails": True})
    with emulated(device), Typist(device) as terminal:
        terminal.lines(*TIMERS[1][1])
        with pytest.raises(TimeoutError):
            until(lambda: not vlan(device), 0.2)


def test_emulated_ios_without_an_archive_arms_nothing() -> None:
    device = Device("SW1", "cisco_ios")
    with emulated(device), Typist(device) as terminal:
        assert "Archive" in terminal.type("configure terminal revert timer 5")
        assert device.timer is None


def test_emulated_other_platforms_know_no_timer() -> None:
    for name, enter, line in (
        ("huawei_vrp", "system-view", "commit trial 60"),
        ("ruijie_os", "end", "configure terminal revert timer 5"),
    ):
        device = Device("SW1", name)
        with emulated(device), Typist(device) as terminal:
            terminal.lines(enter, line)
            assert not device.journal[-1].accepted


def test_emulated_a_candidate_is_committed_left_or_cleared() -> None:
    device = Device("SW1", "huawei_vrpv8")
    with emulated(device), Typist(device) as terminal:
        assert terminal.lines("system-view", "vlan batch 10").endswith("[*SW1]")
        assert "vlan batch 10" in terminal.type("display configuration candidate")
        assert terminal.type("clear configuration candidate").endswith("[~SW1]")
        terminal.type("vlan batch 11")
        assert terminal.type("return").endswith("[Y(yes)/N(no)/C(cancel)]:")
        assert terminal.type("c").endswith("[*SW1]")
        terminal.lines("return", "n")
        assert not vlan(device)
        terminal.lines("system-view", "vlan batch 12", "return", "y")
        assert vlan(device)


def test_emulated_a_commit_that_asks_and_one_that_fails() -> None:
    device = Device("SW1", "huawei_vrpv8", faults={"commit_ask": "Continue? [Y/N]:"})
    with emulated(device), Typist(device) as terminal:
        terminal.lines("system-view", "vlan batch 10", "commit", "n")
        assert not vlan(device)
        device.fault.commit_ask, device.fault.commit_fail = "", "Error: Failed to commit."
        assert "Failed to commit" in terminal.type("commit")
        assert not vlan(device)
        device.fault.commit_fail = ""
        terminal.type("commit")
        assert vlan(device)


def test_emulated_during_a_trial_nothing_else_is_changed() -> None:
    device = Device("SW1", "huawei_vrpv8")
    with emulated(device), Typist(device) as terminal:
        terminal.lines(*TIMERS[0][1])
        assert "trial configuration mode" in terminal.type("vlan batch 20")


def test_emulated_a_restart_forgets_what_was_not_saved() -> None:
    device = Device("SW1", "huawei_vrp")
    with emulated(device), Typist(device) as terminal:
        before = device.running
        terminal.lines("system-view", "vlan batch 10", "quit", "reboot")
        with pytest.raises(EOFError):
            terminal.type("y")
        assert device.running == before


RULE = ("system-view", "security-policy ip", "rule name p1", "action pass", "quit")


def test_emulated_a_secpath_matches_changed_rules_only_when_accelerated() -> None:
    device = Device("FW1", "hp_comware")
    with emulated(device), Typist(device) as terminal:
        terminal.lines(*RULE)
        assert device.matching_policy == ()
        terminal.type("accelerate enhanced enable")
        assert "rule 0 name p1" in device.matching_policy
        terminal.lines("rule name p2", "quit", "quit")
        assert "rule 1 name p2" not in device.matching_policy
        assert "accelerate enhanced enable" not in device.running
        assert not terminal.type("accelerate enhanced enable").startswith("[")  # refused outside the policy


def test_emulated_a_secpath_accelerates_by_itself_after_a_while_or_never() -> None:
    device = Device("FW1", "hp_comware", second=0.05)
    with emulated(device), Typist(device) as terminal:
        terminal.lines(*RULE)
        until(lambda: device.matching_policy == device.policy_lines())
        device.fault.accelerate_fail = True
        terminal.lines("rule name p2", "quit")
        assert "not enough memory" in terminal.type("accelerate enhanced enable")
        assert device.matching_policy != device.policy_lines()
