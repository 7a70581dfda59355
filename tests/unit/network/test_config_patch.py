"""The commands that make one configuration another: each trap that other tools fall into, on hand-written texts."""

from __future__ import annotations

import pytest

from panshi.errors import PanshiError
from panshi.network.config import parse, patch


def commands(before: str, after: str, platform: str = "huawei_vrp") -> list[str]:
    return patch(parse(before, platform), parse(after, platform), platform)


def test_parsed_vlan_batch_never_takes_away_what_stays() -> None:
    assert commands("vlan batch 10 20\n", "vlan batch 10 20 30\n") == ["vlan batch 30"]
    assert commands("vlan batch 10 20 to 30\n", "vlan batch 10 20 to 24 26 to 30\n") == ["undo vlan batch 25"]
    assert commands("vlan batch 10\nvlan batch 20\n", "vlan batch 10 20\n") == []


def test_parsed_more_than_ten_ranges_are_several_commands() -> None:
    wanted = "vlan batch " + " ".join(str(number) for number in range(2, 26, 2)) + "\n"
    assert commands("", wanted) == ["vlan batch 2 4 6 8 10 12 14 16 18 20", "vlan batch 22 24"]


def test_parsed_a_rule_of_an_acl_is_undone_by_its_number_only() -> None:
    before = "acl number 3000\n rule 5 permit tcp source 192.0.2.0 0.0.0.255\n"
    assert commands(before, "acl number 3000\n rule 5 deny ip\n") == [
        "acl number 3000",
        "undo rule 5",
        "rule 5 deny ip",
        "quit",
    ]
    assert commands(before, "") == ["undo acl 3000"]
    assert commands(before, before.replace("acl number", "acl")) == []


def test_parsed_entries_of_an_acl_come_from_the_top_and_go_from_the_bottom() -> None:
    before = "acl 3000\n rule 5 deny tcp\n rule 10 deny udp\n rule 15 permit ip\n"
    after = "acl 3000\n rule 3 deny icmp\n rule 4 deny igmp\n rule 15 permit ip\n"
    assert commands(before, after) == [
        "acl 3000",
        "rule 3 deny icmp",
        "rule 4 deny igmp",
        "undo rule 10",
        "undo rule 5",
        "quit",
    ]


def test_parsed_a_description_is_changed_in_place_and_undone_without_its_text() -> None:
    before = "interface GigabitEthernet0/0/1\n description a\n"
    assert commands(before, before.replace(" a", " b"))[1:-1] == ["description b"]
    assert commands(before, "") == ["interface GigabitEthernet0/0/1", "undo description", "quit"]


def test_parsed_what_is_replaced_in_an_interface_is_first_taken_away() -> None:
    before = "interface GE1\n port link-type access\n port default vlan 10\n"
    after = "interface GE1\n port link-type trunk\n port trunk allow-pass vlan 10 20\n"
    assert commands(before, after) == [
        "interface GE1",
        "undo port default vlan",
        "port link-type trunk",
        "port trunk allow-pass vlan 10 20",
        "quit",
    ]


def test_parsed_a_vlan_that_stays_in_the_batch_loses_its_description_only() -> None:
    before = "vlan batch 10\nvlan 10\n description a\n"
    assert commands(before, "vlan batch 10\n") == ["vlan 10", "undo description", "quit"]


def test_parsed_a_view_inside_a_view_is_left_for_it() -> None:
    after = "security-policy\n default action permit\n rule name p1\n  source-zone trust\n  action permit\n"
    assert commands("", after) == [
        "security-policy",
        "default action permit",
        "rule name p1",
        "source-zone trust",
        "action permit",
        "quit",
        "quit",
    ]


POLICY = "security-policy\n rule name p1\n  service https\n  action permit\n rule name p2\n  action deny\n"


def test_parsed_a_new_rule_before_others_is_moved_there() -> None:
    after = POLICY.replace(" rule name p1", " rule name p0\n  service ssh\n  action permit\n rule name p1")
    found = commands(POLICY, after)
    assert found == [
        *("security-policy", "rule name p0", "service ssh", "action permit", "quit"),
        *("rule move p0 before p1", "quit"),
    ]


def test_parsed_a_rule_is_never_left_without_the_condition_that_narrows_it() -> None:
    found = commands(POLICY, POLICY.replace("https", "http"))
    assert found[1:-1] == ["rule name p1", "service http", "undo service https", "quit"]


def test_parsed_a_rule_with_two_changed_conditions_is_closed_meanwhile() -> None:
    before = POLICY.replace("  service https", "  source-zone trust\n  service https")
    after = POLICY.replace("  service https", "  source-zone dmz\n  service http")
    assert commands(before, after)[2:-2] == [
        "action deny",
        "source-zone dmz",
        "service http",
        "undo service https",
        "undo source-zone trust",
        "action permit",
    ]


def test_parsed_a_rule_opens_last_and_closes_first() -> None:
    opened = POLICY.replace("  action deny", "  service ssh\n  action permit")
    assert commands(POLICY, opened)[2:-2] == ["service ssh", "action permit"]
    assert commands(opened, POLICY)[2:-2] == ["action deny", "undo service ssh"]


def test_parsed_an_account_goes_whole_or_line_by_line() -> None:
    before = "aaa\n local-user a password irreversible-cipher x\n local-user a service-type ssh\n"
    assert commands(before, "") == ["aaa", "undo local-user a", "quit"]
    after = "aaa\n local-user a password irreversible-cipher x\n"
    assert commands(before, after) == ["aaa", "undo local-user a service-type", "quit"]


def test_parsed_a_negative_line_and_its_positive_are_one_setting() -> None:
    assert commands("undo info-center enable\n", "info-center enable\n") == ["info-center enable"]
    assert commands("undo info-center enable\n", "") == ["info-center enable"]
    assert commands("interface GE1\n shutdown\n", "interface GE1\n undo shutdown\n") == [
        "interface GE1",
        "undo shutdown",
        "quit",
    ]


def test_parsed_trunks_of_ios_are_changed_by_what_differs() -> None:
    before = "interface Gi0/1\n switchport trunk allowed vlan 10,20-30\n"
    after = "interface Gi0/1\n switchport trunk allowed vlan 10,20-29\n switchport trunk allowed vlan add 40\n"
    assert commands(before, after, "cisco_ios")[1:-1] == [
        "switchport trunk allowed vlan remove 30",
        "switchport trunk allowed vlan add 40",
    ]
    assert commands(before, "interface Gi0/1\n", "cisco_ios")[1:-1] == ["no switchport trunk allowed vlan"]


def test_parsed_vlans_of_ios_and_comware_are_one_view_each() -> None:
    assert commands("vlan 10-12\n", "vlan 10\nvlan 12\n", "cisco_ios") == ["no vlan 11"]
    assert commands("vlan 10 to 12\n", "vlan 10 to 11\nvlan 12\n name a\n", "hp_comware") == [
        "vlan 12",
        "name a",
        "quit",
    ]


def test_parsed_a_rule_of_secpath_is_known_by_its_number() -> None:
    before = "security-policy ip\n rule 0 name a\n  action pass\n rule 1 name b\n  action drop\n"
    after = "security-policy ip\n rule 1 name b\n  action drop\n rule 0 name a\n  action pass\n"
    assert commands(before, after, "hp_comware")[1:-1] == ["move rule 1 before 0"]
    renamed = before.replace("0 name a", "0 name c")
    assert commands(before, renamed, "hp_comware")[1:-1] == [
        *("undo rule 0", "rule 0 name c", "action pass", "quit"),
        "move rule 0 before 1",
    ]


def test_parsed_two_lines_that_a_rule_takes_for_one_are_both_kept() -> None:
    before = "interface GE1\n traffic-filter inbound acl 3000\n"
    after = before + " traffic-filter inbound acl 3001\n"
    found = commands(before, after)
    assert "traffic-filter inbound acl 3001" in found
    assert "undo traffic-filter inbound" not in found


@pytest.mark.parametrize("text", [POLICY, "vlan batch 10 20\nacl 3000\n rule 5 permit ip\n"])
def test_parsed_nothing_is_to_be_done_for_what_is_so(text: str) -> None:
    assert commands(text, text) == []


def test_parsed_numbered_lists_of_ios_are_changed_in_their_view_never_undone_line_by_line() -> None:
    before = "access-list 100 permit ip any any\naccess-list 10 permit any\n"
    assert commands("", before, "cisco_ios") == [
        *("ip access-list extended 100", "permit ip any any", "exit"),
        *("ip access-list standard 10", "permit any", "exit"),
    ]
    assert commands(before, "access-list 10 permit any\n", "cisco_ios") == ["no ip access-list extended 100"]


def test_parsed_entries_without_numbers_are_not_reordered_blindly() -> None:
    before = "ip access-list extended A\n permit tcp any any\n deny ip any any\n"
    after = "ip access-list extended A\n permit tcp any any\n permit udp any any\n deny ip any any\n"
    with pytest.raises(PanshiError, match="PS-E8072.*ip access-list extended A"):
        commands(before, after, "cisco_ios")
    assert commands(before, before, "cisco_ios") == []
    numbered = "ip access-list extended A\n 10 permit tcp any any\n 20 deny ip any any\n"
    assert commands(numbered, numbered.replace("20", "15 permit udp any any\n 20"), "cisco_ios")[1:-1] == [
        "15 permit udp any any"
    ]


def test_parsed_entries_without_numbers_get_one_that_fits_where_the_device_shows_them() -> None:
    before = "ip access-list extended A\n 10 permit tcp any any\n 20 permit udp any any\n 30 deny ip any any\n"
    after = (
        "ip access-list extended A\n permit icmp any any\n permit tcp any any\n permit gre any any\n deny ip any any\n"
    )
    assert commands(before, after, "ruijie_os")[1:-1] == [
        "5 permit icmp any any",
        "21 permit gre any any",
        "no 20",
    ]


def test_parsed_an_entry_that_only_changes_its_number_is_taken_out_before_it_is_put_in() -> None:
    before = "ip access-list extended A\n 10 permit tcp any any\n 60 permit icmp any any\n"
    after = "ip access-list extended A\n 10 permit icmp any any\n 45 permit tcp any any\n"
    assert commands(before, after, "ruijie_os")[1:-1] == [
        *("no 60", "no 10", "10 permit icmp any any"),
        "45 permit tcp any any",
    ]


@pytest.mark.parametrize("platform", ["cisco_ios", "ruijie_os"])
def test_parsed_a_session_that_ends_and_a_password_are_never_undone_into_their_contrary(platform: str) -> None:
    before = "line vty 0 4\n exec-timeout 5 0\n login local\n"
    after = "line vty 0 4\n transport input ssh\n"
    found = commands(before, after, platform)
    assert {"exec-timeout 10 0", "login"} <= set(found)
    assert not {"no exec-timeout", "no login"} & set(found)
    assert commands(after + " exec-timeout 10 0\n login\n", after, platform) == []
    assert commands(after + " exec-timeout 0 0\n no login\n", after, platform) != []


def test_parsed_what_is_defined_is_typed_before_what_refers_to_it() -> None:
    before = "user-interface vty 0 4\n protocol inbound ssh\nvlan batch 10\n"
    after = (
        "user-interface vty 0 4\n protocol inbound ssh\n acl 2999 inbound\nvlan batch 10 20\n"
        "interface Vlanif20\n description a\nacl number 2999\n rule 5 permit source 192.0.2.0 0.0.0.255\n"
    )
    assert commands(before, after) == [
        "vlan batch 20",
        *("interface Vlanif20", "description a", "quit"),
        *("acl number 2999", "rule 5 permit source 192.0.2.0 0.0.0.255", "quit"),
        *("user-interface vty 0 4", "acl 2999 inbound", "quit"),
    ]
