"""Policies: the analysis of 1,000 policies against each other, and the plan of 1,000 policies on four firewalls.

    python tests/bench/network_policy.py            # goals: analysis under 0.5 s, plan under 5 s

Everything is made up and pure: no device takes part. The firewalls hold the policies of the day before, from which 50
were added, 50 removed, 50 changed and 20 moved since, so every plan has something to do.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from panshi.network.policy.analyse import findings
from panshi.network.policy.change import device_change, firewall_dialect
from panshi.network.policy.document import mistakes, understood
from panshi.network.policy.firewall import Firewall, compiled
from panshi.network.policy.steps import steps

TODAY = date(2026, 11, 22)
DEVICES = {
    "fw1": {"platform": "huawei_usg"},
    "fw2": {"platform": "huawei_usg"},
    "fw3": {"platform": "h3c_secpath"},
    "fw4": {"platform": "h3c_secpath"},
}


def made_up(count: int, seed: int = 7) -> dict[str, Any]:
    """Return the document of a policy set with some overlap, as in an estate that has grown."""
    chance = random.Random(seed)
    zones = {"office": "", "dmz": "", "server": "", "internet": ""}
    nets = ("192.0.2", "198.51.100", "203.0.113")
    addresses = {f"a{n}": [f"{nets[n % 3]}.{n % 256}", f"{nets[n % 3]}.{chance.randrange(256)}"] for n in range(300)}
    addresses |= {f"n{n}": [f"{nets[n % 3]}.{chance.randrange(0, 256, 16)}/28"] for n in range(30)}
    services = {f"s{n}": [f"tcp/{1000 + n}", f"udp/{2000 + n}-{2003 + n}"] for n in range(60)}

    def policy(number: int) -> dict[str, Any]:
        origin, target = chance.sample(list(zones), 2)
        return {
            "name": f"p{number}",
            "owner": "张三",
            "ticket": f"CHG-{number:05}",
            "from": [origin],
            "to": [target],
            "source": [chance.choice(list(addresses))],
            "destination": [chance.choice(list(addresses))],
            "service": chance.sample(list(services), 2),
            "action": chance.choice(["permit"] * 9 + ["deny"]),
            "log": True,
        }

    last = {**policy(count), "from": ["any"], "to": ["any"], "source": ["any"], "destination": ["any"]}
    last |= {"service": ["any"], "action": "deny"}
    rules = [policy(number) for number in range(count - 1)]
    return {
        "zones": zones,
        "addresses": addresses,
        "services": services,
        "devices": DEVICES,
        "policies": [*rules, last],
    }


def day_before(document: dict[str, Any], seed: int = 8) -> dict[str, Any]:
    """Return the set as it was: some policies missing, others still there, changed or elsewhere."""
    chance = random.Random(seed)
    before = copy.deepcopy(document)
    *rules, last = before["policies"]
    gone = [{**one, "name": f"old-{one['name']}"} for one in chance.sample(rules, 50)]
    for one in chance.sample(rules, 50):
        one["service"] = [chance.choice(list(document["services"]))]
    rules = [one for one in rules if one not in chance.sample(rules, 50)]
    for one in chance.sample(rules, 20):
        rules.remove(one)
        rules.insert(chance.randrange(len(rules)), one)
    for one in gone:
        rules.insert(chance.randrange(len(rules)), one)
    return {**before, "policies": [*rules, last]}


def configuration(platform: str, new: Firewall) -> str:
    """Return the running configuration of a firewall that holds some rules."""
    found: list[str] = []
    depth = 0
    for line in firewall_dialect(platform).lines(steps(Firewall(), new), new):
        if line == "quit":
            depth -= 1
            continue
        if line in ("disable", "undo disable") or line.startswith("accelerate"):
            continue
        if line.startswith(("ip ", "object-group ", "security-policy")):
            found.append("#")
        found.append(" " * depth + line)
        depth += line.startswith(("ip ", "object-group ", "security-policy", "rule name "))
    return "\n".join([*found, "#", "return", ""])


def timed(work: Callable[[], list[Any]]) -> tuple[list[Any], str]:
    """Return what work returns and how long it took; on a busy machine CPU time is the smaller one."""
    begun, spent = time.perf_counter(), time.process_time()
    done = work()
    return done, f"{time.perf_counter() - begun:.2f} s ({time.process_time() - spent:.2f} s CPU)"


def main() -> None:
    """Print the times."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--policies", type=int, default=1000)
    count = arguments.parse_args().policies
    document = made_up(count)
    assert not mistakes(document, "made.yml")
    assert not mistakes(day_before(document), "made.yml")
    policies, earlier = understood(document, "made.yml"), understood(day_before(document), "made.yml")
    found, took = timed(lambda: findings(policies, TODAY))
    print(f"analysis of {count} policies: {took}, {len(found)} findings")
    running = {}
    for name, device in earlier.devices.items():
        now = compiled(earlier, device, Firewall(), TODAY)
        running[name] = configuration(device.platform, now)
    changes, took = timed(lambda: [device_change(policies, name, text, TODAY) for name, text in running.items()])
    lines = [len(one.commands) for one in changes]
    print(f"plan of {count} policies on {len(changes)} firewalls: {took}, {lines} lines")
    for name, device in policies.devices.items():
        running[name] = configuration(device.platform, compiled(policies, device, Firewall(), TODAY))
    again = [device_change(policies, name, text, TODAY) for name, text in running.items()]
    print(f"plan when nothing differs: {sum(len(one.commands) for one in again)} lines")


if __name__ == "__main__":
    main()
