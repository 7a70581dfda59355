"""What is said of a host's accounts, and what is refused before anybody is shut out."""

from __future__ import annotations

from typing import Any

import pytest

from panshi.accounts.judge import Finding, Seen, findings, refuse, remains
from panshi.errors import PanshiError

from .seen import KEY, OTHER, ROOT, account, declared, key, left, person, seen


def events(host: Seen) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in findings(host):
        found.setdefault(one.event, set()).add(one.account)
    return found


def test_constructed_host_as_declared_has_no_finding() -> None:
    rule = {"commands": ["/usr/bin/id"], "password": False}
    chen = declared(person(keys=[key()], groups=["web"], sudo=[rule]))
    lines = ["(root) NOPASSWD: /usr/bin/id"]
    assert findings(seen(chen, account("root", 0), account("chenxt", keys=(KEY,), groups=["web"], sudo=lines))) == []


@pytest.mark.parametrize(
    ("change", "event"),
    [
        ({"keys": (KEY, OTHER)}, "keys"),
        ({"groups": ["docker"]}, "groups"),
        ({"sudo": ["(root) NOPASSWD: /usr/bin/vi, /usr/bin/id"]}, "sudo"),
        ({"sudo": ROOT}, "sudo"),
        ({"password": "locked"}, "locked"),
        ({"uid": 1777}, "differs"),
        ({"home": "/srv/chen"}, "differs"),
        ({"key_files": []}, "differs"),
        ({"key_files": [{"path": "/k", "kind": "other", "lines": []}]}, "differs"),
    ],
)
def test_constructed_more_than_declared_is_said(change: dict[str, Any], event: str) -> None:
    keys = change.pop("keys", (KEY,))
    host = seen(declared(person(keys=[key()], uid=1002, home="/home/chenxt")), account("chenxt", keys=keys, **change))
    assert events(host) == {event: {"chenxt"}}


def test_constructed_rotated_key_is_declared_and_a_second_one_is_said() -> None:
    """The mark in a comment is anybody's to write: it spares one key, of an account that is declared so."""
    mark = "chen panshi-rotated"
    rotated, plain = (declared(person(keys=keys)) for keys in ([{"rotated": True}], []))
    assert events(seen(rotated, account("chenxt", keys=(f"{OTHER} {mark}",)))) == {}
    assert events(seen(rotated, account("chenxt", keys=(f"{OTHER} {mark}", f"{KEY} {mark}")))) == {"keys": {"chenxt"}}
    assert events(seen(plain, account("chenxt", keys=(f"{OTHER} {mark}",)))) == {"keys": {"chenxt"}}


@pytest.mark.parametrize("lines", [(f"{OTHER} chen panshi-rotated",), (OTHER,)])
def test_constructed_account_that_would_lose_its_last_key_is_kept_unless_it_is_rotated(lines: tuple[str, ...]) -> None:
    host = seen(
        declared(person(keys=[{"rotated": True}])),
        account("chenxt", keys=lines),
        withdraw=frozenset(["keys"]),
        protected="chenxt",
    )
    if "rotated" in lines[0]:
        refuse(host)
    else:
        with pytest.raises(PanshiError, match=r"PS-E7204.*去掉全部公钥"):
            refuse(host)


def test_constructed_undeclared_accounts_are_said_and_the_systems_own_are_not() -> None:
    admin = {"name": "liu", "role": "audit", "person": "刘", "request": "LAB-1"}
    host = seen(
        declared(person(), elsewhere=[admin]),
        *(
            account("root", 0),
            account("nobody", 65534),
            account("liu", 1001),
            account("chenxt"),
            account("stray", 1003),
        ),
    )
    assert events(host) == {"undeclared": {"stray"}}


@pytest.mark.parametrize(
    ("users", "accounts"),
    [
        ([person(owner=["陈向天", "王磊"])], [account("chenxt")]),
        ([person(owner=[])], [account("chenxt")]),
        ([person(keys=[key(), key(OTHER, person="王磊")])], [account("chenxt", keys=(KEY, OTHER))]),
        (
            [person(keys=[key()]), person("wang", owner="王磊", keys=[key(OTHER)])],
            [account("chenxt", keys=(KEY, OTHER)), account("wang", 1003, keys=(OTHER,))],
        ),
    ],
    ids=["two persons", "nobody", "keys of two persons", "somebody else's key was put in"],
)
def test_constructed_shared_account_is_said(users: list[Any], accounts: list[Any]) -> None:
    assert events(seen(declared(*users), *accounts))["shared"] == {"chenxt"}


def test_constructed_one_user_number_of_two_accounts_is_shared() -> None:
    host = seen(declared(person(), person("wang", owner="王磊")), account("chenxt", 1002), account("wang", 1002))
    assert events(host)["shared"] == {"chenxt", "wang"}


def test_constructed_what_has_ended_is_said() -> None:
    chen = declared(person(expires="2026-11-20", keys=[key(expires="2026-11-20"), key(OTHER)]))
    told = [one.detail for one in findings(seen(chen, account("chenxt"))) if one.event == "expired"]
    assert len(told) == 2 and "账户" in told[0] and "公钥" in told[1]
    today = declared(person(expires="2026-11-21", keys=[key(expires="2026-11-21")]))
    assert "expired" not in events(seen(today, account("chenxt")))


LEAVER = {"state": "leaver", "request": "CHG-9"}
GONE = {"password": "locked", "expires": 1}


def test_constructed_leaver_is_gone_only_when_nothing_is_left() -> None:
    user = declared(person(**LEAVER)).users[0]
    whole = account("chenxt", **GONE)
    assert remains(seen(declared(person(**LEAVER)), whole, leavers={"chenxt": left()}), user) == []
    for change in (
        *({"password": "set"}, {"expires": None}, {"groups": ["web"]}, {"sudo": ROOT}),
        {"key_files": [{"path": "/k", "kind": "file", "lines": []}]},
    ):
        host = seen(declared(person(**LEAVER)), {**whole, **change}, leavers={"chenxt": left()})
        assert len(remains(host, user)) == 1, change
    for name in ("crontabs", "at", "linger", "processes", "system"):
        host = seen(declared(person(**LEAVER)), whole, leavers={"chenxt": left(**{name: ["x"]})})
        assert len(remains(host, user)) == 1, name


def test_constructed_leaver_of_a_directory_service_is_not_said_to_be_gone() -> None:
    host = seen(declared(person(**LEAVER)), elsewhere=["chenxt"])
    assert remains(host, host.declared.users[0]) != []


def test_constructed_files_of_a_leaver_are_listed() -> None:
    found = left(owned=["/home/chenxt", "/srv/a"], owned_complete=False)
    told = findings(seen(declared(person(**LEAVER)), account("chenxt", **GONE), leavers={"chenxt": found}))
    assert told == [Finding("chenxt", "files", "2 个（没有列完）：/home/chenxt、/srv/a", "CHG-9")]


def refusal(host: Seen) -> str:
    with pytest.raises(PanshiError) as error:
        refuse(host)
    return error.value.code


@pytest.mark.parametrize(
    ("user", "options"),
    [
        (person("ops", **LEAVER), {}),
        (person("ops", expires="2026-11-20"), {}),
        (person("ops", shell="/usr/sbin/nologin"), {}),
        (person("ops"), {"withdraw": frozenset(["keys"])}),
        (person("ops", keys=[key()]), {"withdraw": frozenset(["groups"])}),
        (person("another"), {"lock_undeclared": True}),
    ],
    ids=["leaves", "has ended", "no shell", "keys would go", "group would go", "not declared"],
)
def test_constructed_account_of_the_connection_is_never_shut_out(user: Any, options: dict[str, Any]) -> None:
    accounts = [
        account("ops", keys=(KEY,), groups=["wheel"], sudo=ROOT),
        account("boss", 1005, keys=(OTHER,), sudo=ROOT),
    ]
    declaration = declared(user, person("boss", owner="钱", keys=[key(OTHER)]))
    told = seen(declaration, *accounts, protected="ops", **options)
    assert refusal(told) == "PS-E7204"
    refuse(seen(declaration, *accounts, protected="", **options))


def test_constructed_last_administrator_is_never_shut_out() -> None:
    declaration = declared(person("boss", **LEAVER), person("heir", owner="钱"))
    boss, heir = account("boss", 1005, keys=(KEY,), sudo=ROOT), account("heir", 1006, keys=(OTHER,))
    assert refusal(seen(declaration, account("root", 0, keys=(KEY,)), boss, heir, protected="root")) == "PS-E7204"
    refuse(seen(declaration, account("root", 0), boss, {**heir, "sudo": ROOT}, protected="root"))
    closed = {**heir, "sudo": ROOT, "expires": 1}
    assert refusal(seen(declaration, boss, closed)) == "PS-E7204"


def test_constructed_leaver_who_shares_a_user_number_is_refused() -> None:
    host = seen(declared(person(**LEAVER)), account("chenxt", 1002), account("other", 1002), leavers={"chenxt": left()})
    assert refusal(host) == "PS-E7205"
