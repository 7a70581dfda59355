"""Hosts with people on them: who has been declared, who has left, and who has a live session."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from harden_run import Operator
from lab_copies import Copies, lab_copies

HOSTS = {"web1": "deb12", "ky1": "kylin10"}
# The accounts that the lab itself brings along, as an estate would declare them.
OWN = [
    {"name": "ops", "owner": "运维平台", "purpose": "service", "request": "LAB-001", "reviewer": "刘安琪"},
    {"name": "rescue", "owner": "刘安琪", "purpose": "break-glass", "request": "LAB-002", "reviewer": "陈向天"},
]


@dataclass(frozen=True)
class Office:
    """An operator, hosts, and the keys of people who work there."""

    operator: Operator
    folder: Path

    @property
    def copies(self) -> Copies:
        """The hosts."""
        return self.operator.copies

    def key(self, person: str) -> str:
        """Return the public key of a person, made when it is asked for the first time."""
        path = self.folder / person
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", person, "-f", path], check=True)
        return path.with_suffix(".pub").read_text(encoding="utf-8").strip()

    def declare(self, *users: Mapping[str, Any], **variables: Any) -> None:
        """Declare these besides the lab's own accounts, and guard changes with the lab's second way."""
        way = {"user": "rescue", "key": str(self.copies.state.key)}
        names = {user["name"] for user in users}
        everybody = [*(one for one in OWN if one["name"] not in names), *users]
        self.copies.variables(accounts_users=everybody, guard_second_way=way, **variables)

    @contextmanager
    def only_here(self, host: str, **variables: Any) -> Iterator[None]:
        """Let variables hold for one host alone."""
        path = self.copies.folder / "host_vars" / f"{host}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(variables, allow_unicode=True), encoding="utf-8")
        yield
        path.unlink()

    def logs_in(self, host: str, account: str, person: str) -> bool:
        """Log in as an account with a person's own key."""
        return self._ssh(host, account, person, "true").returncode == 0

    def says(self, host: str, account: str, person: str, command: str) -> str:
        """Return what a command puts out that a person runs as an account."""
        return self._ssh(host, account, person, command).stdout

    def session(self, host: str, account: str, person: str) -> subprocess.Popen[bytes]:
        """Open a session that stays, as somebody at a terminal has it."""
        argv = self._argv(host, account, person, "-tt", command="sleep 600")
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def processes(self, host: str, account: str) -> list[str]:
        """Return the processes of an account, as ps tells them."""
        return self.copies.sh(host, f"ps -o comm= -u {account} || true").split()

    def wait_for(self, host: str, account: str, command: str) -> None:
        """Wait until an account runs a command."""
        for _ in range(100):
            if command in self.processes(host, account):
                return
            time.sleep(0.1)
        raise AssertionError(f"{account} does not run {command} on {host}")

    def _argv(self, host: str, account: str, person: str, *options: str, command: str) -> list[str]:
        self.key(person)
        argv = ["ssh", "-F", str(self.copies.state.ssh_config), "-o", "BatchMode=yes", "-o", "ControlPath=none"]
        argv += ["-o", "IdentitiesOnly=yes", "-o", "IdentityFile=none", "-i", str(self.folder / person)]
        return [*argv, "-o", "ConnectTimeout=5", *options, "-l", account, host, command]

    def _ssh(self, host: str, account: str, person: str, command: str) -> subprocess.CompletedProcess[str]:
        argv = self._argv(host, account, person, command=command)
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)


def person(name: str, owner: str | Sequence[str], key: str = "", **more: Any) -> dict[str, Any]:
    """Return the declaration of a person's account."""
    keys = (
        [{"key": " ".join(key.split()[:2]), "comment": f"{name}@bureau.example", "expires": "2099-12-31"}]
        if key
        else []
    )
    base = {
        "name": name,
        "owner": owner,
        "purpose": "human",
        "request": f"CHG-{name}",
        "reviewer": "孙复核",
        "keys": keys,
    }
    return {**base, **more}


def run_of(out: str) -> str:
    """Return the id of the run that a playbook has told at its end."""
    return re.findall(r"\d{8}T\d{6}Z-[0-9a-f]{6}", out)[-1]


@contextmanager
def office(folder: Path, subnet: str = "198.51.100.224/27") -> Iterator[Office]:
    """Start the hosts."""
    with lab_copies(folder / "estate", "panshi-lab-acc", subnet, HOSTS) as copies:
        (folder / "records").mkdir()
        (folder / "people").mkdir(mode=0o700)
        yield Office(Operator(copies, folder / "records"), folder / "people")
