"""A pair of MariaDB servers that replicate, accounts on them whose passwords are rotated, and a client that writes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harden_run import Operator
from lab_copies import Copies, lab_copies
from rotation import VAULT_PASSWORD, Rotation

from panshi.secret import Entry, SecretId

SUBNET, LAB = "203.0.113.192/27", "panshi-lab-db"
PRIMARY, REPLICA = "db1", "db2"
SCOPE = "shop-db"
INSTALLED = "from-the-installer"
_IMAGE = {"deb12": {"packages": ["python3", "systemd-timesyncd", "mariadb-server", "mariadb-backup", "restic"]}}
# Statement logs of both kinds and the binary log: what a password could be left in.
_SETTINGS = """
[mariadb]
server_id={number}
log_bin=/var/lib/mysql/binlog
general_log=1
general_log_file=/var/lib/mysql/general.log
slow_query_log=1
long_query_time=0
slow_query_log_file=/var/lib/mysql/slow.log
performance_schema=1
bind_address=0.0.0.0
innodb_flush_log_at_trx_commit=2
plugin_load_add=auth_ed25519
read_only={read_only}
"""
# What the administrator is identified by is the server's own.
ACCOUNTS = f"""
CREATE DATABASE shop;
CREATE TABLE shop.orders (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME(3) DEFAULT NOW(3));
CREATE USER app@'203.0.113.%' IDENTIFIED BY '{INSTALLED}', app@localhost IDENTIFIED BY '{INSTALLED}';
GRANT ALL ON shop.* TO app@'203.0.113.%';
GRANT ALL ON shop.* TO app@localhost;
CREATE USER dba@localhost IDENTIFIED {{dba}};
GRANT ALL ON *.* TO dba@localhost WITH GRANT OPTION;
CREATE USER repl@'203.0.113.%' IDENTIFIED BY '{INSTALLED}';
GRANT REPLICATION SLAVE ON *.* TO repl@'203.0.113.%';
"""
# Every transaction logs in anew with the password that the program has read when it started.
_SHOP = """#!/bin/bash
password=$(sed -n 's/^db.password = //p' /etc/shop/shop.conf)
trap 'stop=1' TERM
while [ -z "$stop" ]; do
  login=$(printf '[client]\\nuser=app\\npassword="%s"\\nhost={primary}\\nconnect-timeout=2\\n' "$password")
  if said=$({client} --defaults-file=<(echo "$login") -e 'INSERT INTO shop.orders () VALUES ()' 2>&1)
  then echo >>/var/lib/shop/done
  else echo "$(date +%T.%3N) $said" >>/var/lib/shop/failed; fi
  sleep 0.2
done
"""
_UNIT = """[Service]
ExecStart=/usr/local/bin/shop
KillMode=mixed
TimeoutStopSec=5
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Databases(Rotation):
    """An operator, the estate's store, and the pair."""

    client = "mariadb"

    def entry(self, host: str, account: str) -> Entry:
        """Return what the store knows; ``host`` is the scope."""
        return self.store.read(SecretId(host, "mysql", account))

    def sql(self, host: str, statement: str) -> str:
        """Ask a server as its root, by the console."""
        return self.copies.sh(host, f'{self.client} --batch --skip-column-names -e "{statement}"').strip()

    def takes(self, host: str, user: str, value: str, address: str = "") -> bool:
        """Log in to a server from its own host, or from the replica's to an address."""
        place = REPLICA if address else host
        to = f"host={address}" if address else "protocol=socket"
        options = f'[client]\nuser={user}\npassword="{value}"\n{to}\nconnect-timeout=5\n'
        path = self.copies.folder / "login.cnf"
        path.write_text(options)
        self.copies.podman("cp", str(path), f"{self.copies.lab}-{place}:/run/login.cnf")
        said = self.copies.sh(
            place, f"{self.client} --defaults-file=/run/login.cnf -e 'SELECT 1' 2>&1; rm /run/login.cnf", False
        )
        assert said.startswith("1") or "Access denied" in said, said
        return said.startswith("1")

    def replicates(self) -> bool:
        """Return whether both threads of the replica run."""
        word = "SLAVE" if self.client == "mariadb" else "REPLICA"
        status = self.copies.sh(REPLICA, f"{self.client} -E -e 'SHOW {word} STATUS'")
        return all(f"{word.title()}_{thread}_Running: Yes" in status for thread in ("IO", "SQL"))

    def one_password_each(self, account: str) -> bool:
        """Return whether no host pattern of an account has a second password."""
        ways = self.sql(PRIMARY, f"SELECT priv FROM mysql.global_priv WHERE user='{account}'")
        return ways.count("ed25519" if account == "dba" else "mysql_native_password") == len(ways.splitlines())

    def written(self, what: str = "done") -> int:
        """Return how many transactions the client has done, or ``failed``."""
        return int(self.copies.sh(REPLICA, f"cat /var/lib/shop/{what} 2>/dev/null | wc -l"))

    def address(self, host: str) -> str:
        """Return a server's address."""
        return self.copies.addresses[host]

    def whole(self, host: str, account: str) -> None:
        """Exactly one password works, it is the store's current one, the replica runs, and the client writes."""
        entry = self.entry(host, account)
        assert entry.pending is None and entry.current is not None
        for value, works in ((entry.current.value, True), *((one.value, False) for one in entry.previous[:1])):
            if account != "repl":
                assert self.takes(PRIMARY, account, value) is works, (account, works)
            if account != "dba":
                assert self.takes(PRIMARY, account, value, self.address(PRIMARY)) is works, (account, works)
        assert self.one_password_each(account)
        self.caught_up()

    def known(self, host: str, account: str) -> bool:
        """Return whether a password that works on every host pattern is in the store."""
        address = "" if account == "dba" else self.address(PRIMARY)
        return any(self.takes(PRIMARY, account, value, address) for value in self.entry(host, account).known().values())

    def caught_up(self) -> None:
        """The replica runs and has, or gets within seconds, what the client has written."""
        assert self.replicates()
        last = self.sql(PRIMARY, "SELECT MAX(id) FROM shop.orders")
        deadline = time.monotonic() + 20
        while int(self.sql(REPLICA, "SELECT COALESCE(MAX(id), 0) FROM shop.orders")) < int(last):
            assert time.monotonic() < deadline
            time.sleep(0.2)


def declared() -> list[dict[str, Any]]:
    """Return what the primary declares."""
    shop = {"file": "/etc/shop/shop.conf", "host": REPLICA, "key": "db.password", "restart": "shop.service"}
    return [
        {"account": "app", "target": "mysql", "scope": SCOPE, "dependents": [shop]},
        {"account": "repl", "target": "mysql", "scope": SCOPE, "dependents": [{"replica": REPLICA}]},
        {"account": "dba", "target": "mysql", "scope": SCOPE},
    ]


def prepare(copies: Copies) -> None:
    """Make the pair, its accounts and the client, and declare the accounts on the primary."""

    def server(host: str) -> None:
        settings = _SETTINGS.format(number=int(host[-1]), read_only=int(host == REPLICA))
        put(copies, host, "/etc/mysql/mariadb.conf.d/99-test.cnf", settings)
        copies.sh(host, "systemctl restart mariadb")

    with ThreadPoolExecutor() as pool:
        list(pool.map(server, (PRIMARY, REPLICA)))
    primary = copies.addresses[PRIMARY]
    dba = f"VIA ed25519 USING PASSWORD('{INSTALLED}')"
    put(copies, PRIMARY, "/run/accounts.sql", ACCOUNTS.format(dba=dba))
    copies.sh(PRIMARY, "mariadb </run/accounts.sql")
    source = f"MASTER_HOST='{primary}', MASTER_USER='repl', MASTER_PASSWORD='{INSTALLED}', MASTER_CONNECT_RETRY=1"
    put(copies, REPLICA, "/run/source.sql", f"CHANGE MASTER TO {source}, MASTER_USE_GTID=slave_pos;\nSTART SLAVE;\n")
    copies.sh(REPLICA, "mariadb </run/source.sql; rm /run/source.sql")
    start_shop(copies, "mariadb")
    declare_on_primary(copies, declared())


def start_shop(copies: Copies, client: str) -> None:
    """Start the client that writes, on the replica's host.

    Args:
        copies: the hosts.
        client: command-line client of the server.
    """
    copies.sh(REPLICA, "mkdir -p /etc/shop /var/lib/shop")
    put(copies, REPLICA, "/etc/shop/shop.conf", f"db.user = app\ndb.password = {INSTALLED}\n")
    put(copies, REPLICA, "/usr/local/bin/shop", _SHOP.format(client=client, primary=copies.addresses[PRIMARY]))
    put(copies, REPLICA, "/etc/systemd/system/shop.service", _UNIT)
    copies.sh(REPLICA, "chmod 755 /usr/local/bin/shop; chmod 640 /etc/shop/shop.conf; systemctl start shop")


@contextmanager
def declare(copies: Copies, accounts: list[dict[str, Any]]) -> Iterator[None]:
    """Declare only these accounts for a while."""
    declare_on_primary(copies, accounts)
    try:
        yield
    finally:
        declare_on_primary(copies, declared())


def declare_on_primary(copies: Copies, accounts: list[dict[str, Any]]) -> None:
    """Declare these accounts."""
    path = copies.folder / "host_vars" / PRIMARY / "test.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"accounts_passwords": accounts}), encoding="utf-8")


def put(copies: Copies, host: str, path: str, text: str) -> None:
    """Put a file on a host."""
    local = copies.folder.parent / "put"
    local.with_name(f"put-{host}").write_text(text)
    copies.podman("cp", str(local.with_name(f"put-{host}")), f"{copies.lab}-{host}:{path}")


@contextmanager
def databases(folder: Path) -> Iterator[Databases]:
    """Start the pair, with accounts declared that were never rotated."""
    hosts = {PRIMARY: "deb12", REPLICA: "deb12"}
    with lab_copies(folder / "estate", LAB, SUBNET, hosts, _IMAGE) as copies:
        yield made(copies, folder)


def made(copies: Copies, folder: Path) -> Databases:
    """Return the pair on running hosts."""
    prepare(copies)
    password_file = folder / "vault-password"
    password_file.write_text(f"{VAULT_PASSWORD}\n")
    (folder / "records").mkdir()
    return Databases(Operator(copies, folder / "records"), password_file)
