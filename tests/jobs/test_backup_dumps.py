"""The Redis and the small databases of a host: dumped, proven, brought back, and found where they are damaged."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator

import pytest
from backups import REDIS, Backups, backups

pytestmark = [pytest.mark.lab, pytest.mark.long]
# Looks for the password in every process of the host for as long as a job runs, and says where it was.
_WATCH = """
import glob, subprocess, sys
secret = open(sys.argv[1], "rb").read().strip()
job, seen = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL), set()
while job.poll() is None:
    for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        try:
            found = secret in open(path, "rb").read()
        except OSError:
            continue
        if found:
            seen.add(path.rpartition("/")[2])
print(job.returncode, sorted(seen))
"""
# Puts a dump into the repository that was already wrong when it was saved: with its own hash, and the mark of before.
_SAVED = """
import io, sys
from panshi_backup import dumps
from panshi_backup.jobs import Host
from panshi_backup.settings import load
name, damage = sys.argv[1:]
local, held = Host(load()).local, io.BytesIO()
good, stream = dumps.newest(local, name)
local.read(stream, held.write)
data = bytearray(held.getvalue())
exec(damage)
id = good.id[:8] + "T235959Z-" + name
size, sha256 = dumps.save(local, io.BytesIO(bytes(data)), id)
dumps.note(local, dumps.Dump(id, name, size, sha256, good.server, good.mark))
"""
_WIKI = """
CREATE DATABASE wiki COLLATE utf8mb4_unicode_ci;
USE wiki;
CREATE TABLE pages (id INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(60) UNIQUE, body BLOB);
CREATE TABLE visits (page INT, at DATETIME) ENGINE=MyISAM;
CREATE TABLE seen (page INT PRIMARY KEY);
CREATE TRIGGER first BEFORE INSERT ON seen FOR EACH ROW SET NEW.page = NEW.page;
CREATE VIEW titles AS SELECT title FROM pages;
CREATE FUNCTION counted() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM pages);
INSERT INTO pages (title, body) SELECT CONCAT('第 ', seq, ' 页'), UNHEX(SHA2(seq, 512)) FROM seq_1_to_3000;
INSERT INTO visits SELECT seq, '2026-11-22 10:00:00' FROM seq_1_to_100;
"""
_RESTIC = "restic --quiet --no-cache --repo /var/backups/panshi --password-file /etc/panshi/backup/local.key"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    with backups(tmp_path_factory.mktemp("dumps")) as made:
        made.copies.podman_input(made.host, "sh", f"cat >/root/watch.py <<'END'\n{_WATCH}END\n")
        made.copies.podman_input(made.host, "sh", f"cat >/root/saved.py <<'END'\n{_SAVED}END\n")
        made.copies.podman_input(made.host, "mariadb", _WIKI)
        # Nothing else is declared: what is proven is the dumps alone.
        declared = {"backup_redis": REDIS, "backup_logical": {"databases": ["wiki"]}}
        made.copies.variables(**declared, backup_files={}, backup_free_mb=50)
        done = made.play("backup.yml")
        assert done.status == 0, done.out[-3000:]
        yield made


def _watched(shop: Backups, *command: str) -> str:
    return shop.sh(f"python3 /root/watch.py {REDIS['password_file']} {' '.join(command)}").strip()


def test_real_password_is_in_no_process_while_redis_is_backed_up(shop: Backups) -> None:
    # They live until the snapshot, on a machine that is busy otherwise as well, and not until the proof.
    for number in range(5):
        shop.redis("SET", f"session:{number}", "open", "EX", "25")
    assert _watched(shop, "panshi-backup", "dumps") == "0 []"
    # The watch sees one that is there.
    shown = _watched(shop, "env", f'A="$(cat {REDIS["password_file"]})"', "sleep", "2")
    assert shown == "0 ['cmdline', 'environ']", shown


def test_real_dumps_are_proven_although_keys_have_expired_since(shop: Backups) -> None:
    deadline = time.monotonic() + 60
    while shop.redis("EXISTS", "session:4") != "0":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    done, row = shop.verify("local")
    assert done.status == 0 and row.proven, row.findings
    redis, wiki = row.dumps
    assert (redis["counted"], redis["differ"]) == (1012, 0) and redis["same"] + redis["unsaid"] == 507
    assert (wiki["counted"], wiki["same"], wiki["unsaid"]) == (3, 3, 0)
    assert shop.left() == ""


def test_real_redis_comes_back_in_place(shop: Backups) -> None:
    shop.redis("DEL", "page:1")
    shop.redis("SET", "page:2", "broken-by-somebody")
    shop.redis("SET", "later", "x")
    shop.redis("DEL", "queue", "scores", database=3)
    done = shop.play("restore.yml", restore_redis=True, restore_replace=True)
    assert done.status == 0, done.out[-3000:]
    assert shop.redis("EXISTS", "page:1", "page:2", "later") == "2"
    assert len(shop.redis("GET", "page:2")) == 30
    assert shop.redis("DBSIZE") == "1000" and shop.redis("DBSIZE", database=3) == "7"
    assert shop.redis("LRANGE", "queue", "0", "-1", database=3).split() == ["one", "two", "three"]
    assert int(shop.redis("TTL", "lasting", database=3)) > 90000
    assert shop.sh("grep -c broken-by-somebody /var/lib/panshi/backup/aside/*-redis.rdb").strip() == "1"
    assert shop.left() == ""


def test_real_small_database_that_was_dropped_comes_back_whole(shop: Backups) -> None:
    was = shop.sql("CHECKSUM TABLE wiki.pages, wiki.visits, wiki.seen")
    shop.sql("DROP DATABASE wiki")
    done = shop.play("restore.yml", restore_database="wiki", restore_replace=True)
    assert done.status == 0, done.out[-3000:]
    assert shop.sql("CHECKSUM TABLE wiki.pages, wiki.visits, wiki.seen") == was
    assert shop.sql("USE wiki; SELECT counted(), COUNT(*), @@collation_database FROM titles").split() == [
        *("3000", "3000", "utf8mb4_unicode_ci")
    ]
    assert shop.left() == ""


def test_real_redis_comes_back_beside(shop: Backups) -> None:
    shop.redis("SET", "later", "x")
    done = shop.play("restore.yml", restore_redis=True, restore_into="/srv/found-redis")
    assert done.status == 0, done.out[-3000:]
    assert "RDB looks OK" in shop.sh("redis-check-rdb /srv/found-redis/dump.rdb")
    assert shop.redis("EXISTS", "later") == "1"


def test_real_table_of_a_small_database_comes_back_alone_and_the_whole_beside(shop: Backups) -> None:
    was = shop.sql("CHECKSUM TABLE wiki.pages, wiki.visits")
    shop.sql("DROP TABLE wiki.pages; DELETE FROM wiki.visits WHERE page > 50")
    small = {"restore_database": "wiki"}
    done = shop.play("restore.yml", **small)
    assert done.status == 0, done.out[-3000:]
    beside = shop.sql("CHECKSUM TABLE wiki_restored.pages, wiki_restored.visits")
    assert beside.replace("wiki_restored", "wiki") == was
    assert shop.sql("SELECT wiki_restored.counted()") == "3000"
    done = shop.play("restore.yml", **small, restore_table="pages", restore_replace=True)
    assert done.status == 0, done.out[-3000:]
    assert shop.sql("CHECKSUM TABLE wiki.pages").split()[-1] == was.splitlines()[0].split()[-1]
    # The other table of it is what it was.
    assert shop.sql("SELECT COUNT(*) FROM wiki.visits") == "50"
    done = shop.play("restore.yml", **small, restore_into="wiki")
    assert done.status != 0 and "[PS-E7470]" in done.out


# What was done to a dump before it was saved, and what the proof says of it.
DAMAGE = {
    "一个字节翻转": ("redis", "data[len(data) // 2] ^= 1", {"PS-E7487", "PS-E7488"}),
    "快照被截短": ("redis", "del data[-5000:]", {"PS-E7487"}),
    "不是快照": ("redis", "data[:] = b'worthless' * 99", {"PS-E7487"}),
    "导出被截短": ("sql-wiki", "del data[len(data) // 2 :]", {"PS-E7443", "PS-E7452"}),
    "导出缺一行": ("sql-wiki", 'data[:] = data.replace(b"(1,\'", b"(9999,\'", 1)', {"PS-E7452"}),
    "导出缺一个视图": ("sql-wiki", "data[:] = data.replace(b'VIEW `titles`', b'VIEW `other`')", {"PS-E7453"}),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_real_dump_that_was_damaged_before_it_was_saved_is_found(shop: Backups, kind: str) -> None:
    name, damage, codes = DAMAGE[kind]
    shop.sh(f"PYTHONPATH=/usr/local/lib/panshi python3 /root/saved.py {name} {shlex.quote(damage)}")
    try:
        done, row = shop.verify("local")
    finally:
        tag = f"set=$(date -u +%Y%m%d)T235959Z-{name}"
        ids = f"{_RESTIC} snapshots --json --tag {tag} | grep -o '\"id\":\"[0-9a-f]*' | cut -d'\"' -f4"
        shop.sh(f"{_RESTIC} forget $({ids})")
    assert done.status != 0 and {one["code"] for one in row.findings} & codes, row.findings
    print(row.findings[0])
    assert shop.left() == ""
