"""The steps that bring a host to its declaration: what is there stays, what has left goes."""

from __future__ import annotations

import subprocess
from typing import Any

from panshi.accounts.judge import SHUT
from panshi.accounts.steps import _END, _ENDED, HEADER, after_sudo, before_sudo, sudo_rules

from .seen import KEY, OTHER, account, declared, key, left, person, seen


def only(steps: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [step[kind] for step in steps if kind in step]


def test_constructed_new_account_is_made_with_its_groups_keys_and_last_day() -> None:
    chen = declared(person(role="system", groups=["web"], keys=[key()], expires="2027-06-30"), groups=["web"])
    steps = before_sudo(seen(chen))
    assert [one["name"] for one in only(steps, "group")] == ["web", "sysadm"]
    (made,) = only(steps, "account")
    assert made["groups"] == ["sysadm", "web"] and made["append"] is True
    # shadow(5) closes an account on the day that it names
    assert made["expires"] == "2027-07-01" and made["password_ages"] == {"max": 99999}
    folder, file = only(steps, "file")
    assert folder["path"] == "/home/chenxt/.ssh" and folder["mode"] == "0700"
    assert file["content"] == f'{HEADER}\nexpiry-time="202706302359" {KEY} chen@bureau.example\n'
    assert file["owner"] == file["group"] == "chenxt" and file["mode"] == "0600"


def test_constructed_undeclared_keys_stay_until_the_estate_withdraws_them() -> None:
    lines = (HEADER, f'expiry-time="202001012359" {KEY} old', f"{OTHER} wang", "# vendor")
    chen = declared(person(keys=[key()]))
    kept = only(before_sudo(seen(chen, account("chenxt", keys=lines))), "file")[-1]["content"]
    assert kept.splitlines() == [
        HEADER,
        f'expiry-time="202706302359" {KEY} chen@bureau.example',
        f"{OTHER} wang",
        "# vendor",
    ]
    gone = only(before_sudo(seen(chen, account("chenxt", keys=lines), withdraw=frozenset(["keys"]))), "file")[-1]
    assert OTHER not in gone["content"] and KEY in gone["content"]


ROTATED = f"restrict {OTHER} chen panshi-rotated"


def test_constructed_rotated_key_is_neither_removed_nor_brought_back() -> None:
    """What rotation has put there stays, also where undeclared keys go; the one that it replaced does not come back."""
    withdraw = frozenset(["keys"])
    host = account("chenxt", keys=(HEADER, ROTATED, f"{KEY} old"))
    both, alone = (declared(person(keys=keys)) for keys in ([{"rotated": True}, key()], [{"rotated": True}]))
    line = f'expiry-time="202706302359" {KEY} chen@bureau.example'
    for options in ({}, {"withdraw": withdraw}):
        file = only(before_sudo(seen(both, host, **options)), "file")[-1]
        assert file["content"].splitlines() == [HEADER, line, ROTATED]
    assert only(before_sudo(seen(alone, host)), "file") == []
    assert only(before_sudo(seen(alone, host, withdraw=withdraw)), "file")[-1]["content"] == f"{HEADER}\n{ROTATED}\n"
    host["key_files"][1].update(kind="file", lines=[ROTATED])
    assert [one.get("state") for one in only(before_sudo(seen(alone, host, withdraw=withdraw)), "file")][-1] is None


def test_constructed_mark_alone_keeps_no_key() -> None:
    chen = declared(person(keys=[key()]))
    lines = (f"{KEY} chen", ROTATED)
    gone = only(before_sudo(seen(chen, account("chenxt", keys=lines), withdraw=frozenset(["keys"]))), "file")
    assert not any(OTHER in one.get("content", "") for one in gone)


def test_constructed_keys_of_an_account_that_declares_none_are_left_alone() -> None:
    assert only(before_sudo(seen(declared(person()), account("chenxt", keys=(KEY,)))), "file") == []


def test_constructed_file_of_keys_that_is_a_link_is_left_alone() -> None:
    linked = account("chenxt", key_files=[{"path": "/home/chenxt/.ssh/authorized_keys", "kind": "other", "lines": []}])
    assert only(before_sudo(seen(declared(person(keys=[key()])), linked)), "file") == []


def test_constructed_number_and_home_of_an_account_that_is_there_stay() -> None:
    (made,) = only(before_sudo(seen(declared(person(uid=1777, home="/srv/chen")), account("chenxt"))), "account")
    assert "uid" not in made and made["home"] == "/home/chenxt"
    (made,) = only(before_sudo(seen(declared(person(uid=1777, home="/srv/chen")))), "account")
    assert made["uid"] == 1777 and made["home"] == "/srv/chen"


def test_constructed_keys_outside_the_home_belong_to_root() -> None:
    host = seen(declared(person(keys=[key()])))
    state = {**host.state, "key_pattern": "/etc/ssh/keys/%u"}
    (file,) = only(before_sudo(type(host)(host.host, host.declared, state, host.options)), "file")
    assert (file["path"], file["owner"], file["mode"]) == ("/etc/ssh/keys/chenxt", "root", "0644")


def test_constructed_memberships_are_taken_away_only_where_wanted() -> None:
    chen = declared(person(groups=["web"]))
    for withdraw, append in ((frozenset[str](), True), (frozenset(["groups"]), False)):
        (made,) = only(before_sudo(seen(chen, account("chenxt"), withdraw=withdraw)), "account")
        assert made["append"] is append


def test_constructed_password_that_is_set_keeps_its_age() -> None:
    (made,) = only(before_sudo(seen(declared(person()), account("chenxt", password="set"))), "account")
    assert "password_ages" not in made


def test_constructed_grants_of_a_leaver_are_not_written() -> None:
    rule = {"commands": ["/usr/bin/id"], "password": True}
    users = [person(role="system", sudo=[rule]), person("wang", owner="王磊", sudo=[rule], state="leaver")]
    assert sudo_rules(seen(declared(*users), account("wang"), leavers={"wang": left()})) == [
        {"user": "chenxt", "runas": "root", "password": False, "commands": ["/usr/bin/systemctl --failed"]},
        {"user": "chenxt", "runas": "root", "password": True, "commands": ["/usr/bin/id"]},
    ]


def test_constructed_leaver_is_locked_closed_and_ended_last() -> None:
    found = left(crontabs=["/var/spool/cron/wang"], at=["/var/spool/at/a1"], linger=["/var/lib/systemd/linger/wang"])
    wang = declared(person("wang", state="leaver"))
    steps = after_sudo(seen(wang, account("wang", keys=(KEY,), groups=["web"]), leavers={"wang": found}))
    (closed,) = only(steps, "account")
    assert closed["locked"] is True and closed["expires"] == SHUT and closed["groups"] == [] and not closed["append"]
    assert {one["path"] for one in only(steps, "file")} == {
        *(
            "/home/wang/.ssh/authorized_keys",
            "/var/spool/cron/wang",
            "/var/spool/at/a1",
            "/var/lib/systemd/linger/wang",
        ),
    }
    assert "command" in steps[-1]
    # closed already: that day stays, so that a second run changes nothing
    again = after_sudo(seen(wang, account("wang", expires=1), leavers={"wang": left()}))
    assert "expires" not in only(again, "account")[0]


def test_constructed_leaver_who_is_not_there_needs_nothing() -> None:
    assert after_sudo(seen(declared(person("wang", state="leaver")))) == []


def test_constructed_undeclared_account_is_locked_only_on_opt_in() -> None:
    stray = account("stray", 1005)
    assert after_sudo(seen(declared(person()), stray)) == []
    (locked,) = only(after_sudo(seen(declared(person()), stray, lock_undeclared=True)), "account")
    assert locked == {"name": "stray", "locked": True, "expires": SHUT}


def test_real_processes_of_a_user_number_are_ended_and_others_are_not() -> None:
    uid = "61234"
    mine = subprocess.Popen(["setpriv", "--reuid", uid, "--clear-groups", "sleep", "60"])
    other = subprocess.Popen(["setpriv", "--reuid", "61235", "--clear-groups", "sleep", "60"])
    try:
        for _ in range(100):
            if subprocess.run(["sh", "-c", _ENDED, "sh", uid]).returncode:
                break
        else:
            raise AssertionError("not seen")
        assert subprocess.run(["sh", "-c", _END, "sh", uid, "nobody-at-all"]).returncode == 0
        assert mine.wait(timeout=10) == -9 and other.poll() is None
        assert subprocess.run(["sh", "-c", _ENDED, "sh", uid]).returncode == 0
    finally:
        for process in (mine, other):
            process.kill()
            process.wait()
