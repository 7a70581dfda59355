"""Accounts of a running pair of databases: nobody loses a transaction, replication goes on, no log hears a password."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from database import INSTALLED, PRIMARY, REPLICA, SCOPE, Databases, databases, declare, declared

pytestmark = [pytest.mark.lab]
ACCOUNTS = ("app", "repl", "dba")
STEPS = ["pending", "set", "proved", "refused", "promoted"]
_WATCH = """
nohup timeout 900 sh -c 'while :; do
mariadb -N -e "SELECT TIMESTAMPDIFF(MICROSECOND, MAX(at), NOW(3)) DIV 1000 FROM shop.orders"; sleep 0.2
done' >/var/lib/shop/lag 2>/dev/null </dev/null & echo $!
"""


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    with databases(tmp_path_factory.mktemp("databases")) as made:
        done = made.rotate("--limit", PRIMARY)
        assert done.status == 0, done.out[-3000:]
        yield made


@contextmanager
def lag(rotated: Databases) -> Iterator[list[int]]:
    """Watch how old the newest transaction of the replica is, in milliseconds; the greatest is there in the end."""
    pid = rotated.copies.sh(REPLICA, _WATCH).strip()
    greatest: list[int] = []
    yield greatest
    rotated.copies.sh(REPLICA, f"kill {pid}")
    greatest.append(max(int(one) for one in rotated.copies.sh(REPLICA, "cat /var/lib/shop/lag").split()))


def events(rotated: Databases, account: str) -> list[str]:
    return [row.event for row in rotated.rows() if row.account == account]


def test_real_first_rotation_ends_the_passwords_of_the_installer(rotated: Databases) -> None:
    for account in ACCOUNTS:
        rotated.whole(SCOPE, account)
    assert not rotated.takes(PRIMARY, "app", INSTALLED) and not rotated.takes(PRIMARY, "dba", INSTALLED)
    assert rotated.value(SCOPE, "app") in rotated.copies.sh(REPLICA, "cat /etc/shop/shop.conf")
    assert rotated.copies.sh(REPLICA, "stat -c '%a %U' /etc/shop/shop.conf").split() == ["640", "root"]


def test_real_client_that_writes_loses_no_transaction_and_replication_goes_on(rotated: Databases) -> None:
    before, failed = rotated.written(), rotated.written("failed")
    with lag(rotated) as greatest:
        done = rotated.rotate("--limit", PRIMARY, ticket="CHG-2026-102")
    assert done.status == 0, done.out[-3000:]
    for account in ACCOUNTS:
        rotated.whole(SCOPE, account)
    print(f"{rotated.written() - before} transactions, replica at most {greatest[0]} ms behind")
    assert rotated.written() - before > 10 and rotated.written("failed") == failed
    assert greatest[0] < 10_000
    assert events(rotated, "dba") == STEPS
    assert events(rotated, "app") == events(rotated, "repl") == [*STEPS[:3], "dependent", "retired", *STEPS[3:]]
    (way,) = {row.way for row in rotated.rows() if (row.account, row.event) == ("app", "proved")}
    assert "数据库登录 app@203.0.113.%、app@localhost" in way


def test_real_accounts_on_the_replica_have_the_same_password(rotated: Databases) -> None:
    assert rotated.takes(REPLICA, "app", rotated.value(SCOPE, "app"))
    assert rotated.takes(REPLICA, "dba", rotated.value(SCOPE, "dba"))


def test_real_replica_that_stands_still_keeps_everything_as_it_is(rotated: Databases) -> None:
    old = rotated.value(SCOPE, "repl")
    rotated.sql(REPLICA, "STOP SLAVE SQL_THREAD")
    try:
        with declare(rotated.copies, declared()[1:2]):
            done = rotated.rotate("--limit", PRIMARY)
    finally:
        rotated.sql(REPLICA, "START SLAVE SQL_THREAD")
    assert done.status != 0 and "PS-E7104" in done.out and "应用线程 No" in done.out
    assert rotated.value(SCOPE, "repl") == old
    rotated.whole(SCOPE, "repl")


def test_real_policy_of_the_server_refuses_by_its_rule_and_is_kept(rotated: Databases) -> None:
    """With a policy there is one password at a time: how many transactions fail meanwhile is counted."""
    old = rotated.value(SCOPE, "app")
    rotated.sql(PRIMARY, "INSTALL SONAME 'simple_password_check'; SET GLOBAL simple_password_check_minimal_length=30")
    try:
        with declare(rotated.copies, declared()[:1]):
            done = rotated.rotate("--limit", PRIMARY)
            (said,) = set(re.findall(r"PS-E7008\] \S+ .*?旧密码仍然有效", done.out))
            assert done.status != 0 and "Too short password (< 30)" in said, done.out[-3000:]
            assert rotated.value(SCOPE, "app") == old
            rotated.whole(SCOPE, "app")
            rotated.sql(PRIMARY, "SET GLOBAL simple_password_check_minimal_length=8")
            failed = rotated.written("failed")
            done = rotated.rotate("--limit", PRIMARY)
    finally:
        rotated.sql(PRIMARY, "UNINSTALL SONAME 'simple_password_check'")
    assert done.status == 0, done.out[-3000:]
    rotated.whole(SCOPE, "app")
    assert events(rotated, "app") == [*STEPS[:3], "dependent", *STEPS[3:]]
    print(f"{rotated.written('failed') - failed} failed transactions with one password at a time")


@pytest.mark.long
def test_real_client_that_cannot_take_the_new_password_is_named_and_the_old_one_works_on(rotated: Databases) -> None:
    old = rotated.value(SCOPE, "app")
    rotated.copies.sh(REPLICA, "mv /usr/local/bin/shop /usr/local/bin/shop.away")
    try:
        with declare(rotated.copies, declared()[:1]):
            done = rotated.rotate("--limit", PRIMARY)
            assert done.status != 0 and re.search(r"PS-E7101\].*db2:/etc/shop/shop\.conf（.*shop\.service", done.out)
            assert rotated.takes(PRIMARY, "app", old) and rotated.known(SCOPE, "app")
    finally:
        rotated.copies.sh(REPLICA, "mv /usr/local/bin/shop.away /usr/local/bin/shop; systemctl reset-failed shop")
    with declare(rotated.copies, declared()[:1]):
        done = rotated.rotate("--limit", PRIMARY, due_only=True)
    assert done.status == 0, done.out[-3000:]
    assert events(rotated, "app") == ["resolved", "proved", "dependent", "retired", "refused", "promoted"]
    rotated.whole(SCOPE, "app")


@pytest.mark.parametrize("account", [pytest.param("app", marks=pytest.mark.long), "repl"])
def test_real_kill_of_the_controller_while_a_dependent_is_updated_loses_nothing(
    rotated: Databases, account: str
) -> None:
    with declare(rotated.copies, [one for one in declared() if one["account"] == account]):
        assert rotated.accident("during update", "kill", "--limit", PRIMARY) == "during update"
        assert rotated.known(SCOPE, account)
        done = rotated.rotate("--limit", PRIMARY)
    assert done.status == 0, done.out[-3000:]
    rotated.whole(SCOPE, account)


def test_real_passwords_are_in_no_log_of_the_servers(rotated: Databases) -> None:
    values = [one.value for account in ACCOUNTS for one in _versions(rotated, account)]
    assert len(values) > 6
    heard = "grep -c INSERT /var/lib/mysql/general.log /var/lib/mysql/slow.log"
    assert all(int(line.rpartition(":")[2]) for line in rotated.copies.sh(PRIMARY, heard).splitlines())
    for host in (PRIMARY, REPLICA):
        for value in values:
            # What the servers keep themselves: a replica its login, the program its own setting.
            script = (
                f"grep -rlF -D skip -e '{value}' /var/lib/mysql /var/log /root /home /tmp /run /etc 2>/dev/null"
                " | grep -v -e '/master.info$' -e '^/etc/shop/shop.conf$'; "
                f"journalctl --no-pager | grep -cF -e '{value}'"
            )
            assert rotated.copies.sh(host, script, check=False).split() == ["0"], host
            said = rotated.sql(
                host,
                "SELECT COUNT(*) FROM performance_schema.events_statements_history_long "
                f"WHERE sql_text LIKE '%{value}%'",
            )
            assert said == "0"


def _versions(rotated: Databases, account: str) -> list:
    entry = rotated.entry(SCOPE, account)
    return [one for one in (entry.current, *entry.previous) if one is not None]
