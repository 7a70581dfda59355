from __future__ import annotations

from panshi.facts import Facts, accounts

PASSWD = """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/usr/sbin:/usr/sbin/nologin
db:x:900:900::/var/lib/db:/bin/sh
clerk:x:1500:1500:Clerk:/home/clerk:
ghost::1501:1501::/:/bin/sh
+nis::::::
nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin
broken line
"""
SHADOW = "root:set:6:20000:1:90:7::\ndaemon:disabled::20000:0:99999:7::\nclerk:locked:y:0::90:::\nghost:set:6:1:::::\n"


def host(login_defs: str = "UID_MIN 1000\n") -> Facts:
    items = {
        "file:/etc/passwd": {"cmd": "cat", "out": PASSWD},
        "file:/etc/group": {"cmd": "cat", "out": "wheel:x:10:clerk,root\nempty:x:11:\nbad:x:no:\n"},
        "file:/etc/login.defs": {"cmd": "cat", "out": login_defs},
        "account.shadow": {"cmd": "cut", "out": SHADOW},
    }
    return Facts({"globs": [], "items": items})


def test_parsed_accounts() -> None:
    found = {a.name: a for a in accounts.accounts(host())}
    assert list(found) == ["root", "daemon", "db", "clerk", "ghost", "nobody"]
    assert {name: a.kind for name, a in found.items()} == {
        "root": "root",
        "daemon": "system",
        "db": "system",
        "clerk": "human",
        "ghost": "human",
        "nobody": "system",
    }
    assert [a.name for a in found.values() if a.interactive] == ["root", "db", "clerk", "ghost"]
    assert {name: a.state for name, a in found.items()} == {
        "root": "set",
        "daemon": "disabled",
        "db": "disabled",
        "clerk": "locked",
        "ghost": "empty",
        "nobody": "disabled",
    }
    assert (found["root"].algorithm, found["root"].max_days, found["root"].warn_days) == ("6", 90, 7)
    assert (found["clerk"].last_change, found["clerk"].min_days, found["clerk"].max_days) == (0, None, 90)


def test_parsed_uid_range_of_the_host_decides_who_is_human() -> None:
    kinds = {a.name: a.kind for a in accounts.accounts(host("UID_MIN 500\nUID_MAX 1500\n"))}
    assert (kinds["db"], kinds["clerk"], kinds["ghost"]) == ("human", "human", "system")


def test_parsed_groups() -> None:
    assert [(g.name, g.gid, g.members) for g in accounts.groups(host())] == [
        ("wheel", 10, ("clerk", "root")),
        ("empty", 11, ()),
    ]
