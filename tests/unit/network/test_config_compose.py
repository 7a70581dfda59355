"""What a device shall have, from what it runs and a text about a part of it."""

from __future__ import annotations

import pytest

from panshi.network.config import Scope, compose, parse, patch

RUNNING = """vlan batch 10 20
telnet server enable
interface GigabitEthernet0/0/1
 description a
 shutdown
interface GigabitEthernet0/0/2
 description b
"""


def commands(intended: str, scope: Scope, running: str = RUNNING, platform: str = "huawei_vrp") -> list[str]:
    before = parse(running, platform)
    after = compose(before, parse(intended, platform), platform, scope)
    return patch(before, after, platform)


def test_parsed_a_merge_takes_nothing_away() -> None:
    text = "vlan batch 30\ninterface GigabitEthernet0/0/1\n description c\n"
    assert commands(text, Scope.MERGE) == [
        "vlan batch 30",
        *("interface GigabitEthernet0/0/1", "description c", "quit"),
    ]


def test_parsed_sections_become_exactly_as_written_and_others_stay() -> None:
    text = "vlan batch 30\ninterface GigabitEthernet0/0/1\n description c\n"
    assert commands(text, Scope.SECTIONS) == [
        "vlan batch 30",
        *("interface GigabitEthernet0/0/1", "undo shutdown", "description c", "quit"),
        "undo vlan batch 10 20",
    ]


def test_parsed_a_whole_text_takes_away_what_it_does_not_say() -> None:
    text = "vlan batch 10 20\ninterface GigabitEthernet0/0/1\n description a\n shutdown\n"
    assert commands(text, Scope.WHOLE) == [
        *("interface GigabitEthernet0/0/2", "undo description", "quit"),
        "undo telnet server enable",
    ]


@pytest.mark.parametrize("scope", Scope)
def test_parsed_a_negative_line_takes_away_what_is_there_and_is_nothing_afterwards(scope: Scope) -> None:
    running = "telnet server enable\n"
    assert commands("undo telnet server enable\n", scope, running) == ["undo telnet server enable"]
    assert commands("undo telnet server enable\n", scope, "") == []


@pytest.mark.parametrize("scope", Scope)
def test_parsed_a_negative_line_of_what_is_on_by_default_is_said(scope: Scope) -> None:
    assert commands("undo info-center enable\n", scope, "") == ["undo info-center enable"]
    assert commands("undo info-center enable\n", scope, "undo info-center enable\n") == []
    assert commands("no ip http server\n", scope, "ip http server\n", "cisco_ios") == ["no ip http server"]


@pytest.mark.parametrize("scope", Scope)
def test_parsed_a_negative_line_in_a_view_is_understood_there(scope: Scope) -> None:
    running = "interface GigabitEthernet0/0/1\n description a\n shutdown\n"
    text = "interface GigabitEthernet0/0/1\n description a\n undo shutdown\n"
    assert commands(text, scope, running)[1:-1] == ["undo shutdown"]


@pytest.mark.parametrize(
    ("platform", "running", "line", "said"),
    [
        ("huawei_vrp", "vlan batch 10 20\n", "undo vlan batch 20", ["undo vlan batch 20"]),
        (
            "huawei_vrp",
            "aaa\n local-user a privilege level 1\n local-user a service-type ssh\n",
            "aaa\n undo local-user a",
            ["aaa", "undo local-user a", "quit"],
        ),
        ("huawei_vrp", "acl number 3000\n rule 5 permit ip\n", "undo acl 3000", ["undo acl 3000"]),
        (
            "huawei_vrp",
            "acl number 3000\n rule 5 permit ip\n rule 10 deny ip\n",
            "acl number 3000\n undo rule 5",
            ["acl number 3000", "undo rule 5", "quit"],
        ),
        ("hp_comware", "vlan 10\n#\nvlan 11\n#\nvlan 12\n", "undo vlan 10 to 11", ["undo vlan 11", "undo vlan 10"]),
        ("cisco_ios", "username a privilege 1 secret 9 $9$x\n", "no username a", ["no username a"]),
    ],
)
def test_parsed_a_negative_line_takes_away_whatever_it_names(
    platform: str, running: str, line: str, said: list[str]
) -> None:
    assert commands(f"{line}\n", Scope.MERGE, running, platform) == said


def test_parsed_a_line_that_says_a_default_takes_away_what_differs_from_it() -> None:
    running = "user-interface vty 0 4\n idle-timeout 0 0\n"
    text = "user-interface vty 0 4\n idle-timeout 10 0\n"
    assert commands(text, Scope.MERGE, running)[1:-1] == ["undo idle-timeout"]
    assert commands(text, Scope.MERGE, "") == []
    assert commands("info-center enable\n", Scope.MERGE, "undo info-center enable\n") == ["info-center enable"]
