"""What would pass at first sight, and must not: defaults, conditions and references that a configuration hides."""

from __future__ import annotations

from functools import cache

import pytest

import panshi.checks.network  # noqa: F401 - fills the register
from panshi.checks import CHECKS
from panshi.controls import Params, load_catalogue
from panshi.facts import FactMissing, Facts
from panshi.verdict import Status, Verdict

VRP, V8, H3C, IOS = "huawei_vrp", "huawei_vrpv8", "hp_comware", "cisco_ios"
ENDS = {VRP: "return", V8: "return", H3C: "return", IOS: "end"}
SAFE = "user-interface con 0\n authentication-mode aaa\nuser-interface vty 0 4\n authentication-mode aaa\n"
VRP_FILTER = "acl number 3000\n rule 5 permit tcp destination-port eq 443\n {}\ninterface Vlanif10\n"
VRP_FILTER += " traffic-filter inbound acl 3000\n"
USG = "security-policy\n default action permit\n rule name all\n  {}action deny\n"
WIDE = "acl number 2000\n rule 5 permit {}\nuser-interface con 0\nuser-interface vty 0 4\n acl 2000 inbound\n"
WIDE_IOS = "ip access-list standard MGMT\n {}\nline con 0\nline vty 0 4\n access-class MGMT in\n"
H3C_LINES = "line con 0\n authentication-mode scheme\nline vty 0 63\n authentication-mode scheme\n"
IOS_FILTER = "ip access-list extended IN\n {}\ninterface GigabitEthernet0/1\n ip access-group IN in\n"


@cache
def params() -> Params:
    return Params(load_catalogue().parameters(), {"net_boundary": True})


def judged(check: str, platform: str, text: str, **displays: str) -> Verdict:
    items = {"net.running": {"cmd": "display", "out": f"{text}{ENDS[platform]}\n"}}
    items |= {f"net.{name}": {"cmd": f"display {name}", "out": out} for name, out in displays.items()}
    return CHECKS[check](Facts({"platform": platform, "items": items}), params())


@pytest.mark.parametrize(
    ("check", "platform", "text", "reason"),
    [
        # AAA that asks nobody
        ("net-user-auth", VRP, f"aaa\n authentication-scheme default\n  authentication-mode none\n{SAFE}", "none"),
        (
            "net-user-auth",
            VRP,
            "aaa\n authentication-scheme own\n  authentication-mode local none\n domain default_admin\n"
            f"  authentication-scheme own\n{SAFE}",
            "own",
        ),
        ("net-user-auth", H3C, f"domain system\n authentication login none\n{H3C_LINES}", "none"),
        (
            "net-user-auth",
            H3C,
            f"domain name own\n authentication default none\ndomain default enable own\n{H3C_LINES}",
            "own",
        ),
        # password control for users of the network alone
        ("net-pw-minlen", H3C, "password-control enable network-class\npassword-control length 12\n", "没有"),
        ("net-lockout", H3C, "password-control enable network-class\npassword-control login-attempt 5\n", "没有"),
        (
            "net-lockout",
            H3C,
            "password-control enable\npassword-control login-attempt 5 exceed lock-time 10\n"
            "local-user ops class manage\n password-control login-attempt 10 exceed unlock\n",
            "local-user ops",
        ),
        # refusals that are none
        ("net-acl-default-deny", VRP, VRP_FILTER.format("rule 100 deny ip time-range night"), "放行"),
        ("net-acl-default-deny", VRP, VRP_FILTER.format("rule 100 deny ip fragment"), "放行"),
        ("net-acl-default-deny", VRP, VRP_FILTER.format("rule 100 deny time-range night"), "放行"),
        ("net-acl-default-deny", VRP, USG.format("source-zone trust\n  "), "default action permit"),
        ("net-acl-default-deny", VRP, USG.format("time-range night\n  "), "default action permit"),
        ("net-acl-any-any", IOS, IOS_FILTER.format("deny ip any any fragments\n permit ip any any"), "permit ip any"),
        ("net-acl-any-any", VRP, VRP_FILTER.format("rule 10 permit ip time-range day"), "time-range"),
        ("net-acl-default-deny", IOS, IOS_FILTER.format("remark nothing yet"), "没有规则"),
        # a list without rules at the lines
        (
            "net-vty-acl",
            VRP,
            "acl number 2000\nuser-interface con 0\nuser-interface vty 0 4\n acl 2000 inbound\n protocol inbound ssh\n",
            "没有规则",
        ),
        ("net-vty-acl", VRP, "user-interface con 0\n authentication-mode aaa\n", "任何地址"),
        # sources that are half of the world, in every way to write them
        ("net-vty-acl", VRP, WIDE.format("source 10.0.0.0 0.255.255.255"), "10.0.0.0"),
        ("net-vty-acl", VRP, WIDE.format("source 0.0.0.0 255.255.255.255"), "来源太宽"),
        ("net-vty-acl", VRP, WIDE.format("time-range day"), "来源太宽"),
        ("net-vty-acl", IOS, WIDE_IOS.format("permit 172.16.0.0 0.15.255.255"), "172.16.0.0"),
        ("net-vty-acl", IOS, WIDE_IOS.format("permit any"), "来源太宽"),
        # a community by another name
        ("net-snmp", VRP, "snmp-agent\nsnmp-agent sys-info version v2c\nsnmp-agent usm-user v2c *** group\n", "来源"),
        # logs without dates in the buffer; a log host whose channel is shut
        ("net-timestamps", H3C, "info-center timestamp none\ninfo-center timestamp loghost date\n", "none"),
        (
            "net-loghost",
            VRP,
            "info-center loghost 192.0.2.5 channel 7\ninfo-center source default channel 7 log level critical\n",
            "channel 7",
        ),
        (
            "net-loghost",
            VRP,
            "info-center loghost 192.0.2.5\ninfo-center source default channel 2 log level informational state off\n",
            "off",
        ),
        # 802.1X that nobody has switched on; a port in bridge mode is an access port
        ("net-nac", VRP, "interface GigabitEthernet0/0/1\n port default vlan 10\n dot1x enable\n", "缺失"),
        ("net-nac", H3C, "interface GigabitEthernet1/0/1\n port link-mode bridge\n", "缺失"),
    ],
)
def test_parsed_what_only_looks_right_fails(check: str, platform: str, text: str, reason: str) -> None:
    verdict = judged(check, platform, text)
    assert verdict.status is Status.FAIL, verdict
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("check", "platform", "text"),
    [
        ("net-user-auth", VRP, f"aaa\n authentication-scheme other\n  authentication-mode none\n{SAFE}"),
        ("net-user-auth", H3C, f"domain system\n authentication login local\n{H3C_LINES}"),
        ("net-vty-acl", VRP, WIDE.format("source 192.0.2.0 0.0.0.255")),
        ("net-vty-acl", VRP, WIDE.format("source 192.0.2.9 0")),
        ("net-vty-acl", IOS, WIDE_IOS.format("permit 192.0.2.0 0.0.0.255 log")),
        ("net-vty-acl", IOS, WIDE_IOS.format("permit 192.0.2.9")),
        ("net-acl-default-deny", VRP, VRP_FILTER.format("rule 100 deny ip logging")),
        ("net-acl-default-deny", VRP, VRP_FILTER.format("rule 100 deny ip source any destination any")),
        ("net-acl-default-deny", VRP, USG.format("")),
        ("net-acl-default-deny", IOS, IOS_FILTER.format("permit tcp any host 192.0.2.1 eq 443\n deny ip any any log")),
        ("net-nac", VRP, "dot1x enable\ninterface GigabitEthernet0/0/1\n port default vlan 10\n dot1x enable\n"),
        (
            "net-routing-auth",
            VRP,
            "bgp 65001\n peer 192.0.2.9 as-number 65002\n peer 192.0.2.9 group out\n peer out password cipher x\n",
        ),
    ],
)
def test_parsed_what_is_right_still_passes(check: str, platform: str, text: str) -> None:
    assert judged(check, platform, text).status is Status.PASS


def test_parsed_sources_that_the_rule_does_not_name_are_for_a_person() -> None:
    verdict = judged("net-vty-acl", VRP, WIDE.format("source 192.0.2.0 255.255.255.0"))  # no inverse mask
    assert (verdict.status, "须人工核对" in verdict.reason) == (Status.PARTIAL, True)


@pytest.mark.parametrize(
    ("check", "platform", "text"),
    [
        # VTYs that exist and are not shown
        ("net-user-auth", VRP, f"user-interface maximum-vty 15\n{SAFE}"),
        ("net-vty-acl", H3C, "line con 0\n authentication-mode scheme\n"),
        ("net-telnet-off", IOS, "line con 0\n login local\n"),
        # a default that holds for newer releases only, and the release was not read
        ("net-lockout", VRP, "aaa\n local-user ops password irreversible-cipher ***\n"),
        ("net-user-auth", VRP, "user-interface con 0\n authentication-mode strange\nuser-interface vty 0 4\n"),
    ],
)
def test_parsed_what_is_not_known_is_not_guessed(check: str, platform: str, text: str) -> None:
    with pytest.raises(FactMissing):
        judged(check, platform, text)


@pytest.mark.parametrize(
    ("platform", "shown"),
    [
        (VRP, "   HTTP Server Status              : {}\n   HTTP Secure-server Status       : enabled"),
        (H3C, "HTTP port: 80\nACL: 0\nOperation status: {}"),
        (IOS, "HTTP server status: {}\nHTTP secure server status: Enabled"),
    ],
)
def test_parsed_a_display_settles_what_the_configuration_leaves_open(platform: str, shown: str) -> None:
    assert judged("net-http-off", platform, "", http=shown.format("Disabled")).status is Status.PASS
    assert judged("net-http-off", platform, "", http=shown.format("Enabled")).status is Status.FAIL
    with pytest.raises(FactMissing):
        judged("net-http-off", platform, "", http="something else")


def test_parsed_a_default_of_newer_releases_holds_for_them() -> None:
    version = "VRP (R) software, Version 5.170 (S5735 V200R019C10SPC500)"
    assert judged("net-lockout", VRP, "aaa\n", version=version).status is Status.PASS
