"""FRRouting's configuration, in the words that the real vtysh of tests/jobs/test_frr.py shows and takes."""

from __future__ import annotations

from panshi.network.config import normal, parse, patch

RUNNING = """Building configuration...

Current configuration:
!
frr version 8.4.4
frr defaults traditional
hostname r1
no ipv6 forwarding
!
ip route 192.0.2.0/25 blackhole
!
interface lo
 description a
 ip address 192.0.2.1/32
exit
!
access-list M seq 5 permit 198.51.100.0/25
access-list M seq 10 deny any
!
end
"""
SAVED = """frr version 8.4.4
frr defaults traditional
hostname r1
no ipv6 forwarding
service integrated-vtysh-config
!
ip route 192.0.2.0/25 blackhole
!
interface lo
 description a
 ip address 192.0.2.1/32
exit
!
access-list M seq 5 permit 198.51.100.0/25
access-list M seq 10 deny any
!
"""


def test_parsed_what_runs_and_what_is_saved_are_the_same_in_two_forms() -> None:
    assert normal(RUNNING, "frr") == normal(SAVED, "frr")
    assert normal(RUNNING, "frr") != normal(SAVED.replace("/25 blackhole", "/26 blackhole"), "frr")


def test_parsed_an_entry_is_taken_away_by_all_its_words_and_an_interface_is_never() -> None:
    wanted = RUNNING.replace("seq 5 permit 198.51.100.0/25", "seq 5 permit 192.0.2.0/25")
    wanted = wanted.replace("interface lo\n description a\n ip address 192.0.2.1/32\nexit\n!\n", "")
    commands = patch(parse(RUNNING, "frr"), parse(wanted, "frr"), "frr")
    assert [line for line in commands if "access-list" in line] == [
        "no access-list M seq 5 permit 198.51.100.0/25",
        "access-list M seq 5 permit 192.0.2.0/25",
    ]
    assert "no interface lo" not in commands
    assert {"no description", "no ip address 192.0.2.1/32"} <= {line.strip() for line in commands}
