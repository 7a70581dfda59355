"""The baseline, by the playbook, on emulated devices of every platform: what the checks say before and after."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from emulators.network import Device, emulated

import panshi.checks.network  # noqa: F401 - fills the register
from panshi.checks import CHECKS
from panshi.collect.device import read_device
from panshi.controls import Params, load_catalogue
from panshi.facts import FactMissing, Facts
from panshi.facts.network import PLATFORMS
from panshi.verdict import Status

from .playing import estate, play, reach
from .sessions import ours
from .test_change_play import approval

# As they come, with telnet, endless sessions and a password for all on the lines.
VRP = """
telnet server enable
#
snmp-agent
snmp-agent sys-info version v2c
#
user-interface con 0
 authentication-mode password
user-interface vty 0 4
 authentication-mode password
 protocol inbound all
 idle-timeout 0 0
"""
COMWARE = """
telnet server enable
ip http enable
#
line class aux
#
line aux 0
#
line vty 0 63
 authentication-mode password
 idle-timeout 0 0
"""
IOS = """
archive
 path flash:backup
!
line con 0
 exec-timeout 0 0
line vty 0 4
 transport input telnet
 exec-timeout 0 0
line vty 5 15
 transport input all
"""
RUIJIE = """
enable service web-server
!
line con 0
 exec-timeout 0 0
line vty 0 4
 transport input telnet
 exec-timeout 0 0
"""
LINES = {"huawei_vrp": VRP, "huawei_vrpv8": VRP, "hp_comware": COMWARE, "cisco_ios": IOS, "ruijie_os": RUIJIE}
CLOCK = {
    "display ntp-service status": " clock status: synchronized",
    "display ntp status": " clock status: synchronized",
    "show ntp status": "Clock is synchronized",
}
ESTATE = """
network_baseline: true
network_baseline_ntp_servers: [192.0.2.60]
network_baseline_loghosts: [192.0.2.50, 192.0.2.51]
network_baseline_sources: [127.0.0.0/24, 192.0.2.10]
network_baseline_snmp_group: nms
network_baseline_console: true
"""
# What a line of the baseline makes good; docs/network-config.md says why the others are not among them.
EVERYWHERE = {
    "net-banner",
    "net-console-auth",
    "net-idle-timeout",
    "net-lockout",
    "net-log-on",
    "net-loghost",
    "net-ntp",
    "net-pw-minlen",
    "net-services-off",
    "net-snmp",
    "net-ssh-limits",
    "net-telnet-off",
    "net-timestamps",
    "net-user-auth",
    "net-vty-acl",
}
PASSWORDS = {"net-pw-complexity", "net-pw-aging", "net-pw-history"}
MADE_GOOD = {
    "huawei_vrp": {*EVERYWHERE, *PASSWORDS, "net-http-off"},
    "huawei_vrpv8": {*EVERYWHERE, *PASSWORDS, "net-http-off"},
    "hp_comware": {*EVERYWHERE, *PASSWORDS, "net-http-off"},
    # Silent about a service that is off; whether it is on by default differs by model, and silence proves nothing.
    "ruijie_os": {*EVERYWHERE, *PASSWORDS},
    "cisco_ios": {*EVERYWHERE, "net-http-off"},
}


@cache
def params() -> Params:
    return Params(load_catalogue().parameters())


def verdicts(device: Device, folder: Path) -> dict[str, Status]:
    with ours(device, folder, encoding="utf-8") as session:
        facts = Facts(read_device(session, 60, 1 << 20))
    return {check: judged(check, facts) for check in sorted(CHECKS) if check.startswith("net-")}


def judged(check: str, facts: Facts) -> Status:
    try:
        return CHECKS[check](facts, params()).status
    except FactMissing:
        return Status.ERROR


def test_emulated_the_baseline_turns_checks_from_fail_to_pass_on_every_platform(tmp_path: Path) -> None:
    devices = [Device(f"sw-{name}", name, config=LINES[name], shows=CLOCK) for name in PLATFORMS]
    data = ("-e", f"@{tmp_path / 'baseline.yml'}", "-e", f"network_change_plans={tmp_path / 'plans'}")
    (tmp_path / "baseline.yml").write_text(ESTATE)
    with emulated(*devices):
        hosts = {one.name: reach(one.host, one.port, one.platform, panshi_net_encoding="utf-8") for one in devices}
        estate(tmp_path, hosts, [one.known_hosts for one in devices])
        before = {one.platform: verdicts(one, tmp_path) for one in devices}
        planned = play(tmp_path, "network_change.yml", *data)
        assert planned.returncode == 0, planned.stdout + planned.stderr
        done = play(tmp_path, "network_change.yml", *data, "-e", "network_change_serial=5", *approval(planned.stdout))
        assert done.returncode == 0, done.stdout + done.stderr
        after = {one.platform: verdicts(one, tmp_path) for one in devices}
    for platform, checks in after.items():
        good = {name for name, status in checks.items() if status is Status.PASS}
        was_good = {name for name, status in before[platform].items() if status is Status.PASS}
        assert sorted(MADE_GOOD[platform] - good) == [], platform
        assert sorted(was_good - good) == [], platform
        assert len(good - was_good) >= 10, platform
