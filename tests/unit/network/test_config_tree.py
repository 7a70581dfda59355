"""Configurations read into a tree and written back, what changes by itself left out, what is secret masked."""

from __future__ import annotations

import pytest

from panshi.errors import PanshiError
from panshi.network.config import Node, differences, is_whole, masked, normal, parse, platforms, render, rule_book

VRP = """!Software Version V200R019C10SPC500
[V200R009C00SPC500]
#
 sysname SW1
 undo info-center enable
#
vlan batch 10 20 to 30
#
aaa
 #
 authentication-scheme default
 local-user ops password irreversible-cipher $1c$aaaa$bbbb$
#
header login information "hello
 return
world"
#
security-policy
 rule name p1
  source-zone trust
  action permit
#
return
"""
IOS = """Building configuration...
Current configuration : 1234 bytes
!
! Last configuration change at 10:00:00 UTC Sun Nov 22 2026 by ops
!
version 15.2
hostname R1
!
banner motd ^C
end
^C
crypto pki certificate chain TP
 certificate self-signed 01
  30820229 30820192
  \tquit
interface GigabitEthernet0/1
 ip address 192.0.2.1 255.255.255.0
!
ntp clock-period 17179869
end
"""


def lines(tree: Node) -> list[tuple[str, ...]]:
    return [(*path, node.line) for path, node in tree.walk()]


def test_parsed_vrp_with_headers_indented_top_level_and_a_banner_that_says_return() -> None:
    assert lines(parse(VRP, "huawei_vrp")) == [
        ("sysname SW1",),
        ("undo info-center enable",),
        ("vlan batch 10 20 to 30",),
        ("aaa",),
        ("aaa", "authentication-scheme default"),
        ("aaa", "local-user ops password irreversible-cipher $1c$aaaa$bbbb$"),
        ('header login information "hello\n return\nworld"',),
        ("security-policy",),
        ("security-policy", "rule name p1"),
        ("security-policy", "rule name p1", "source-zone trust"),
        ("security-policy", "rule name p1", "action permit"),
    ]


def test_parsed_ios_with_a_banner_that_says_end_and_a_certificate() -> None:
    found = lines(parse(IOS, "cisco_ios"))
    assert ("banner motd ^C\nend\n^C",) in found
    assert ("crypto pki certificate chain TP", "certificate self-signed 01\n  30820229 30820192\n  \tquit") in found
    assert found[-1] == ("interface GigabitEthernet0/1", "ip address 192.0.2.1 255.255.255.0")


@pytest.mark.parametrize(("text", "platform"), [(VRP, "huawei_vrp"), (VRP, "huawei_vrpv8"), (IOS, "cisco_ios")])
def test_parsed_text_and_tree_are_each_other(text: str, platform: str) -> None:
    tree = parse(text, platform)
    assert parse(render(tree, platform), platform) == tree
    assert normal(normal(text, platform), platform) == normal(text, platform)


def test_parsed_normal_text_is_blind_to_clocks_and_counters_only() -> None:
    later = IOS.replace("1234 bytes", "1235 bytes").replace("17179869", "17179870").replace("10:00:00", "11:00:00")
    assert normal(later, "cisco_ios") == normal(IOS, "cisco_ios")
    changed = VRP.replace("$bbbb$", "$cccc$")
    assert normal(changed, "huawei_vrp") != normal(VRP, "huawei_vrp")


@pytest.mark.parametrize("platform", platforms())
def test_parsed_a_view_closed_by_a_separator_takes_nothing_in(platform: str) -> None:
    mark = rule_book(platform).comment
    text = f"interface Loop1\n description a\n{mark}\n indented but on top\n"
    assert lines(parse(text, platform))[-1] == ("indented but on top",)


@pytest.mark.parametrize(
    ("text", "platform"),
    [("sysname a\nreturn\nsysname b\n", "huawei_vrp"), ("banner motd ^C\nno end\n", "cisco_ios")],
)
def test_parsed_text_that_was_cut_or_goes_on_is_refused(text: str, platform: str) -> None:
    with pytest.raises(PanshiError, match="PS-E8071"):
        parse(text, platform)


def test_parsed_a_reading_without_its_closing_line_is_not_whole() -> None:
    assert is_whole(VRP, "huawei_vrp")
    assert not is_whole(VRP.removesuffix("return\n"), "huawei_vrp")


@pytest.mark.parametrize(
    ("platform", "line", "secret"),
    [
        ("huawei_vrp", "local-user ops password irreversible-cipher s3cret", "s3cret"),
        ("huawei_vrp", "snmp-agent community read s3cret", "s3cret"),
        ("huawei_vrp", "snmp-agent community write cipher %^%#s3 cret%^%#", "cret"),
        ("huawei_vrp", "snmp-agent usm-user v3 u authentication-mode sha cipher s3cret", "s3cret"),
        ("huawei_vrp", "ntp-service authentication-keyid 1 authentication-mode md5 cipher s3cret", "s3cret"),
        ("huawei_vrp", 'pre-shared-key "s3 cret"', "cret"),
        ("huawei_vrp", "whatever %@%@s3 cret%@%@", "cret"),
        ("huawei_vrpv8", "local-user ops password s3cret", "s3cret"),
        ("hp_comware", "password hash $h$6$s3cret==", "s3cret"),
        ("hp_comware", 'password simple "s3 cret"', "cret"),
        ("hp_comware", "snmp-agent community read s3cret", "s3cret"),
        ("cisco_ios", "username ops privilege 15 secret 9 $9$s3cret", "s3cret"),
        ("cisco_ios", "username ops secret s3cret", "s3cret"),
        ("cisco_ios", "enable secret 5 $1$s3cret", "s3cret"),
        ("cisco_ios", "snmp-server community s3cret RO", "s3cret"),
        ("cisco_ios", "snmp-server host 192.0.2.1 version 2c s3cret", "s3cret"),
        ("cisco_ios", "snmp-server user u g v3 auth sha s3cret priv aes 128 other", "s3cret"),
        ("cisco_ios", "snmp-server user u g v3 auth sha other priv aes 128 s3cret", "s3cret"),
        ("cisco_ios", "crypto isakmp key s3cret address 192.0.2.1", "s3cret"),
        ("cisco_ios", " key 7 s3cret", "s3cret"),
        ("cisco_ios", "tacacs-server host 192.0.2.1 key 7 s3cret", "s3cret"),
        ("cisco_ios", "ntp authentication-key 1 md5 s3cret 7", "s3cret"),
        ("cisco_ios", " neighbor 192.0.2.1 password 7 s3cret", "s3cret"),
        ("ruijie_os", "enable secret 5 $1$s3cret", "s3cret"),
    ],
)
def test_parsed_secrets_are_masked_and_the_rest_stays(platform: str, line: str, secret: str) -> None:
    hidden = masked(f"sysname a\n{line}\n", platform)
    assert secret not in hidden
    assert "***" in hidden
    assert hidden.startswith(f"sysname a\n{line.split()[0] if line[0] != ' ' else ' '}")
    assert masked(hidden, platform) == hidden


@pytest.mark.parametrize(
    ("platform", "line"),
    [
        ("huawei_vrp", "ssh server cipher aes256_ctr aes128_ctr"),
        ("hp_comware", "ssh2 algorithm cipher aes256-ctr"),
        ("cisco_ios", "service password-encryption"),
    ],
)
def test_parsed_what_only_sounds_secret_stays(platform: str, line: str) -> None:
    assert masked(line, platform) == line


def test_parsed_differences_name_the_views_and_hide_the_secrets() -> None:
    after = VRP.replace("$bbbb$", "$cccc$").replace("  action permit", "  action deny")
    shown = differences(parse(VRP, "huawei_vrp"), parse(after, "huawei_vrp"), "huawei_vrp")
    assert shown == (
        " aaa\n"
        "- local-user ops password irreversible-cipher ***\n"
        "+ local-user ops password irreversible-cipher ***\n"
        " security-policy\n"
        "  rule name p1\n"
        "-  action permit\n"
        "+  action deny\n"
    )
    assert differences(parse(VRP, "huawei_vrp"), parse(VRP, "huawei_vrp"), "huawei_vrp") == ""


def test_parsed_an_unknown_platform_is_refused_by_name() -> None:
    with pytest.raises(PanshiError, match="PS-E8070.*huawei_vrpx.*huawei_vrp"):
        parse("", "huawei_vrpx")


def test_parsed_an_empty_view_of_which_there_is_one_says_nothing() -> None:
    empty = "#\nsysname FW1\n#\nsecurity-policy\n#\ninterface GigabitEthernet0/0/1\n#\nreturn\n"
    assert "security-policy" not in normal(empty, "huawei_vrp")
    assert "interface GigabitEthernet0/0/1" in normal(empty, "huawei_vrp")
    assert "security-policy" in normal(empty.replace("policy\n", "policy\n default action permit\n"), "huawei_vrp")


@pytest.mark.parametrize(
    ("platform", "line"),
    [
        ("ruijie_os", "password policy min-size 10"),
        ("ruijie_os", "password policy strong"),
        ("cisco_ios", "security passwords min-length 10"),
        ("huawei_vrpv8", "aaa\n local-aaa-user password policy administrator\n  password history record number 6"),
        ("hp_comware", "password-control composition type-number 3 type-length 1"),
    ],
)
def test_parsed_a_rule_for_passwords_is_no_secret(platform: str, line: str) -> None:
    assert masked(line, platform) == line
