"""A declaration is understood whole, or refused in one line with a code."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from panshi.errors import PanshiError

from .seen import KEY, OTHER, declared, key, person


def test_parsed_whole_declaration() -> None:
    rule = {"commands": ["/usr/bin/systemctl restart nginx.service", '/usr/sbin/faillock ""'], "password": True}
    one = declared(person(role="audit", keys=[key()], sudo=[rule], expires=date(2027, 6, 30), uid=2001)).users[0]
    assert one.expires == date(2027, 6, 30) and one.keys[0].person == "陈向天" and one.sudo[0].runas == "root"
    assert not one.leaves and one.shell == "/bin/bash" and one.people == ("陈向天",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Chen"}, "name"),
        ({"name": "root"}, "root"),
        ({"uid": 0}, "root"),
        ({"colour": "red"}, "没有键 colour"),
        ({"request": ""}, "request"),
        ({"reviewer": None}, "reviewer"),
        ({"purpose": "guest"}, "purpose"),
        ({"purpose": "service", "owner": []}, "owner 必写"),
        ({"owner": "陈:向天"}, "owner"),
        ({"state": "gone"}, "state"),
        ({"role": "boss"}, "role"),
        ({"expires": "soon"}, "expires"),
        ({"shell": "bash"}, "shell"),
        ({"groups": "web"}, "应为列表"),
        ({"keys": [{"key": KEY, "comment": "a"}]}, "expires"),
        ({"keys": [{"rotated": True}, {"rotated": True}]}, "只写一次"),
        ({"keys": [{"rotated": False}]}, "rotated: true"),
        ({"keys": [key(rotated=True)]}, "rotated: true"),
        ({"keys": [key(f"no-pty {KEY}")]}, "前面没有选项"),
        ({"keys": [key("-----BEGIN OPENSSH PRIVATE KEY-----")]}, "一行 SSH 公钥"),
        ({"sudo": [{"commands": ["ALL"]}]}, "ALL"),
        ({"sudo": [{"commands": ["systemctl restart x"]}]}, "绝对路径"),
        ({"sudo": [{"commands": ["/usr/bin/less *"]}]}, "绝对路径"),
        ({"sudo": [{"commands": ["/bin/sh -c 'id'"]}]}, "绝对路径"),
        ({"sudo": [{"commands": ["/bin/a\nevil ALL=(ALL) ALL"]}]}, "绝对路径"),
        ({"sudo": [{"commands": []}]}, "commands"),
        ({"sudo": [{"commands": ["/bin/a"], "runas": "ALL"}]}, "runas"),
    ],
)
def test_parsed_what_is_not_understood_is_one_line(change: dict[str, Any], words: str) -> None:
    with pytest.raises(PanshiError) as error:
        declared({**person(), **change})
    assert error.value.code == "PS-E7201" and words in error.value.message
    assert "\n" not in str(error.value) and "PRIVATE" not in str(error.value)


def test_parsed_same_account_twice_or_in_two_places_is_refused() -> None:
    for users, elsewhere in (([person(), person()], []), ([person()], [_admin("chenxt", "system", "陈向天")])):
        with pytest.raises(PanshiError, match="两次|一处"):
            declared(*users, elsewhere=elsewhere)


@pytest.mark.parametrize("owner", ["刘安琪", ["陈向天", "刘安琪"]])
def test_parsed_nobody_reviews_the_own_request(owner: Any) -> None:
    with pytest.raises(PanshiError) as error:
        declared(person(owner=owner))
    assert error.value.code == "PS-E7202"


def _admin(name: str, role: str, person: str) -> dict[str, str]:
    return {"name": name, "role": role, "person": person, "request": "LAB-1"}


def test_parsed_one_person_holds_one_of_the_three_roles() -> None:
    for users, elsewhere in (
        ([person(role="system"), person("second", role="audit")], []),
        ([person(role="system")], [_admin("other", "security", "陈向天")]),
    ):
        with pytest.raises(PanshiError) as error:
            declared(*users, elsewhere=elsewhere)
        assert error.value.code == "PS-E7203" and "系统管理员" in error.value.message
    three = [person(role="system"), person("b", owner="乙", role="security"), person("c", owner="丙", role="audit")]
    assert len(declared(*three).users) == 3
    assert declared(person(role="system", state="leaver"), person("second", role="audit"))


def test_parsed_the_same_key_of_two_accounts_stays_each_ones() -> None:
    users = declared(person(keys=[key()]), person("b", owner="乙", keys=[key(OTHER)])).users
    assert [user.keys[0].person for user in users] == ["陈向天", "乙"]
