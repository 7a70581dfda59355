"""The kernel's packet filter is asked by real packets, and agrees with our model of packets."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest

from panshi.network.policy.analyse import findings
from panshi.network.policy.document import mistakes, understood
from panshi.network.policy.rules import PERMIT, decided, verdict
from panshi.network.policy.space import ANY_PORT, ANY_SERVICE, ANY_TIME, Packet, Product, sample

from .packets import HOSTS, MARK, NETS, ZONES, Router, router
from .test_emulated_lines import RUNS_ON, FirewallStates
from .test_emulated_lines import device_change as change_of

TODAY = date(2026, 11, 22)
SERVICES = ["tcp/443", "tcp/1000-2000", "tcp/22 from 1024-65535", "udp/53", "udp", "icmp", "47"]
POINTS = [6 << 16 | 443, 6 << 16 | 1500, 6 << 16 | 22, 17 << 16 | 53, 17 << 16 | 54, 1 << 16, 47 << 16, 50 << 16]


@pytest.fixture(scope="module")
def kernel() -> Iterator[Router]:
    if os.geteuid() or not shutil.which("nft") or not shutil.which("ip"):
        pytest.skip("needs root, nft and ip: real packets in network namespaces")
    with ExitStack() as stack:
        try:
            found = stack.enter_context(router())
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"this machine has no network namespaces for us: {error}")
        yield found


def document(chance: random.Random, platform: str) -> dict[str, Any]:
    """Return a policy set of up to eight policies over the hosts of the namespaces."""
    hosts = [f"203.0.113.{host & 255}" for zone in ZONES for host in HOSTS[zone]]
    ranges = ["203.0.113.194-203.0.113.195", "203.0.113.208/28", "203.0.113.192/28"]

    def some(values: list[str]) -> list[str]:
        return ["any"] if chance.random() < 0.3 else chance.sample(values, chance.randint(1, 2))

    def policy(name: str) -> dict[str, Any]:
        sides = {"from": some(list(ZONES)), "to": some(list(ZONES))}
        objects = {"source": some(["a", "b", "c"]), "destination": some(["a", "b", "c"]), "service": some(["s", "t"])}
        whose = {"name": name, "owner": "张三", "ticket": "CHG-1", "log": True}
        return {**whose, **sides, **objects, "action": chance.choice(["permit", "deny"])}

    return {
        "zones": dict.fromkeys(ZONES, ""),
        "addresses": {name: chance.sample(hosts, 2) + [chance.choice(ranges)] for name in ("a", "b", "c")},
        "services": {name: chance.sample(SERVICES, 2) for name in ("s", "t")},
        "devices": {"fw": {"platform": platform}},
        "policies": [policy(f"p{number}") for number in range(chance.randint(1, 8))],
    }


def packets_of(raw: dict[str, Any]) -> list[Packet]:
    """Return packets that can be sent: one for each decision of the rules, those of findings, and a grid."""
    policies = understood(raw, "p.yml")
    rules = policies.rules(TODAY)
    pairs = [(0, 1), (1, 0)]
    nets = [((NETS[zone] + 2, NETS[zone] + 4),) for zone in ZONES]
    between = [
        Product(((one, one),), ((two, two),), ANY_TIME, nets[one], ANY_PORT, nets[two], ANY_SERVICE)
        for one, two in pairs
    ]
    found = [sample(piece) for _, piece in decided(rules, between)]
    found += [one.packet for one in findings(policies, TODAY) if one.packet]
    for (one, two), service, sport in itertools.product(pairs, POINTS, (500, 50000)):
        for source, destination in zip(HOSTS[ZONES[one]], reversed(HOSTS[ZONES[two]]), strict=True):
            found.append(Packet(one, two, 0, source, sport, destination, service))
    return [one for one in found if can_be_sent(one)]


def can_be_sent(packet: Packet) -> bool:
    """Return whether a packet belongs to the namespaces; port 0 and the last protocols are not for use."""
    protocol, port = divmod(packet.service, 65536)
    return (
        packet.origin != packet.target
        and packet.source in HOSTS[ZONES[packet.origin]]
        and packet.destination in HOSTS[ZONES[packet.target]]
        and 0 < protocol < MARK
        and (port > 0 or protocol not in (6, 17))
    )


@pytest.mark.parametrize("seed", range(40))
def test_real_packets_agree_with_the_model(kernel: Router, seed: int) -> None:
    raw = document(random.Random(seed), "huawei_usg")
    assert mistakes(raw, "p.yml") == []
    packets = packets_of(raw)
    rules = understood(raw, "p.yml").rules(TODAY)
    kernel.load(raw)
    expected = [verdict(rules, one)[0] == PERMIT for one in packets]
    arrived = kernel.arrived(packets)
    wrong = [one.text(ZONES) for one, right, came in zip(packets, expected, arrived, strict=True) if right != came]
    assert wrong == []
    assert len(packets) > 90


@pytest.mark.parametrize("platform", RUNS_ON)
def test_real_packets_agree_with_what_an_emulated_firewall_holds(kernel: Router, platform: str) -> None:
    raw = document(random.Random(99), platform)
    states = FirewallStates(platform)
    for line in change_of(understood(raw, "p.yml"), "fw", states.line.running, TODAY).commands:
        states.say(line)
    held = states.now().effective(ZONES)
    kernel.load(raw)
    packets = packets_of(raw)
    assert [verdict(held, one)[0] == PERMIT for one in packets] == kernel.arrived(packets)


def test_real_packets_see_a_wrong_filter(kernel: Router) -> None:
    raw = document(random.Random(3), "huawei_usg")
    packets = packets_of(raw)
    rules = understood(raw, "p.yml").rules(TODAY)
    for policy in raw["policies"]:
        policy["action"] = {"permit": "deny", "deny": "permit"}[policy["action"]]
    kernel.load(raw)
    assert [verdict(rules, one)[0] == PERMIT for one in packets] != kernel.arrived(packets)
