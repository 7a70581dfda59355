"""A pair of MariaDB servers from bare hosts, hardened under a client that writes, and brought back."""

from __future__ import annotations

import datetime as dt
import ipaddress
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).parent))
from database import put
from harden_run import Done, Operator, settings
from lab_copies import Copies, lab_copies
from rotation import VAULT_PASSWORD, Rotation

from panshi.inventory import load_estate
from panshi.job import Request, prepare, run
from panshi.record import read_run
from panshi.secret import Entry, SecretId
from panshi.secret.model import Version
from panshi.verdict import Status

pytestmark = [pytest.mark.lab, pytest.mark.long]
LAB, SUBNET = "panshi-lab-myr", "203.0.113.192/27"
PRIMARY, REPLICA = "db1", "db2"
NETWORK = "203.0.113.%"
# Whose first password nobody has put into the store.
MADE = "auditadm"
ACCOUNTS: list[dict[str, Any]] = [
    {"name": "repl", "host": NETWORK, "kind": "replication", "grants": ["REPLICATION SLAVE ON *.*"]},
    {"name": "app", "host": NETWORK, "kind": "application", "grants": ["SELECT, INSERT ON shop.*"]},
    {"name": "dba", "host": "localhost", "kind": "person", "grants": ["ALL PRIVILEGES ON *.*"]},
    {"name": "secadm", "host": "localhost", "kind": "person", "grants": ["CREATE USER ON *.*"]},
    {"name": "auditadm", "host": "localhost", "kind": "person", "grants": ["SELECT ON mysql.general_log"]},
]
# Each transaction logs in anew, by TLS with the certificate verified.
WRITER = """#!/bin/bash
trap 'stop=1' TERM
while [ -z "$stop" ]; do
  if said=$(mariadb --defaults-file=/etc/shop.cnf -e 'INSERT INTO shop.orders () VALUES ()' 2>&1)
  then echo >>/var/lib/shop/done
  else echo "$(date +%T.%3N) $said" >>/var/lib/shop/failed; fi
  sleep 0.1
done
"""
# What no job of this test does: the backup is another role's; MariaDB has no such variable.
EXPLAINED = {"mysql-backup": Status.FAIL, "mysql-log-timestamps": Status.NOT_APPLICABLE}


@dataclass(frozen=True)
class Pair(Rotation):
    """The two hosts, their operator, and the estate's store."""

    @property
    def inventory(self) -> Path:
        """The estate."""
        return self.copies.folder

    def play(self, *options: str, **variables: Any) -> Done:
        """Run the playbook."""
        vault = ("--vault-password-file", str(self.password_file))
        return self.operator.play("mariadb.yml", *vault, *options, **variables)

    def sql(self, host: str, statement: str) -> str:
        """Ask a server as its root, by the console."""
        return self.copies.sh(host, f'mariadb --batch --skip-column-names -e "{statement}"').strip()

    def written(self, what: str = "done") -> int:
        """Return how many transactions the client has done, or ``failed``."""
        return int(self.copies.sh(REPLICA, f"cat /var/lib/shop/{what} 2>/dev/null | wc -l"))

    def replicates(self) -> bool:
        """Return whether the replica comes to have what the primary has."""
        last = self.sql(PRIMARY, "SELECT COALESCE(MAX(id), 0) FROM shop.orders")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if int(self.sql(REPLICA, "SELECT COALESCE(MAX(id), 0) FROM shop.orders")) >= int(last):
                return "Yes" in self.copies.sh(REPLICA, "mariadb -e 'SHOW SLAVE STATUS\\G' | grep Slave_SQL_Running:")
            time.sleep(0.3)
        return False

    def audit(self) -> dict[str, dict[str, tuple[Status, str]]]:
        """Return what an audit says of target mysql, by host and check."""
        request = Request(
            self.inventory,
            controls=("mysql-*",),
            records=self.operator.records,
            vault_password_files=(self.password_file,),
        )
        found = read_run(run(prepare(request)).path)
        rows: dict[str, dict[str, tuple[Status, str]]] = {PRIMARY: {}, REPLICA: {}}
        for row in found.verdicts:
            if row.mode == "auto":
                rows[row.host][row.check] = (row.status, f"{row.observed} | {row.reason}")
        return rows


def certificates(folder: Path, addresses: list[str]) -> None:
    """Make a CA, and one certificate for both servers."""
    now = dt.datetime.now(dt.UTC)

    def made(name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey) -> bytes:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=2))
        builder = builder.add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
        names = [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    (folder / "ca.crt").write_bytes(made("CA", authority, "CA", authority))
    (folder / "server.crt").write_bytes(made("db.example", server, "CA", authority))
    plain = serialization.NoEncryption()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "server.key").write_bytes(server.private_bytes(*form))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("mariadb")
    with lab_copies(folder / "estate", LAB, SUBNET, {PRIMARY: "deb12", REPLICA: "deb12"}) as copies:
        certificates(folder, list(copies.addresses.values()))
        declare(copies, folder)
        password_file = folder / "vault-password"
        password_file.write_text(f"{VAULT_PASSWORD}\n")
        (folder / "records").mkdir()
        yield keep_passwords(Pair(Operator(copies, folder / "records"), password_file))


def declare(copies: Copies, folder: Path) -> None:
    """Say what the pair is to be."""
    copies.variables(
        guard_second_way={"user": "rescue", "key": str(copies.state.key)},
        panshi_targets=["linux", "mysql"],
        mariadb_primary=PRIMARY,
        mariadb_server_id="{{ inventory_hostname[-1] | int }}",
        mariadb_listen="{{ ansible_host }}",
        mariadb_replication_account="repl",
        mariadb_accounts=ACCOUNTS,
        **{
            f"mariadb_tls_{name}": str(folder / file)
            for name, file in (("certificate", "server.crt"), ("key", "server.key"), ("ca", "ca.crt"))
        },
        mlps_mysql_service_accounts=["repl", "app"],
        mlps_mysql_admin_accounts=["root", "mysql", "mariadb.sys", "dba"],
        mlps_mysql_security_accounts=["secadm"],
        mlps_mysql_audit_accounts=["auditadm"],
    )
    hosts = "\n".join(f"        {name}: {{}}" for name in (PRIMARY, REPLICA))
    (copies.folder / "mariadb.yml").write_text(f"all:\n  children:\n    mariadb:\n      hosts:\n{hosts}\n")


def keep_passwords(pair: Pair) -> Pair:
    """Put the accounts' first passwords into the store, as ``panshi secret import`` does."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with pair.store.hold(PRIMARY):
        for account in (one for one in ACCOUNTS if one["name"] != MADE):
            version = Version(f"v-{account['name']}", f"First-pass-{account['name']}-9'x", now, "import", "test")
            pair.store.write(Entry(SecretId(PRIMARY, "mysql", account["name"]), version))
    return pair


def test_real_bare_hosts_are_not_touched_by_check_mode(pair: Pair) -> None:
    before = {host: pair.operator.state(host) for host in (PRIMARY, REPLICA)}
    done = pair.play("--check", "--diff")
    assert done.status == 0, done.out[-3000:]
    for host, state in before.items():
        assert settings(state ^ pair.operator.state(host)) == set()


def test_real_pair_is_built_with_tls_and_gtid_and_a_second_run_changes_nothing(pair: Pair) -> None:
    done = pair.play()
    assert done.status == 0, done.out[-4000:]
    pair.sql(PRIMARY, "CREATE DATABASE shop; CREATE TABLE shop.orders (id INT AUTO_INCREMENT PRIMARY KEY)")
    assert pair.replicates()
    status = pair.copies.sh(REPLICA, "mariadb -e 'SHOW SLAVE STATUS\\G'")
    assert "Using_Gtid: Slave_Pos" in status
    assert "Master_SSL_Allowed: Yes" in status
    assert pair.sql(REPLICA, "SELECT @@read_only") == "1"
    again = pair.play()
    assert again.status == 0, again.out[-3000:]
    assert sum(one["changed"] for one in again.recap.values()) == 0, again.out[-3000:]
    journal = pair.copies.sh(
        PRIMARY, "journalctl --no-pager; grep -ra First-pass /var/lib/mysql /var/lib/panshi || true"
    )
    assert "First-pass" not in journal + done.out
    assert not any(b"First-pass" in path.read_bytes() for path in pair.operator.records.rglob("*") if path.is_file())


def test_real_first_password_that_was_made_is_in_the_store_and_opens_the_server(pair: Pair) -> None:
    current = pair.store.read(SecretId(PRIMARY, "mysql", MADE)).current
    assert current is not None and len(current.value) == 20
    put(pair.copies, PRIMARY, "/root/made.cnf", f'[client]\nuser={MADE}\npassword="{current.value}"\n')
    said = pair.copies.sh(PRIMARY, "mariadb --defaults-file=/root/made.cnf -Ne 'SELECT CURRENT_USER()'")
    assert said.strip() == f"{MADE}@localhost"
    pair.copies.sh(PRIMARY, "sed -i 's/password=.*/password=wrong/' /root/made.cnf")
    refused = pair.copies.sh(PRIMARY, "mariadb --defaults-file=/root/made.cnf -e 'SELECT 1' 2>&1", check=False)
    assert "Access denied" in refused
    assert current.value not in pair.copies.sh(PRIMARY, "journalctl --no-pager")


def test_real_hardening_under_a_client_that_writes(pair: Pair) -> None:
    login = '[client]\nuser=app\npassword="First-pass-app-9\'x"\nconnect-timeout=3\n'
    login += f"host={pair.copies.addresses[PRIMARY]}\n"
    put(pair.copies, REPLICA, "/etc/shop.cnf", login + "ssl-ca=/etc/mysql/tls/ca.crt\nssl-verify-server-cert\n")
    put(pair.copies, REPLICA, "/usr/local/bin/shop", WRITER)
    pair.copies.sh(REPLICA, "mkdir -p /var/lib/shop; chmod 755 /usr/local/bin/shop; systemd-run -q --unit=shop shop")
    before = pair.audit()
    live = pair.play(harden_opt_in=["mysql-*"])
    assert live.status == 0, live.out[-4000:]
    assert "数据库没有重启" in live.out
    assert (pair.written("failed"), pair.written() > 20) == (0, True), "what can be set live costs no transaction"
    found = pair.sql(PRIMARY, "SELECT @@wait_timeout, @@require_secure_transport, @@secure_file_priv").split()
    assert found == ["1800", "1", "NULL"], "folders for import and export wait for the restart"
    done = pair.play(harden_opt_in=["mysql-*"], mariadb_restart=True)
    assert done.status == 0, done.out[-4000:]
    assert pair.replicates()
    written, failed = pair.written(), pair.copies.sh(REPLICA, "cat /var/lib/shop/failed 2>/dev/null || true")
    print(f"{written} transactions, {len(failed.splitlines())} failed while the primary restarted")
    assert all(
        "Can't connect" in line or "Lost connection" in line or "shutdown" in line for line in failed.splitlines()
    )
    after = pair.audit()
    for host in (PRIMARY, REPLICA):
        assert len(after[host]) == 32
        odd = {check: said for check, said in after[host].items() if said[0] is not Status.PASS}
        assert {check: said[0] for check, said in odd.items()} == EXPLAINED, odd
        fails = [check for check, said in before[host].items() if said[0] is not Status.PASS]
        print(f"{host}: {32 - len(fails)} of 32 passed before, {32 - len(odd)} after")
    second = pair.play(harden_opt_in=["mysql-*"], mariadb_restart=True)
    assert sum(one["changed"] for one in second.recap.values()) == 0, second.out[-3000:]
    (one,) = live.runs("mariadb")
    back = pair.operator.play("rollback.yml", run=one.begin.run)
    assert back.status == 0, back.out[-4000:]
    assert pair.replicates()
    for host in (PRIMARY, REPLICA):
        found = pair.sql(host, "SELECT @@wait_timeout, @@require_secure_transport, @@max_password_errors").split()
        assert found == ["28800", "0", "4294967295"]
    # the run that is taken back restarted nothing; what a later one brought in goes with a restart
    assert pair.play(mariadb_restart=True).status == 0
    again = pair.audit()
    differs = [
        (host, check, before[host][check], said)
        for host, rows in again.items()
        for check, said in rows.items()
        if said[0] is not before[host][check][0]
    ]
    assert differs == []


def test_real_lag_is_said_and_a_replica_that_stands_still_is_named(pair: Pair) -> None:
    pair.sql(REPLICA, "STOP SLAVE SQL_THREAD")
    done = pair.play()
    pair.sql(REPLICA, "START SLAVE")
    assert done.status != 0
    assert "PS-E7307" in done.out
    assert "Slave_SQL_Running: No" in done.out


def test_real_replica_without_the_primarys_data_is_refused(pair: Pair) -> None:
    pair.sql(REPLICA, "STOP SLAVE; RESET SLAVE ALL")
    done = pair.play()
    assert done.status != 0
    assert "PS-E7306" in done.out
    assert pair.play(mariadb_seeded=True).status == 0
    assert pair.replicates()


def test_parsed_inventory_takes_the_second_target(pair: Pair) -> None:
    assert {host.targets for host in load_estate(pair.inventory).hosts} == {("linux", "mysql")}
