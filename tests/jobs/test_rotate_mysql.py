"""Accounts of a real pair of MySQL servers: two passwords side by side, no transaction lost, no password in a log."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from canaries import Search
from database import INSTALLED, PRIMARY, REPLICA, SCOPE, declare, declared
from mysql_pair import MySql, mysql_pair

pytestmark = [pytest.mark.lab, pytest.mark.long]
ACCOUNTS = ("app", "repl", "dba")
STEPS = ["pending", "set", "proved", "retired", "refused", "promoted"]
WITH_DEPENDENT = [*STEPS[:3], "dependent", *STEPS[3:]]
INNODB = re.compile(r"/var/lib/mysql/(#innodb_redo/.*|#ib_.*\.dblwr|mysql\.ibd|undo_\d+|ibdata1)")
POLICY = "SET GLOBAL validate_password.length={length}"


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MySql]:
    with mysql_pair(tmp_path_factory.mktemp("mysql")) as made:
        print(made.sql(PRIMARY, "SELECT VERSION()"))
        done = made.rotate("--limit", PRIMARY)
        assert done.status == 0, done.out[-3000:]
        yield made


def test_real_first_rotation_ends_the_passwords_of_the_installer(rotated: MySql) -> None:
    for account in ACCOUNTS:
        rotated.whole(SCOPE, account)
    assert not rotated.takes(PRIMARY, "app", INSTALLED) and not rotated.takes(PRIMARY, "dba", INSTALLED)
    assert rotated.value(SCOPE, "app") in rotated.copies.sh(REPLICA, "cat /etc/shop/shop.conf")


def test_real_client_that_writes_loses_no_transaction_and_replication_goes_on(rotated: MySql) -> None:
    before, failed = rotated.written(), rotated.written("failed")
    done = rotated.rotate("--limit", PRIMARY)
    assert done.status == 0, done.out[-3000:]
    for account in ACCOUNTS:
        rotated.whole(SCOPE, account)
    print(f"{rotated.written() - before} transactions, {rotated.written('failed') - failed} failed")
    assert rotated.written() - before > 10 and rotated.written("failed") == failed
    events = {one: [row.event for row in rotated.rows() if row.account == one] for one in ACCOUNTS}
    assert events == {"app": WITH_DEPENDENT, "repl": WITH_DEPENDENT, "dba": STEPS}


def test_real_policy_of_the_server_refuses_by_its_rule_and_the_old_password_is_kept(rotated: MySql) -> None:
    old = rotated.value(SCOPE, "app")
    rotated.sql(PRIMARY, "INSTALL COMPONENT 'file://component_validate_password'; " + POLICY.format(length=40))
    try:
        with declare(rotated.copies, declared()[:1]):
            done = rotated.rotate("--limit", PRIMARY)
            assert done.status != 0 and "PS-E7008" in done.out and "length=40" in done.out, done.out[-3000:]
            assert rotated.value(SCOPE, "app") == old
            rotated.whole(SCOPE, "app")
            rotated.sql(PRIMARY, POLICY.format(length=8))
            failed = rotated.written("failed")
            done = rotated.rotate("--limit", PRIMARY)
    finally:
        rotated.sql(PRIMARY, "UNINSTALL COMPONENT 'file://component_validate_password'")
    assert done.status == 0, done.out[-3000:]
    rotated.whole(SCOPE, "app")
    assert rotated.written("failed") == failed


@pytest.mark.parametrize("point", ["during set", "after set", "during update", "before retire", "after retire"])
@pytest.mark.parametrize("account", ACCOUNTS)
def test_real_kill_of_the_controller_loses_no_password(rotated: MySql, account: str, point: str) -> None:
    failed = rotated.written("failed")
    with declare(rotated.copies, [one for one in declared() if one["account"] == account]):
        happened = rotated.accident(point, "kill", "--limit", PRIMARY)
        assert happened == ("" if account == "dba" and point == "during update" else point)
        assert rotated.known(SCOPE, account)
        done = rotated.rotate("--limit", PRIMARY)
    assert done.status == 0, done.out[-3000:]
    rotated.whole(SCOPE, account)
    assert rotated.written("failed") == failed


def test_real_passwords_are_where_the_servers_keep_them_and_in_no_log(rotated: MySql) -> None:
    copies = rotated.copies
    search = Search(
        copies, (PRIMARY, REPLICA), [rotated.operator.records, copies.folder, Path("/dev/shm")], copies.folder
    )
    (copies.folder / "login.cnf").unlink(missing_ok=True)
    with search.watching():
        done = rotated.rotate("-vvv", "--limit", PRIMARY)
    assert done.status == 0, done.out[-3000:]
    search.outputs.append(done.out)
    assert int(copies.sh(PRIMARY, "grep -c INSERT /var/lib/mysql/general.log")) > 10
    entries = [rotated.store.read(secret) for secret in rotated.store.names()]
    before = {one.value for entry in entries for one in entry.previous}
    now = {entry.current.value for entry in entries if entry.current is not None}
    assert len(before) > 5 and len(now) == 3
    found = search.files_there(now)
    print(sorted(found))
    assert search.leaks(before) <= {"file there"} and search.leaks(now) == {"file there"}
    assert (REPLICA, "/etc/shop/shop.conf") in found
    # A replica keeps its login in InnoDB's own tables, which hold what was there before until it is written over.
    elsewhere = (found | search.files_there(before)) - {(REPLICA, "/etc/shop/shop.conf")}
    assert all(host == REPLICA and INNODB.fullmatch(file) for host, file in elsewhere), elsewhere
