"""Hosts whose passwords are rotated, with accidents at named boundaries, and what is true of them afterwards."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.parsing.vault import VaultSecret
from harden_run import Done, Operator
from lab_copies import ROOT, Copies, lab_copies

from panshi.record import RotationRow, list_runs, read_run
from panshi.secret import Entry, SecretId
from panshi.secret.vault_file import VaultFiles

HOSTS = {"web1": "deb12", "ky1": "kylin10"}
# The emulated Kylin has no dictionary of cracklib; nobody could change a password there.
PREPARE = """
set -e
useradd -m appsvc
if [ -f /etc/security/pwquality.conf ]; then echo 'dictcheck = 0' >>/etc/security/pwquality.conf; fi
"""
VAULT_PASSWORD = "of-the-test-only"
_CRYPT = ctypes.CDLL("libcrypt.so.1").crypt
_CRYPT.restype = ctypes.c_char_p


@dataclass(frozen=True)
class Rotation:
    """An operator, the estate's store, and the hosts."""

    operator: Operator
    password_file: Path

    @property
    def copies(self) -> Copies:
        """The hosts."""
        return self.operator.copies

    @property
    def store(self) -> VaultFiles:
        """The estate's store, opened by the test itself."""
        secrets = [("default", VaultSecret(VAULT_PASSWORD.encode()))]
        return VaultFiles(self.copies.folder / "secrets", "estate", secrets)

    def entry(self, host: str, account: str) -> Entry:
        """Return what the store knows."""
        return self.store.read(SecretId(host, "linux", account))

    def value(self, host: str, account: str) -> str:
        """Return the current password."""
        current = self.entry(host, account).current
        assert current is not None
        return current.value

    def rotate(
        self,
        *options: str,
        environment: dict[str, str] | None = None,
        playbook: str = "rotate.yml",
        **variables: Any,
    ) -> Done:
        """Run the playbook to its end, or to the controller's."""
        extra = {"panshi_records": str(self.operator.records), "rotate_batches": ["100%"], **variables}
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.copies.folder)]
        command += [f"playbooks/{playbook}", "-e", json.dumps(extra), *options]
        # A dead network is noticed in seconds; every play has connections of its own, as after a crash.
        args = "-o ControlMaster=auto -o ControlPersist=5s -o ServerAliveInterval=2 -o ServerAliveCountMax=2"
        settings = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            # A busy machine is slow to log in and to become root; what is tested is not how fast it is.
            "ANSIBLE_TIMEOUT": "30",
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.password_file),
            "ANSIBLE_SSH_ARGS": args,
            **(environment or {}),
        }
        # A file and no pipe: the connections that a killed controller leaves behind would keep a pipe open.
        told = self.operator.records / "told"
        with told.open("w") as out:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=600,
            )
        return Done(done.returncode, told.read_text(), 0.0, ())

    def accident(self, point: int | str, what: str, *options: str, **variables: Any) -> str:
        """Rotate with an accident at a boundary, by number or by name; return its name, or nothing when it has none."""
        place = self.operator.records / "at"
        place.write_text("")
        hook = str(Path(__file__).with_name("rotate"))
        environment = {
            "PYTHONPATH": os.pathsep.join([hook, str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "PANSHI_TEST_POINT": str(point),
            "PANSHI_TEST_ACCIDENT": what,
            "PANSHI_TEST_AT": str(place),
        }
        self.rotate(*options, environment=environment, **variables)
        return place.read_text()

    def rows(self) -> list[RotationRow]:
        """Return the rows of the newest record."""
        return list(read_run(list_runs(self.operator.records, "estate", "rotate")[-1]).rotations)

    def logs_in(self, host: str, account: str, value: str) -> bool:
        """Log in with OpenSSH and a password, as a person does."""
        options = "-o ControlPath=none -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 -o ConnectTimeout=10"
        argv = ["sshpass", "ssh", "-F", str(self.copies.state.ssh_config), *options.split()]
        argv += ["-l", account, host, "id -un"]
        done = subprocess.run(argv, input=f"{value}\n", capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 or "Permission denied (" in done.stderr, done.stderr
        return done.stdout.strip() == account

    def has(self, host: str, account: str, value: str) -> bool:
        """Compare a password with the account's hash, read by the console."""
        hashed = self.copies.sh(host, f"getent shadow {account}").split(":")[1].encode()
        return bool(_CRYPT(value.encode(), hashed) == hashed)

    def known(self, host: str, account: str) -> bool:
        """Return whether the password that the account has now is in the store.

        Every one is tried twice: a module whose controller was killed may set one of them between two looks.
        """
        values = self.entry(host, account).known().values()
        return any(self.has(host, account, value) for _ in range(2) for value in values)

    def whole(self, host: str, account: str) -> None:
        """Exactly one password works, it is the store's current one, and nothing is left undone."""
        entry = self.entry(host, account)
        assert entry.pending is None and entry.current is not None
        assert self.has(host, account, entry.current.value)
        assert self.logs_in(host, account, entry.current.value)
        if entry.previous:
            assert not self.has(host, account, entry.previous[0].value)


@contextmanager
def rotation(
    folder: Path,
    subnet: str = "203.0.113.160/27",
    lab: str = "panshi-lab-sec",
    hosts: Mapping[str, str] = HOSTS,
) -> Iterator[Rotation]:
    """Start the hosts, with two accounts declared whose passwords nobody knows yet."""
    password_file = folder / "vault-password"
    with lab_copies(folder / "estate", lab, subnet, hosts) as copies:
        password_file.write_text(f"{VAULT_PASSWORD}\n")
        (folder / "records").mkdir()
        for host in hosts:
            copies.sh(host, PREPARE)
        copies.variables(accounts_passwords=["appsvc", "ops"])
        yield Rotation(Operator(copies, folder / "records"), password_file)
