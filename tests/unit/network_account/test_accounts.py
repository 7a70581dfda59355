"""Accounts read from configurations, the lines that change them, and what is never done; on emulated devices, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from emulators.network import NAMES, emulated

from panshi.errors import PanshiError
from panshi.network.account import (
    Account,
    Wanted,
    is_administrator,
    password_lines,
    presence_lines,
    read_accounts,
    refuse,
    removal_lines,
)

from .estates import PASSWORD, made
from .test_rotate import begun

NEW = "New-Password-7"
VRP = """aaa
 local-user admin password irreversible-cipher $1c$a$b$
 local-user admin privilege level 15
 local-user admin service-type terminal ssh
 local-user old password cipher %^%#abc%^%#
 local-user old state block
 local-user old privilege level 15
 local-user viewer privilege level 1
 local-user other idle-timeout 5 0
#
ssh user viewer authentication-type password
#
return
"""
COMWARE = """#
local-user admin class manage
 password hash $h$6$a$b
 service-type ssh terminal
 authorization-attribute user-role network-admin
 authorization-attribute user-role network-operator
#
local-user guest class network
 password simple x
#
return
"""
IOS = """!
username admin privilege 15 secret 9 $9$a$b
username viewer secret 5 $1$a$b
username plain privilege 7 password 7 0822455D0A16
!
end
"""


def test_parsed_accounts_of_vrp() -> None:
    found = read_accounts(VRP, "huawei_vrp")
    assert list(found) == ["admin", "old", "viewer", "other"]
    assert found["admin"].services == {"terminal", "ssh"} and found["viewer"].ssh_user
    assert [name for name, one in found.items() if is_administrator(one, "huawei_vrp")] == ["admin"]
    assert found["old"].password == "cipher %^%#abc%^%#"


def test_parsed_accounts_of_comware_are_those_that_manage() -> None:
    found = read_accounts(COMWARE, "hp_comware")
    assert list(found) == ["admin"]
    assert found["admin"].roles == {"network-admin", "network-operator"}
    assert found["admin"].services == {"ssh", "terminal"}
    assert is_administrator(found["admin"], "hp_comware")


def test_parsed_accounts_of_ios() -> None:
    found = read_accounts(IOS, "cisco_ios")
    assert {name: (one.level, one.word) for name, one in found.items()} == {
        "admin": ("15", "secret"),
        "viewer": ("1", "secret"),
        "plain": ("7", "password"),
    }


def test_parsed_no_account_of_ios_is_overlooked_for_what_else_its_line_says() -> None:
    text = "username a privilege 15 view root secret 9 $9$a$b\nusername b password 7 08\nusername b privilege 15\n"
    found = read_accounts(f"{text}username c autocommand show version\nend\n", "cisco_ios")
    assert {name: one.level for name, one in found.items()} == {"a": "15", "b": "15", "c": "1"}
    assert found["a"].password == "9 $9$a$b"
    assert presence_lines(found, Wanted("c", level=2), "cisco_ios") == ["username c privilege 2"]


def test_parsed_a_name_that_differs_by_its_capitals_alone_is_no_new_account() -> None:
    with pytest.raises(PanshiError) as refused:
        presence_lines({"admin": ADMIN}, Wanted("Admin", level=1), "huawei_vrp", NEW)
    assert refused.value.code == "PS-E8150"


def test_parsed_no_account_shows_its_password() -> None:
    assert "$9$" not in repr(read_accounts(IOS, "cisco_ios"))


@pytest.mark.parametrize(
    ("platform", "text", "name", "lines"),
    [
        ("huawei_vrp", VRP, "old", ["aaa", f"local-user old password irreversible-cipher {NEW}", "quit"]),
        ("hp_comware", COMWARE, "admin", ["local-user admin class manage", f"password simple {NEW}", "quit"]),
        ("cisco_ios", IOS, "viewer", [f"username viewer privilege 1 algorithm-type scrypt secret {NEW}"]),
        ("cisco_ios", IOS.replace(" 9 $9$", " 5 $1$"), "admin", [f"username admin privilege 15 secret {NEW}"]),
        ("cisco_ios", IOS, "plain", [f"username plain privilege 7 password {NEW}"]),
        ("ruijie_os", IOS, "admin", [f"username admin privilege 15 secret {NEW}"]),
    ],
)
def test_parsed_lines_of_a_new_password(platform: str, text: str, name: str, lines: list[str]) -> None:
    assert password_lines(read_accounts(text, platform), platform, name, NEW) == lines


def test_parsed_a_password_that_is_not_shown_could_not_be_taken_back() -> None:
    accounts = read_accounts(COMWARE.replace(" password hash $h$6$a$b\n", ""), "hp_comware")
    with pytest.raises(PanshiError) as refused:
        password_lines(accounts, "hp_comware", "admin", NEW)
    assert refused.value.code == "PS-E8150"
    with pytest.raises(PanshiError) as refused:
        presence_lines(accounts, Wanted("admin"), "hp_comware", NEW)
    assert refused.value.code == "PS-E8150"


def test_parsed_a_role_of_comware_is_given_before_the_others_are_taken() -> None:
    accounts = read_accounts(COMWARE, "hp_comware")
    assert presence_lines(accounts, Wanted("admin", role="level-15"), "hp_comware")[1:-1] == [
        "authorization-attribute user-role level-15",
        "undo authorization-attribute user-role network-admin",
        "undo authorization-attribute user-role network-operator",
    ]


@pytest.mark.parametrize(
    ("wanted", "platform", "value"),
    [
        (Wanted("new"), "frr", NEW),
        (Wanted("new", level=1), "hp_comware", NEW),
        (Wanted("new", role="network-admin"), "huawei_vrp", NEW),
        (Wanted("new", level=16), "cisco_ios", NEW),
        (Wanted("new", services=frozenset({"ssh"})), "cisco_ios", NEW),
        (Wanted("new", services=frozenset({"psychic"})), "huawei_vrp", NEW),
        (Wanted("new", services=frozenset()), "huawei_vrp", NEW),
        (Wanted("new"), "huawei_vrp", ""),
        (Wanted("a b"), "huawei_vrp", NEW),
        (Wanted("new\nsave"), "huawei_vrp", NEW),
        (Wanted("new"), "huawei_vrp", "with space"),
        (Wanted("new"), "cisco_ios", "what?what?"),
        (Wanted("new"), "cisco_ios", "Two-lines\nreload"),
        (Wanted("new"), "cisco_ios", "short"),
    ],
)
def test_parsed_what_does_not_fit_is_refused(wanted: Wanted, platform: str, value: str) -> None:
    with pytest.raises(PanshiError) as refused:
        presence_lines({}, wanted, platform, value)
    assert refused.value.code == "PS-E8150"
    assert value == "" or value not in str(refused.value)


ADMIN = Account("admin", "15", services=frozenset({"ssh"}))


@pytest.mark.parametrize(
    ("others", "wanted", "login", "code"),
    [
        ((), None, "admin", "PS-E8151"),
        ((), Wanted("admin", level=1), "admin", "PS-E8151"),
        ((), Wanted("admin", services=frozenset({"terminal"})), "admin", "PS-E8151"),
        ((), Wanted("admin", level=15), "admin", ""),
        ((), None, "radius", "PS-E8152"),
        ((), Wanted("admin", level=1), "radius", "PS-E8152"),
        ((Account("b", "1"),), None, "radius", "PS-E8152"),
        ((Account("b", "15", blocked=True),), None, "radius", "PS-E8152"),
        ((Account("b"),), None, "radius", "PS-E8152"),
        ((Account("b", "15"),), None, "radius", ""),
        ((Account("b", "15"),), None, "b", ""),
        ((Account("b", "15"),), None, "admin", "PS-E8151"),
    ],
)
def test_parsed_nobody_saws_off_the_branch(
    others: tuple[Account, ...], wanted: Wanted | None, login: str, code: str
) -> None:
    accounts = {one.name: one for one in (ADMIN, *others)}
    if not code:
        refuse(accounts, "huawei_vrp", "admin", wanted, login)
        return
    with pytest.raises(PanshiError) as refused:
        refuse(accounts, "huawei_vrp", "admin", wanted, login)
    assert refused.value.code == code


def test_parsed_a_level_that_is_not_shown_is_not_lowered_either() -> None:
    accounts = {"admin": Account("admin"), "b": Account("b", "15")}
    with pytest.raises(PanshiError) as refused:
        refuse(accounts, "huawei_vrp", "admin", Wanted("admin", level=1), "admin")
    assert refused.value.code == "PS-E8151"


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_what_was_done_is_not_done_again_and_undone_without_a_trace(platform: str, tmp_path: Path) -> None:
    device = made(platform)
    role = platform == "hp_comware"
    wanted = [Wanted("fresh", role="network-operator" if role else "", level=None if role else 1)]
    wanted.append(Wanted("fresh", role="network-admin" if role else "", level=None if role else 15))
    with emulated(device):
        reach, before = begun(tmp_path, device).reach(device), device.running
        for number, one in enumerate(wanted):
            value = "" if number else NEW
            reach.change(presence_lines(reach.settle(), one, platform, value), one.name, value)
            accounts = reach.settle()
            assert presence_lines(accounts, one, platform) == []
            assert is_administrator(accounts["fresh"], platform) == bool(number)
            assert device.lets_in("fresh", NEW)
        reach.change(removal_lines(reach.settle(), "fresh", platform))
        assert device.running == device.startup == before
        assert removal_lines(reach.settle(), "fresh", platform) == []
        assert not device.lets_in("fresh", NEW)


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_first_password_that_does_not_log_in_leaves_no_account(platform: str, tmp_path: Path) -> None:
    device = made(platform, faults={"lockout_line": "fresh"})
    with emulated(device):
        reach, before = begun(tmp_path, device).reach(device), device.running
        lines = presence_lines(reach.settle(), Wanted("fresh"), platform, NEW)
        with pytest.raises(PanshiError) as failed:
            reach.change(lines, "fresh", NEW)
        assert failed.value.code == "PS-E8004"
        assert NEW not in str(failed.value)
        assert device.running == device.startup == before
        assert device.lets_in("ops", PASSWORD)
