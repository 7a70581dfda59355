"""The rules by which a typed line changes the configuration: each platform's own, without any network."""

from __future__ import annotations

import pytest
from emulators.network.grammar import Patterns, Refusal, Why
from emulators.network.platform import platform
from emulators.network.rules import fits, hashed, loaded, typed
from emulators.network.tree import Node, lines_of


class Desk:
    """Types lines into a configuration that nobody runs."""

    def __init__(self, name: str, text: str = "") -> None:
        self.platform = platform(name)
        self.root = loaded(self.platform, text)
        self.path: list[Node] = [self.root]

    def type(self, *lines: str) -> Desk:
        for line in lines:
            if line in ("quit", "exit"):
                self.path.pop()
                continue
            outcome = typed(self.platform, self.path, line)
            assert outcome.accepted, (line, outcome)
            self.path = self.path[: len(self.path) - outcome.popped]
            if outcome.opened is not None:
                self.path.append(outcome.opened)
        return self

    def refuses(self, line: str) -> Why | str:
        before = self.lines
        outcome = typed(self.platform, self.path, line)
        assert not outcome.accepted, line
        assert self.lines == before
        return outcome.refusal.why if outcome.refusal else outcome.said

    @property
    def lines(self) -> list[str]:
        return lines_of(self.root)


def test_emulated_vrp_vlan_batch_is_a_set() -> None:
    desk = Desk("huawei_vrp").type("vlan batch 10 20 to 22", "vlan batch 30")
    assert desk.lines == ["vlan batch 10 20 to 22 30"]
    desk.type("undo vlan batch 21")
    assert desk.lines == ["vlan batch 10 20 22 30"]
    desk.type("vlan 40", "description 办公", "quit")
    assert desk.lines == ["vlan batch 10 20 22 30 40", "vlan 40", " description 办公"]
    desk.type("undo vlan 40")
    assert desk.lines == ["vlan batch 10 20 22 30"]
    desk.type("vlan 10", "description x", "quit", "undo vlan batch 10 20 22 30")
    assert desk.lines == []


def test_emulated_ios_allowed_vlans_are_replaced_added_and_removed() -> None:
    desk = Desk("cisco_ios").type("interface Gi1/0/1", "switchport trunk allowed vlan 10,20-22")
    desk.type("switchport trunk allowed vlan add 30", "switchport trunk allowed vlan remove 21")
    assert desk.lines[-1] == " switchport trunk allowed vlan 10,20,22,30"
    desk.type("switchport trunk allowed vlan 5")
    assert desk.lines[-1] == " switchport trunk allowed vlan 5"


@pytest.mark.parametrize(
    ("name", "acl", "first"),
    [("huawei_vrp", "acl number 3000", "rule 5"), ("hp_comware", "acl advanced 3000", "rule 0")],
)
def test_emulated_acl_rules_are_numbered_sorted_and_removed_by_number(name: str, acl: str, first: str) -> None:
    desk = Desk(name).type(acl, "rule deny ip", "rule permit tcp source 192.0.2.0 0.0.0.255", "rule 7 permit udp")
    numbers = [line.split()[1] for line in desk.lines[1:]]
    assert desk.lines[1] == f" {first} deny ip"
    assert numbers == sorted(numbers, key=int)
    assert desk.refuses(f"undo {first} deny ip") == Why.TOO_MANY
    assert "does not exist" in str(desk.refuses("undo rule 99"))
    desk.type(f"undo {first}", "rule 7 permit icmp")
    assert " rule 7 permit icmp" in desk.lines
    assert " rule 7 permit udp" not in desk.lines
    assert not any(line.startswith(f" {first} ") for line in desk.lines)


def test_emulated_ios_acl_numbers_and_the_removal_by_number_or_by_line() -> None:
    desk = Desk("cisco_ios").type(
        "ip access-list extended X", "permit tcp any any eq 22", "15 deny udp any any", "deny ip any any"
    )
    assert desk.lines[1:] == [" 10 permit tcp any any eq 22", " 15 deny udp any any", " 20 deny ip any any"]
    assert "Duplicate" in str(desk.refuses("10 permit ip any any"))
    desk.type("no 15", "no permit tcp any any eq 22")
    assert desk.lines[1:] == [" 20 deny ip any any"]


def test_emulated_usg_rules_keep_their_order_and_move() -> None:
    desk = Desk("huawei_vrp").type("security-policy")
    for name in ("c", "a", "b"):
        desk.type(f"rule name {name}", "service http", "action permit", "quit")

    def order() -> list[str]:
        return [line.split()[-1] for line in desk.lines if line.startswith(" rule name")]

    assert order() == ["c", "a", "b"]
    desk.type("rule move b before c")
    assert order() == ["b", "c", "a"]
    desk.type("rule move b after c", "rule move a top")
    assert order() == ["a", "c", "b"]
    desk.type("rule rename c c~new", "rule move a bottom")
    assert order() == ["c~new", "b", "a"]
    assert "does not exist" in str(desk.refuses("rule move z before a"))
    desk.type("rule name b", "undo service http", "quit", "undo rule name a")
    assert order() == ["c~new", "b"]
    assert desk.lines[-2:] == [" rule name b", "  action permit"]


def test_emulated_secpath_rules_have_an_id_and_a_name() -> None:
    desk = Desk("hp_comware").type("security-policy ip")
    for name in ("p1", "p2", "p3"):
        desk.type(f"rule name {name}", "action pass", "quit")
    assert [line for line in desk.lines if "rule" in line] == [" rule 0 name p1", " rule 1 name p2", " rule 2 name p3"]
    desk.type("rule name p2", "source-zone trust", "quit", "move rule name p3 before name p1", "undo rule 0")
    assert [line for line in desk.lines if "rule" in line] == [" rule 2 name p3", " rule 1 name p2"]
    desk.type("undo rule name p3")
    assert desk.lines == ["security-policy ip", " rule 1 name p2", "  action pass", "  source-zone trust"]


def test_emulated_single_values_are_replaced_and_removed_by_their_name_alone() -> None:
    desk = Desk("huawei_vrp").type("interface g0/0/1", "description one", "description two")
    assert desk.lines == ["interface GigabitEthernet0/0/1", " description two"]
    assert desk.refuses("undo description two") == Why.TOO_MANY
    desk.type("undo description")
    assert desk.lines == ["interface GigabitEthernet0/0/1"]
    desk = Desk("cisco_ios").type("interface Gi1/0/1", "description one", "no description whatever")
    assert desk.lines == ["interface GigabitEthernet1/0/1"]


def test_emulated_defaults_are_not_shown_and_what_is_usually_on_is_shown_when_off() -> None:
    desk = Desk("cisco_ios").type("line vty 0 4", "exec-timeout 5 0", "exec-timeout 10 0", "exit", "no ip http server")
    assert desk.lines == ["no ip http server", "line vty 0 4"]
    assert Desk("cisco_ios", "\n".join(desk.lines)).type("ip http server").lines == ["line vty 0 4"]


def test_emulated_only_ios_takes_a_global_line_in_any_view() -> None:
    assert Desk("huawei_vrp").type("interface g0/0/1").refuses("sysname X") == Why.UNKNOWN
    assert Desk("cisco_ios").type("interface Gi1/0/1", "hostname X").path[-1].line == ""


def test_emulated_a_line_of_another_view_is_refused() -> None:
    assert Desk("huawei_vrp").type("security-policy").refuses("action permit") == Why.UNKNOWN
    assert Desk("hp_comware").type("vlan 10").refuses("action pass") == Why.UNKNOWN


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("interface", Why.INCOMPLETE),
        ("interface Foo0/0/1", Why.WRONG),
        ("sysname a b", Why.TOO_MANY),
        ("vlan 4095", Why.WRONG),
        ("sy", Why.INCOMPLETE),
        ("s", Why.AMBIGUOUS),
        ("firewall zone lan", Why.UNKNOWN),
        ("undo", Why.INCOMPLETE),
    ],
)
def test_emulated_every_kind_of_refusal(line: str, why: Why) -> None:
    assert Desk("huawei_vrp").refuses(line) == why


def test_emulated_an_ambiguous_word_is_refused() -> None:
    patterns = Patterns([("display clock", 1), ("display current", 2)])
    assert patterns.match("dis c") == Refusal(Why.AMBIGUOUS, 0)
    found = patterns.match("dis cu")
    assert not isinstance(found, Refusal) and found[1] == 2


def test_parsed_a_password_is_kept_as_a_hash_that_only_it_fits() -> None:
    desk = Desk("huawei_vrp").type("aaa", "local-user ops password irreversible-cipher Secret-9", "quit")
    login = next(node.login for node in desk.root.walk() if node.login)
    assert login is not None and login[0] == "ops"
    assert fits("Secret-9", login[1]) and not fits("Secret-8", login[1])
    assert not any("Secret-9" in line for line in desk.lines)
    again = Desk("huawei_vrp", "\n".join(desk.lines))  # a backup that is played back
    assert again.lines == desk.lines
    assert hashed("x", "$1c$") != hashed("x", "$1c$")


def test_parsed_what_is_not_emulated_stays_in_a_given_configuration_and_cannot_be_typed() -> None:
    text = "sysname A\n#\nfrob nicate\n inner line\n#\nvlan batch 10\n"
    desk = Desk("huawei_vrp", text)
    assert desk.lines == ["sysname A", "frob nicate", " inner line", "vlan batch 10"]
    assert desk.refuses("frob nicate") == Why.UNKNOWN
    assert desk.refuses("undo frob nicate") == Why.UNKNOWN


def test_parsed_a_block_below_a_line_that_opens_none_is_no_configuration() -> None:
    with pytest.raises(ValueError, match="opens no view"):
        Desk("huawei_vrp", "sysname A\n inner\n")
