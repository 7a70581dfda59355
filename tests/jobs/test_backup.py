"""Backups that restore: deployed, made, proven, and found where they are damaged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from backups import Backups, backups

from panshi.record import list_runs, read_run

pytestmark = [pytest.mark.lab]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    with backups(tmp_path_factory.mktemp("backup")) as made:
        yield made


def test_real_proof_of_what_was_never_deployed_is_one_line(shop: Backups) -> None:
    done = shop.play("restore_verify.yml")
    assert done.status != 0 and "[PS-E7446] db1 还没有部署备份" in done.out, done.out[-2000:]


def test_real_backups_are_deployed_made_and_proven(shop: Backups) -> None:
    done = shop.play("backup.yml", backup_now=True)
    assert done.status == 0, done.out[-3000:]
    shop.buy()
    shop.sh("systemctl start panshi-backup-binlog.service")
    done, row = shop.verify()
    assert done.status == 0 and row.proven, (row.findings, done.out[-3000:])
    tables = {one["table"]: one for one in row.database["tables"]}
    assert tables["shop.orders"]["same"] and tables["shop.orders"]["rows"] == [20000, 20000]
    assert row.database["objects"]["views"] == [1, 1] and row.database["objects"]["routines"] == [1, 1]
    assert row.database["newest"]["订单"]["restored"] == shop.sql("SELECT MAX(at) FROM shop.orders")
    assert 0 <= row.rpo < 300 and 0 < row.rto < row.seconds
    assert {one["name"]: one["differ"] + one["missing"] for one in row.files} == {"app": [], "etc": []}
    (redis,) = row.dumps
    # Every key is counted, those of the last seconds included; of the first database half is read.
    assert (redis["counted"], redis["same"], redis["differ"]) == (1007, 507, 0)
    assert shop.left() == ""
    assert shop.key("second") not in done.out


def test_real_second_deployment_changes_nothing(shop: Backups) -> None:
    done = shop.play("backup.yml")
    assert done.status == 0 and "changed=0" in done.out, done.out[-2000:]


def test_real_table_dropped_at_a_known_second_comes_back_as_it_was_one_second_before(shop: Backups) -> None:
    shop.buy(500)
    time.sleep(1.1)
    before = shop.sql("CHECKSUM TABLE orders").split()[-1]
    at = shop.sh("date -u +%Y-%m-%dT%H:%M:%S+00:00").strip()
    time.sleep(2.1)
    shop.sql("INSERT INTO orders (customer, note) VALUES (1, 'too late'); DROP TABLE orders")
    shop.sql("INSERT INTO customers (name) VALUES ('still in business')")
    lost = {"restore_database": "shop", "restore_table": "orders", "restore_at": at}
    done = shop.play("restore.yml", **lost, restore_into="found")
    assert done.status == 0, done.out[-3000:]
    assert shop.sql("CHECKSUM TABLE found.orders").split()[-1] == before
    done = shop.play("restore.yml", **lost, restore_replace=True)
    assert done.status == 0, done.out[-3000:]
    assert shop.sql("CHECKSUM TABLE orders").split()[-1] == before
    assert shop.sql("SELECT name FROM customers ORDER BY id DESC LIMIT 1") == "still in business"
    assert shop.left() == ""


def test_real_database_dropped_at_a_known_second_comes_back_whole(shop: Backups) -> None:
    time.sleep(1.1)
    rows, before = shop.sql("SELECT COUNT(*) FROM orders"), shop.sql("CHECKSUM TABLE customers, orders")
    at = shop.sh("date -u +%Y-%m-%dT%H:%M:%S+00:00").strip()
    time.sleep(2.1)
    shop.sql("INSERT INTO customers (name) VALUES ('too late'); DROP DATABASE shop")
    done = shop.play("restore.yml", restore_database="shop", restore_at=at, restore_replace=True)
    assert done.status == 0, done.out[-3000:]
    assert shop.sql("CHECKSUM TABLE customers, orders") == before
    assert shop.sql("CALL count_orders(); SELECT COUNT(at) FROM latest; SELECT @@collation_database").split() == [
        *(rows, "1", "utf8mb4_bin")
    ]
    keys = "SELECT COUNT(*) FROM information_schema.referential_constraints WHERE constraint_schema = 'shop'"
    assert shop.sql(keys) == "1"


def test_real_replica_takes_no_restore_and_says_whose_it_is(shop: Backups) -> None:
    databases = shop.sql("SHOW DATABASES")
    shop.sql("CHANGE MASTER 'far' TO MASTER_HOST='203.0.113.250', MASTER_PORT=3307, MASTER_USER='repl'")
    try:
        done = shop.play("restore.yml", restore_database="shop")
    finally:
        shop.sql("RESET SLAVE 'far' ALL")
    assert done.status != 0 and "[PS-E7476]" in done.out and "203.0.113.250:3307" in done.out, done.out[-2000:]
    assert shop.sql("SHOW DATABASES") == databases and shop.left() == ""


def test_real_files_come_back_beside_or_in_place_of_what_is_there(shop: Backups) -> None:
    was = shop.sh("cat /srv/app/conf/*.bin | sha256sum")
    folders = shop.sh("stat -c '%n %a %U' / /srv /srv/app /srv/app/conf")
    shop.sh("echo broken >/srv/app/conf/1.bin; rm /srv/app/conf/2.bin")
    done = shop.play("restore.yml", restore_files=["/srv/app/conf"], restore_into="/srv/found")
    assert done.status == 0, done.out[-3000:]
    assert shop.sh("cat /srv/found/srv/app/conf/*.bin | sha256sum") == was
    assert shop.sh("cat /srv/app/conf/1.bin") == "broken\n"
    done = shop.play("restore.yml", restore_files=["/srv/app/conf"], restore_replace=True)
    assert done.status == 0, done.out[-3000:]
    assert shop.sh("cat /srv/app/conf/*.bin | sha256sum") == was
    assert shop.sh("stat -c '%n %a %U' / /srv /srv/app /srv/app/conf") == folders
    assert shop.sh("cat /var/lib/panshi/backup/aside/*/srv/app/conf/1.bin") == "broken\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({}, "PS-E7474"),
        ({"restore_database": "shop", "restore_at": "2026-11-22 10:20:30"}, "PS-E7474"),
        ({"restore_database": "shop", "restore_at": "2020-01-01T00:00:00+08:00"}, "PS-E7430"),
        ({"restore_database": "shop", "restore_at": "2036-01-01T00:00:00+08:00"}, "PS-E7471"),
        pytest.param({"restore_database": "shop", "restore_table": "nothing"}, "PS-E7472", marks=pytest.mark.long),
        ({"restore_database": "shop", "restore_into": "shop"}, "PS-E7470"),
        ({"restore_files": ["/nowhere/at/all"]}, "PS-E7430"),
        ({"restore_files": ["/etc"], "restore_into": "/x", "restore_replace": True}, "PS-E7474"),
        ({"restore_database": "shop", "restore_place": "offsite"}, "PS-E7401"),
    ],
)
def test_real_wrong_order_is_one_line_and_changes_nothing(shop: Backups, words: dict[str, Any], code: str) -> None:
    tables = shop.sql("CHECKSUM TABLE customers, orders")
    done = shop.play("restore.yml", **words)
    assert done.status != 0 and f"[{code}]" in done.out, done.out[-2000:]
    assert shop.sql("CHECKSUM TABLE customers, orders") == tables and shop.left() == ""


def test_real_daily_check_passes_what_is_good_and_names_what_is_not(shop: Backups) -> None:
    rules = {"second": ["second"], "offsite": ["second"]}
    shop.sh("systemctl start panshi-backup-database.service panshi-backup-files.service")
    assert shop.verify()[0].status == 0
    done = shop.play("backup_check.yml", backup_rules=rules, backup_check_read="100%")
    assert done.status == 0, done.out[-3000:]
    shop.sh("systemctl stop panshi-backup-files.timer; rm -rf /srv/second/index /srv/second/data/0*")
    done = shop.play("backup_check.yml", backup_rules={"second": ["second"]})
    runs = list_runs(shop.operator.records, "estate", "backup_check")
    found = {row.check: (row.status.value, row.reason) for row in read_run(runs[-1]).verdicts}
    assert done.status != 0 and "文件的定时没有运行" in found["bak-policy"][1]
    assert found["bak-checksum"][0] == "fail" and found["bak-checksum"][1].startswith("second：")
    assert found["bak-offsite"] == ("fail", "没有声明异地的副本")
    assert found["bak-encryption"][0] == found["bak-restore-test"][0] == "pass"
