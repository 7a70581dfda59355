"""The inspection of a device: normal and broken displays of every platform, and displays that nobody can read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from emulators.network.platform import platform as emulation

from panshi.collect.device import INSPECTION, commands
from panshi.controls import Params, load_catalogue
from panshi.facts import FactMissing, Facts
from panshi.facts.network import PLATFORMS, health
from panshi.network.inspection import PARAMETERS, Inspected, inspect
from panshi.verdict import Status

# What is changed in the normal text of a display, to break what it tells.
BROKEN = {
    "huawei_vrp": {
        "net.cpu": ("five minutes: 7%", "five minutes: 93%"),
        "net.memory": ("Is: 42%", "Is: 91%"),
        "net.power": ("PWR2     Present  AC     Supply", "PWR2     Present  AC     NotSupply"),
        "net.fan": ("Normal", "Abnormal"),
        "net.errors": ("Total Error:                   0\n  CRC", "Total Error:               51200\n  CRC"),
        "net.neighbours": ("core1", "core2"),
        "net.version": ("12 weeks, 3 days, 4 hours", "3 hours"),
    },
    "huawei_vrpv8": {
        "net.cpu": ("five minutes: 10%", "five minutes: 81%"),
        "net.memory": ("Percentage: 38%", "Percentage: 88%"),
        "net.power": ("PWR1     Present  AC    Supply", "PWR1     Present  AC    Abnormal"),
        "net.fan": ("FAN2    Present  Normal", "FAN2    Present  Abnormal"),
        "net.errors": ("Total Error: 0\nOutput", "Total Error: 99000\nOutput"),
        "net.neighbours": ("core1", "core2"),
        "net.version": ("88 days, 1 hour", "1 hour"),
    },
    "hp_comware": {
        "net.cpu": ("8% in last 5 minutes", "85% in last 5 minutes"),
        "net.memory": ("51.8%", "11.8%"),
        "net.power": ("2       Normal", "2       Fault"),
        "net.fan": ("Fan 2:\n State    : Normal", "Fan 2:\n State    : FanDirectionFault"),
        "net.errors": ("0 input errors", "7400 input errors"),
        "net.neighbours": ("core1", "core2"),
        "net.version": ("12 weeks, 3 days, 4 hours", "4 hours"),
    },
    "ruijie_os": {
        "net.cpu": ("five minutes: 5.70%", "five minutes: 89.10%"),
        "net.memory": ("45.0% used", "92.5% used"),
        "net.power": ("2         RG-PA150I-F     150        Normal", "2         RG-PA150I-F     150        Fail"),
        "net.fan": ("2       2            Normal", "2       2            Fail"),
        "net.errors": ("0 output errors", "2000 output errors"),
        "net.neighbours": ("core1", "core2"),
        "net.version": ("88:01:02:03", "0:01:02:03"),
    },
    "cisco_ios": {
        "net.cpu": ("five minutes: 5%", "five minutes: 90%"),
        "net.memory": ("331715544", "1231715544"),
        "net.power": ("DCA0000A002  OK               Good", "DCA0000A002  No Input Power   Bad "),
        "net.fan": ("2     5440      OK", "2        0      FAILED"),
        "net.errors": ("0 input errors", "9100 input errors"),
        "net.neighbours": ("core1", "core2"),
        "net.version": ("12 weeks, 3 days, 4 hours", "4 hours"),
    },
}
SUBJECTS = {
    "cpu": "net.cpu",
    "memory": "net.memory",
    "power": "net.power",
    "fan": "net.fan",
    "errors": "net.errors",
    "neighbours": "net.neighbours",
    "uptime": "net.version",
}
CASES = [(platform, subject) for platform in PLATFORMS for subject in SUBJECTS]


@cache
def params(**values: int) -> Params:
    return Params(load_catalogue().parameters(), values)


def facts(platform: str, **changed: Mapping[str, Any]) -> Facts:
    """Return the facts of a healthy device, with items changed (``net_cpu=...``)."""
    shows = emulation(platform).shows
    items = {
        item: {"cmd": (said := next(one for one in known if one in shows)), "out": shows[said]}
        for item, known in commands(INSPECTION)[platform].items()
    }
    items |= {name.replace("_", ".", 1): {"cmd": "display", **item} for name, item in changed.items()}
    return Facts({"platform": platform, "items": items})


def inspected(found: Facts, wanted: str = "core1", **values: int) -> dict[str, Inspected]:
    ports = {one.port: wanted for one in health.neighbours(facts(str(found.document["platform"])))}
    return {one.id: one for one in inspect(found, params(**values), ports)}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_parsed_a_healthy_device_passes(platform: str) -> None:
    found = inspected(facts(platform))
    assert set(found) == set(SUBJECTS)
    assert {one.id: (one.verdict.status, one.item) for one in found.values()} == {
        subject: (Status.PASS, item) for subject, item in SUBJECTS.items()
    }
    assert all(one.verdict.observed and one.verdict.expected and not one.verdict.reason for one in found.values())


@pytest.mark.parametrize(("platform", "subject"), CASES)
def test_parsed_what_is_broken_is_found_and_nothing_else(platform: str, subject: str) -> None:
    item, (old, new) = SUBJECTS[subject], BROKEN[platform][SUBJECTS[subject]]
    text = facts(platform).out(item)
    assert old in text
    found = inspected(facts(platform, **{item.replace(".", "_"): {"out": text.replace(old, new, 1)}}))
    status = Status.PARTIAL if subject == "uptime" else Status.FAIL
    assert {one.id for one in found.values() if one.verdict.status is not Status.PASS} == {subject}
    assert (found[subject].verdict.status, bool(found[subject].verdict.reason)) == (status, True)


@pytest.mark.parametrize(("platform", "subject"), CASES)
@pytest.mark.parametrize("item", [{"out": "", "rc": 1, "err": "refused"}, {"out": "something else\nentirely: 5\n"}])
def test_parsed_what_cannot_be_read_is_no_pass(platform: str, subject: str, item: dict[str, Any]) -> None:
    found = inspected(facts(platform, **{SUBJECTS[subject].replace(".", "_"): item}))
    assert found[subject].verdict.status in (Status.ERROR, Status.FAIL)
    assert found[subject].verdict.reason
    if subject != "neighbours":  # whose silence is an empty port
        assert found[subject].verdict.status is Status.ERROR


def test_parsed_thresholds_are_those_of_the_estate() -> None:
    assert inspected(facts("huawei_vrp"), device_cpu_percent=5)["cpu"].verdict.status is Status.FAIL
    assert inspected(facts("huawei_vrp"), device_power_units=3)["power"].verdict.status is Status.FAIL
    verdict = inspected(facts("huawei_vrp"), device_error_ppm=0)["errors"].verdict
    assert (verdict.status, verdict.expected) == (Status.PASS, "错误包每百万包不超过 0 个")
    assert set(PARAMETERS) <= set(load_catalogue().parameters())


def test_parsed_an_empty_slot_is_no_fault_unless_two_supplies_are_wanted() -> None:
    text = facts("huawei_vrp").out("net.power").replace("Present  AC     Supply     150.00", "Absent   -      -   -", 1)
    found = facts("huawei_vrp", net_power={"out": text})
    assert inspected(found)["power"].verdict.status is Status.PASS
    assert inspected(found, device_power_units=2)["power"].verdict.status is Status.FAIL


def test_parsed_a_built_in_supply_of_which_nothing_is_told_is_not_applicable() -> None:
    head = "\n".join(facts("huawei_vrp").out("net.power").splitlines()[:3])
    assert inspected(facts("huawei_vrp", net_power={"out": head}))["power"].verdict.status is Status.NOT_APPLICABLE


def test_parsed_neighbours_that_nobody_has_declared_are_listed() -> None:
    (found,) = [one for one in inspect(facts("cisco_ios"), params(), {}) if one.id == "neighbours"]
    assert (found.verdict.status, found.verdict.observed) == (Status.NOT_APPLICABLE, "Gi1/0/1：core1")


def test_parsed_errors_on_a_port_without_packets_are_found() -> None:
    text = "GE0/0/9 current state : UP\nInput: 0 packets, 0 bytes\n  Total Error: 1\n"
    assert inspected(facts("huawei_vrp", net_errors={"out": text}))["errors"].verdict.status is Status.FAIL


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("X uptime is 1 year, 2 weeks, 1 minute", 365 * 86400 + 14 * 86400 + 60),
        ("X uptime is 3 days\nSlot 1 uptime is 2 hours", 7200),
        ("System uptime : 1:02:03:04", 86400 + 7384),
    ],
)
def test_parsed_uptime_is_that_of_the_board_started_last(text: str, seconds: int) -> None:
    assert health.uptime(facts("hp_comware", net_version={"out": text})) == seconds


def test_parsed_several_boards_count_by_the_worst() -> None:
    text = "Slot 1 CPU usage:\n 3% in last 5 minutes\nSlot 2 CPU usage:\n 88% in last 5 minutes\n"
    assert health.cpu(facts("hp_comware", net_cpu={"out": text})) == 88
    with pytest.raises(FactMissing, match="display"):
        health.cpu(facts("hp_comware", net_cpu={"out": "Slot 1 CPU usage: unavailable"}))
