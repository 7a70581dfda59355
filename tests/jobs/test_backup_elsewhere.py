"""Backups of a replica that are in a vault, brought back on another host, which has no key to the vault."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from backups import HOST as PRIMARY
from backups import LAB, SUBNET
from database import put
from harden_run import Done, Operator
from lab_copies import lab_copies
from rotation import VAULT_PASSWORD, Rotation

from panshi.record import list_runs, read_run

pytestmark = [pytest.mark.lab, pytest.mark.long]
REPLICA, VAULT = "db2", "vault1"
_SERVER = """
[mariadb]
server_id={number}
log_bin=/var/lib/mysql/binlog
log_slave_updates=1
bind_address=0.0.0.0
"""
_SHOP = """
CREATE USER repl@'203.0.113.%' IDENTIFIED BY 'of-the-test';
GRANT REPLICATION SLAVE ON *.* TO repl@'203.0.113.%';
CREATE DATABASE shop;
CREATE TABLE shop.orders (id INT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(200));
INSERT INTO shop.orders (note) SELECT REPEAT('x', 100) FROM shop.seq_1_to_5000;
"""
_REPLICATE = """
CHANGE MASTER TO MASTER_HOST='{primary}', MASTER_USER='repl', MASTER_PASSWORD='of-the-test', MASTER_CONNECT_RETRY=1,
  MASTER_USE_GTID=slave_pos;
START SLAVE;
"""
# Looks for private keys where a restore could leave one: files that programs share, arguments and environments.
_WATCH = """
import glob, os, sys, time
found, places = set(), ("/run", "/tmp", "/var/tmp", "/dev/shm", "/var/lib/panshi", "/var/lib/panshi-restore", "/home")
while not os.path.exists("/root/enough"):
    paths = glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ")
    paths += [os.path.join(top, name) for place in places for top, _, names in os.walk(place) for name in names]
    for path in paths:
        try:
            if path.startswith("/proc") or os.path.isfile(path):
                with open(path, "rb") as file:
                    if b"PRIVATE KEY-----" in file.read(1 << 16):
                        found.add(path)
        except OSError:
            pass
    open("/root/looked", "a").write(".")
    time.sleep(0.05)
print(sorted(found))
"""


@dataclass(frozen=True)
class Pair(Rotation):
    """An operator, the estate's store, the primary, the replica that backs up, and the vault."""

    def sql(self, host: str, statement: str) -> str:
        """Ask a server as its root."""
        return self.copies.sh(host, f"mariadb --batch --skip-column-names -e {json.dumps(statement)}").strip()

    def play(self, playbook: str, *options: str, **variables: Any) -> Done:
        """Run a playbook to its end."""
        return self.rotate(*options, playbook=playbook, backup_batches=["100%"], **variables)

    def restore(self, **variables: Any) -> Done:
        """Restore from the replica's backups in the vault."""
        return self.play("restore.yml", "--limit", REPLICA, restore_place="vault", **variables)

    def checksum(self, host: str, table: str) -> str:
        """Return the checksum of a table, once it is there and no more is on its way."""
        position = self.sql(PRIMARY, "SELECT @@gtid_binlog_pos")
        if host == REPLICA:
            assert self.sql(host, f"SELECT MASTER_GTID_WAIT('{position}', 30)") == "0"
        return self.sql(host, f"CHECKSUM TABLE {table}").split()[-1]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("elsewhere")
    hosts = {PRIMARY: PRIMARY, REPLICA: REPLICA, VAULT: VAULT}
    with lab_copies(folder / "estate", LAB, SUBNET, hosts) as copies:
        password_file = folder / "vault-password"
        password_file.write_text(f"{VAULT_PASSWORD}\n")
        (folder / "records").mkdir()
        made = Pair(Operator(copies, folder / "records"), password_file)
        for number, host in enumerate((PRIMARY, REPLICA), 1):
            put(copies, host, "/etc/mysql/mariadb.conf.d/99-test.cnf", _SERVER.format(number=number))
            # The lab's own business begins when a replica follows.
            copies.sh(host, "systemctl stop panshi-shop; systemctl restart mariadb")
        copies.podman_input(REPLICA, "mariadb", _REPLICATE.format(primary=copies.addresses[PRIMARY]))
        copies.podman_input(PRIMARY, "mariadb", _SHOP)
        copies.sh(REPLICA, "mkdir -p /srv/app && head -c 90000 /dev/urandom >/srv/app/data")
        made.checksum(REPLICA, "shop.orders")
        _describe(made, folder)
        for playbook, options in (("backup.yml", ["--limit", REPLICA]), ("backup_vault.yml", [])):
            done = made.play(playbook, *options)
            assert done.status == 0, done.out[-3000:]
        yield made


def _describe(pair: Pair, folder: Path) -> None:
    """Declare the backups on the replica, nothing on the primary, and the vault with its custodians."""
    copies = pair.copies
    host_key = " ".join(copies.sh(VAULT, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
    vault = {"user": f"vault-{REPLICA}", "address": copies.addresses[VAULT], "host_key": host_key}
    keys = folder / "public_keys"
    key = f"{{{{ lookup('ansible.builtin.file', '{keys}/{REPLICA}-vault.ssh.pub') }}}}"
    password = f"{{{{ lookup('panshi_secret', 'vault', target='restic', scope='{REPLICA}') }}}}"
    described = {
        PRIMARY: {"backup_files": {}},
        REPLICA: {
            "backup_database": {},
            "backup_files": {"app": ["/srv/app"]},
            "backup_copies": [{"name": "vault", "vault": vault}],
        },
        VAULT: {
            "guard_second_way": {"user": "keeper", "key": str(copies.state.key)},
            "backup_vault_custodians": ["rescue", "keeper"],
            "backup_vault_keep_free_gb": 1,
            "backup_vault_clients": {REPLICA: {"key": key, "max_gb": 1, "password": password}},
        },
    }
    for host, variables in described.items():
        path = copies.folder / "host_vars" / f"{host}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(variables), encoding="utf-8")
    copies.variables(backup_public_keys=str(keys), backup_free_mb=50)


def test_real_host_without_backup_takes_no_restore(pair: Pair) -> None:
    done = pair.play("backup.yml", "--limit", REPLICA, backup_now=True)
    assert done.status == 0, done.out[-3000:]
    done = pair.play("restore_verify.yml", "--limit", REPLICA, restore_on=PRIMARY)
    assert done.status != 0 and "[PS-E7446] 恢复没有启动：这台主机还没有部署备份" in done.out, done.out[-3000:]


def test_real_replica_backup_in_the_vault_is_proven_on_a_host_that_keeps_no_key_to_it(pair: Pair) -> None:
    done = pair.play("backup.yml", "--limit", PRIMARY)
    assert done.status == 0, done.out[-3000:]
    put(pair.copies, PRIMARY, "/root/watch.py", _WATCH)
    pair.copies.sh(PRIMARY, "systemd-run --quiet --unit watch sh -c 'python3 /root/watch.py >/root/seen'")
    done = pair.play("restore_verify.yml", "--limit", REPLICA, restore_on=PRIMARY)
    (row,) = read_run(list_runs(pair.operator.records, "estate", "restore_verify")[-1]).restores
    assert done.status == 0 and row.proven and (row.host, row.on) == (REPLICA, PRIMARY), row.findings
    assert (row.database["tables"][0]["rows"], row.files[0]["differ"]) == ([5000, 5000], [])
    # The watch sees one that is there.
    put(pair.copies, PRIMARY, "/run/a-key", "-----BEGIN PRIVATE KEY-----\n")
    pair.copies.sh(PRIMARY, "cp /root/looked /root/before")
    pair.copies.sh(PRIMARY, "until [ $(wc -c </root/looked) -gt $(($(wc -c </root/before) + 2)) ]; do sleep 0.2; done")
    pair.copies.sh(PRIMARY, "touch /root/enough; while systemctl is-active --quiet watch; do sleep 0.2; done")
    assert pair.copies.sh(PRIMARY, "cat /root/seen") == "['/run/a-key']\n"


def test_real_table_lost_on_the_primary_comes_back_to_it_from_the_replicas_backup(pair: Pair) -> None:
    pair.sql(PRIMARY, "INSERT INTO shop.orders (note) SELECT 'later' FROM shop.seq_1_to_100")
    was = pair.checksum(REPLICA, "shop.orders")
    time.sleep(1.1)
    at = pair.copies.sh(PRIMARY, "date -u +%Y-%m-%dT%H:%M:%S+00:00").strip()
    time.sleep(2.1)
    pair.sql(PRIMARY, "DROP TABLE shop.orders")
    lost = {"restore_database": "shop", "restore_table": "orders", "restore_at": at, "restore_replace": True}
    done = pair.restore(**lost)
    primary = pair.copies.addresses[PRIMARY]
    assert done.status != 0 and f"[PS-E7476] 这台主机的数据库是 {primary}:3306 的从库" in done.out, done.out[-3000:]
    done = pair.restore(**lost, restore_on=PRIMARY)
    assert done.status == 0, done.out[-3000:]
    assert [pair.checksum(host, "shop.orders") for host in (PRIMARY, REPLICA)] == [was, was]


def test_real_files_of_a_whole_host_come_to_another(pair: Pair) -> None:
    done = pair.restore(restore_host=True, restore_on=PRIMARY, restore_into="/srv/of-db2")
    assert done.status == 0, done.out[-3000:]
    sums = [
        pair.copies.sh(REPLICA, "sha256sum </srv/app/data"),
        pair.copies.sh(PRIMARY, "sha256sum </srv/of-db2/srv/app/data"),
    ]
    assert sums[0] == sums[1]
    done = pair.play("restore.yml", "--limit", REPLICA, restore_host=True, restore_on=PRIMARY)
    assert done.status != 0 and "[PS-E7447]" in done.out, done.out[-3000:]
