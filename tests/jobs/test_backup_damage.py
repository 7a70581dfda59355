"""Every kind of damaged, missing or worthless backup is found, named, and never reported as good."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

import pytest
from backups import SECOND, Backups, backups

from panshi.secret import SecretId

pytestmark = [pytest.mark.lab, pytest.mark.long]
# What restic is told on the host.
_RESTIC = f"restic --quiet --no-cache --repo {SECOND} --password-file /etc/panshi/backup/second.key"
_ID = "python3 -c 'import json, sys; print(json.load(sys.stdin)[{}][\"id\"])'"
_LARGEST = f"$(find {SECOND}/data -type f -printf '%s %p\\n' | sort -n | tail -1 | cut -d' ' -f2)"
_FLIP = (
    "python3 - {path} <<'END'\nimport sys\nwith open(sys.argv[1], 'r+b') as file:\n    file.seek(0, 2)\n"
    "    place = file.tell() // 2\n    file.seek(place)\n    byte = file.read(1)[0]\n    file.seek(place)\n"
    "    file.write(bytes([byte ^ 1]))\nEND"
)


def _forget(tag: str, number: int) -> str:
    return f"{_RESTIC} forget $({_RESTIC} snapshots --json --tag {tag} | {_ID.format(number)})"


def _forget_all(tag: str) -> str:
    """Forget every snapshot that has such a tag: how many there are is the timers' matter."""
    ids = f"[one['id'] for one in json.load(sys.stdin) if any(fnmatch(tag, '{tag}') for tag in one['tags'])]"
    return (
        f"{_RESTIC} forget $({_RESTIC} snapshots --json | "
        f'python3 -c "import json, sys; from fnmatch import fnmatch; print(*{ids})")'
    )


def _of_set(kind: str, number: int) -> str:
    """Another snapshot that says it belongs to a set: what it holds is worthless."""
    one = f"{_RESTIC} snapshots --json --tag kind={kind}"
    tags = f'$({one} | python3 -c \'import json, sys; print(",".join(json.load(sys.stdin)[{number}]["tags"]))\')'
    return f"echo worthless | {_RESTIC} backup --stdin --stdin-filename /x --host db1 --tag {tags}"


# In the repository, by what was done to it: each is undone before the next one.
REPOSITORY = {
    "一个字节翻转": (_FLIP.format(path=_LARGEST), {"PS-E7410", "PS-E7434"}),
    "数据包被截短": (f"truncate -s -1000 {_LARGEST}", {"PS-E7410", "PS-E7434"}),
    "数据包丢失": (f"rm -f {_LARGEST}", {"PS-E7410", "PS-E7434"}),
    "索引丢失": (f"rm -f {SECOND}/index/*", {"PS-E7410", "PS-E7434"}),
    "缺少增量的数据": (_forget("kind=stream", -1), {"PS-E7435"}),
    "缺少完整备份": (_forget_all("set=*-full"), {"PS-E7431"}),
    "没有做完的备份": (_forget_all("kind=set"), {"PS-E7430"}),
    "缺少对照位置的二进制日志": (_forget_all("kind=binlog"), {"PS-E7432"}),
    "数据被换成别的": (_of_set("stream", -1), {"PS-E7434"}),
    "说明被换成别的": (_of_set("set", -1), {"PS-E7433"}),
    "没有文件的备份": (_forget_all("name=app"), {"PS-E7430"}),
    "备份库不见了": (f"mv {SECOND} {SECOND}.gone", {"PS-E7413"}),
    "备份库的锁与设置丢失": (f"rm -f {SECOND}/config", {"PS-E7413"}),
    "密钥被从备份库删除": (f"rm -f {SECOND}/keys/*", {"PS-E7410", "PS-E7411"}),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    with backups(tmp_path_factory.mktemp("damage")) as made:
        done = made.play("backup.yml", backup_now=True)
        assert done.status == 0, done.out[-3000:]
        for _ in range(2):
            made.buy()
            made.sh("systemctl start panshi-backup-binlog.service")
        # Somebody writes meanwhile: the position of the comparison is one that only the binary logs reach.
        write = """while mariadb shop -e "INSERT INTO orders (customer, note) VALUES (1, 'busy')"; do sleep 0.1; done"""
        made.sh(f"systemd-run --quiet --unit busy sh -c {shlex.quote(write)}")
        made.sh("panshi-backup database incremental; systemctl stop busy")
        for _ in range(3):
            made.buy()
            made.sh("systemctl start panshi-backup-binlog.service")
        made.sh(f"cp -a {SECOND} {SECOND}.good")
        yield made


def _refused(shop: Backups, codes: set[str], **variables: object) -> None:
    done, row = shop.verify(**variables)
    assert done.status != 0 and not row.proven
    found = {one["code"] for one in row.findings}
    assert found & codes, row.findings
    assert all(one["message"] for one in row.findings)
    print(sorted(found), row.findings[0]["message"])
    assert shop.left() == ""


def test_real_undamaged_copy_is_proven(shop: Backups) -> None:
    done, row = shop.verify()
    assert done.status == 0 and row.proven, row.findings
    assert len(row.database["chain"]) == 2 and row.database["tables"]


@pytest.mark.parametrize("kind", REPOSITORY)
def test_real_damage_in_the_repository_is_found(shop: Backups, kind: str) -> None:
    damage, codes = REPOSITORY[kind]
    shop.sh(f"set -e; {damage}")
    try:
        _refused(shop, codes)
    finally:
        shop.sh(f"rm -rf {SECOND} {SECOND}.gone && cp -a {SECOND}.good {SECOND}")


def test_real_key_that_is_not_the_repositorys_is_found(shop: Backups) -> None:
    store, secret = shop.store, SecretId(shop.host, "restic", "second")
    entry = store.read(secret)
    assert entry.current is not None
    store.write(replace(entry, current=replace(entry.current, value="not-the-key")))
    try:
        _refused(shop, {"PS-E7411"})
    finally:
        store.write(replace(store.read(secret), current=entry.current))


def test_real_key_comes_from_the_store_when_the_host_has_lost_its_own(shop: Backups) -> None:
    shop.sh("mv /etc/panshi/backup/second.key /root/")
    try:
        done, row = shop.verify()
        assert done.status == 0 and row.proven, row.findings
    finally:
        shop.sh("mv /root/second.key /etc/panshi/backup/")


def test_real_old_backup_is_found(shop: Backups) -> None:
    _refused(shop, {"PS-E7451"}, restore_max_age_hours=0)


def test_real_business_that_went_on_without_an_archive_is_found(shop: Backups) -> None:
    _refused(shop, {"PS-E7457"}, restore_max_rpo_minutes=0)


def test_real_scratch_disk_that_is_too_small_is_one_line(shop: Backups) -> None:
    shop.copies.in_mounts_of(shop.host, "mount", "-t", "tmpfs", "-o", "size=20m", "none", "/var/lib/panshi-restore")
    try:
        _refused(shop, {"PS-E7442"})
    finally:
        shop.copies.in_mounts_of(shop.host, "umount", "/var/lib/panshi-restore")


# What was already wrong in the database when it was backed up; nothing is undone.
SOURCE = {
    "外键的行没有主行": (
        "SET foreign_key_checks=0; DELETE FROM customers WHERE id = 7; SET foreign_key_checks=1",
        {"PS-E7454"},
    ),
    "业务表是空的": ("SET foreign_key_checks=0; TRUNCATE orders", {"PS-E7450"}),
    "备份前表被删除": ("DROP TABLE orders", {"PS-E7450"}),
    "备份前整个库被删除": ("DROP DATABASE shop; CREATE DATABASE shop", {"PS-E7450"}),
}


@pytest.mark.parametrize("kind", SOURCE)
def test_real_backup_of_a_damaged_database_is_found(shop: Backups, kind: str) -> None:
    damage, codes = SOURCE[kind]
    shop.sql(damage)
    shop.sh("systemctl start panshi-backup-database.service")
    _refused(shop, codes)
