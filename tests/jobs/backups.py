"""A host with a database and files that backs itself up, and what can be done to its backups."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harden_run import Done, Operator
from lab_copies import lab_copies
from rotation import VAULT_PASSWORD, Rotation

from panshi.record import RestoreRow, list_runs, read_run
from panshi.secret import SecretId

SUBNET, LAB, HOST = "203.0.113.32/27", "panshi-lab-bak", "db1"
_PACKAGES = ["python3", "systemd-timesyncd", "mariadb-server", "mariadb-backup", "redis-server", "restic"]
_IMAGE = {"deb12": {"packages": _PACKAGES}}
# A second folder stands for the second copy: what another host makes of it is shown with the vault.
SECOND = "/srv/second"
_SERVER = """
[mariadb]
server_id=1
log_bin=/var/lib/mysql/binlog
innodb_flush_log_at_trx_commit=2
"""
_SHOP = """
CREATE DATABASE shop COLLATE utf8mb4_bin;
USE shop;
CREATE TABLE customers (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60));
CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, at DATETIME(3) DEFAULT NOW(3),
  note VARCHAR(200), FOREIGN KEY (customer) REFERENCES customers (id));
CREATE VIEW latest AS SELECT MAX(at) AS at FROM orders;
CREATE PROCEDURE count_orders() SELECT COUNT(*) FROM orders;
INSERT INTO customers (name) SELECT CONCAT('c', seq) FROM seq_1_to_500;
INSERT INTO orders (customer, note) SELECT 1 + seq MOD 500, REPEAT('x', 100) FROM seq_1_to_20000;
"""
_FILES = """
mkdir -p /srv/app/conf
for n in 1 2 3 4 5; do head -c 20000 /dev/urandom >/srv/app/conf/$n.bin; done
echo 'db.url = jdbc:mariadb://db1.example/shop' >/srv/app/conf/app.properties
"""
# A cache of sessions: every type, two databases, keys that expire, a password.
REDIS = {"password_file": "/root/redis-password", "sample": 500}
_REDIS = r"""
umask 077; od -An -tx1 -N16 /dev/urandom | tr -d ' \n' >/root/redis-password
echo "requirepass $(cat /root/redis-password)" >>/etc/redis/redis.conf
systemctl restart redis-server
REDISCLI_AUTH=$(cat /root/redis-password); export REDISCLI_AUTH
for n in $(seq 1000); do echo "SET page:$n $(head -c 30 /proc/sys/kernel/random/uuid)"; done | redis-cli >/dev/null
redis-cli -n 3 >/dev/null <<'END'
HSET user:1 name "a name" age 30
RPUSH queue one two three
SADD tags red green blue
ZADD scores 1.5 ann 2 ben
XADD events 1-1 kind login
SET "odd \x00 key" "\xff\x00\r\n"
SET lasting yes EX 100000
END
"""
DATABASE = {
    "expect": {"shop": ["orders", "customers"]},
    "newest": {"订单": "SELECT MAX(at) FROM shop.orders"},
    "smoke": {
        "有客户的订单": {
            "query": "SELECT COUNT(*) FROM shop.orders JOIN shop.customers c ON c.id = customer",
            "least": 1,
        }
    },
}


@dataclass(frozen=True)
class Backups(Rotation):
    """An operator, the estate's store, and the host."""

    host: str = HOST

    def key(self, place: str) -> str:
        """Return the key of a repository as the estate's store has it."""
        current = self.store.read(SecretId(self.host, "restic", place)).current
        assert current is not None
        return current.value

    def sh(self, script: str, check: bool = True) -> str:
        """Run a script on the host as root, by the console."""
        return self.copies.sh(self.host, script, check)

    def sql(self, statement: str) -> str:
        """Ask the server as its root."""
        return self.sh(f"mariadb --batch --skip-column-names --database=shop -e {json.dumps(statement)}").strip()

    def play(self, playbook: str, **variables: Any) -> Done:
        """Run a playbook to its end."""
        return self.rotate(playbook=playbook, **variables)

    def verify(self, place: str = "second", **variables: Any) -> tuple[Done, RestoreRow]:
        """Prove what is in a repository, and return what the record says of it."""
        done = self.play("restore_verify.yml", restore_place=place, **variables)
        runs = list_runs(self.operator.records, self.copies.lab, "restore_verify")
        runs = runs or list_runs(self.operator.records, "estate", "restore_verify")
        assert runs, done.out[-3000:]
        return done, read_run(runs[-1]).restores[-1]

    def redis(self, *words: str, database: int = 0) -> str:
        """Ask the Redis as its only account."""
        script = f"REDISCLI_AUTH=$(cat {REDIS['password_file']}) redis-cli --raw -n {database} {shlex.join(words)}"
        return self.sh(script).strip()

    def buy(self, orders: int = 100) -> None:
        """Let the business go on."""
        self.sql(f"INSERT INTO shop.orders (customer, note) SELECT 1 + seq MOD 500, 'later' FROM seq_1_to_{orders}")

    def left(self) -> str:
        """Return what restores have left on the host."""
        units = "systemctl list-units --all --plain --no-legend 'panshi-scratch-*' panshi-restore.service"
        script = f"ls -A /var/lib/panshi-restore; {units}; pgrep -a mariadbd | grep skip-grant-tables"
        return self.sh(script, check=False).strip()


@contextmanager
def backups(folder: Path) -> Iterator[Backups]:
    """Start the host, with a database, files, and the role's variables; nothing is deployed yet."""
    password_file = folder / "vault-password"
    with lab_copies(folder / "estate", LAB, SUBNET, {HOST: "deb12"}, _IMAGE) as copies:
        password_file.write_text(f"{VAULT_PASSWORD}\n")
        (folder / "records").mkdir()
        made = Backups(Operator(copies, folder / "records"), password_file)
        copies.podman_input(HOST, "sh", f"cat >/etc/mysql/mariadb.conf.d/99-test.cnf <<'END'\n{_SERVER}END\n")
        made.sh("systemctl restart mariadb && mkdir -p " + SECOND)
        copies.podman_input(HOST, "mariadb", _SHOP)
        made.sh(_FILES)
        made.sh(_REDIS)
        inventory = {"all": {"children": {"backup": {"hosts": {HOST: {}}}}}}
        (copies.folder / "backup.json").write_text(json.dumps(inventory), encoding="utf-8")
        copies.variables(
            backup_database=DATABASE,
            backup_redis=REDIS,
            backup_files={"app": ["/srv/app"], "etc": ["/etc"]},
            backup_copies=[{"name": "second", "url": SECOND}],
            backup_free_mb=50,
        )
        yield made
