"""An estate of emulated devices, as an operator has it: an inventory, and a store with the passwords."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.vault import VaultSecret
from emulators.network import Device

from panshi.network.account.reach import Reach
from panshi.network.session import Device as Reached
from panshi.record import RotationRow, list_runs, read_run
from panshi.secret import Entry, SecretId
from panshi.secret.device import DeviceAccount
from panshi.secret.policy import Policy
from panshi.secret.rotate import Order, imported, rotate
from panshi.secret.vault_file import VaultFiles

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "Emulated-1"
VAULT = "of-the-test-only"
# IOS has a timer of its own only with an archive.
CONFIG = {"cisco_ios": "archive\n path flash:backup\n"}


@dataclass(frozen=True)
class Estate:
    """A folder with everything; ``device`` names are those of the inventory."""

    folder: Path

    @property
    def store(self) -> VaultFiles:
        """The estate's store."""
        return VaultFiles(self.folder / "secrets", "emulated", [("default", VaultSecret(VAULT.encode()))])

    @property
    def records(self) -> Path:
        """Where runs are written down."""
        return self.folder / "records"

    def entry(self, device: str, account: str) -> Entry:
        """Return what the store knows."""
        return self.store.read(SecretId(device, "network", account))

    def value(self, device: str, account: str) -> str:
        """Return the current password."""
        current = self.entry(device, account).current
        assert current is not None
        return current.value

    def keep(self, device: str, account: str, value: str = PASSWORD) -> None:
        """Put a password into the store, as ``panshi secret import`` does."""
        store = self.store
        with store.hold(device):
            entry = store.read(SecretId(device, "network", account))
            store.write(replace(entry, current=imported(value, "CHG-0")))

    def describe(self, *devices: Device, **variables: Any) -> None:
        """Write the inventory."""
        hosts = {
            one.name: {"ansible_host": one.host, "ansible_port": one.port, "ansible_network_os": one.platform}
            for one in devices
        }
        shared = {
            "ansible_user": "ops",
            "panshi_estate": "emulated",
            "panshi_net_known_hosts": str(self.folder / "known_hosts"),
            "panshi_net_state": str(self.folder / "state"),
            "panshi_net_timeout": 5,
            "panshi_records": str(self.records),
            **variables,
        }
        (self.folder / "known_hosts").write_text("".join(f"{one.known_hosts}\n" for one in devices))
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"network": {"hosts": hosts, "vars": shared}}))
        (self.folder / "vault").write_text(VAULT)

    def play(
        self, playbook: Path | str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the project, or one of the test's own."""
        command = [str(Path(sys.executable).with_name("ansible-playbook")), str(ROOT / "playbooks" / playbook)]
        return self._run([*command, *arguments], "", environment or {})

    def panshi(self, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command line."""
        return self._run([sys.executable, "-m", "panshi", *arguments], said, {})

    def _run(self, command: list[str], said: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        settings = {
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.folder / "vault"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            **environment,
        }
        return subprocess.run(
            [*command, "-i", str(self.folder / "hosts.yml")],
            cwd=ROOT,
            env={**os.environ, **settings},
            input=said,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def reach(self, device: Device, login: str = "ops") -> Reach:
        """Return how a device is reached without Ansible."""
        known = self.folder / "known_hosts"
        known.write_text(f"{device.known_hosts}\n")
        to = Reached(device.name, device.platform, device.host, login, port=device.port, known_hosts=known, timeout=5.0)

        def passwords() -> list[str]:
            known = self.entry(device.name, login).known()
            return [known[slot] for slot in ("current", "pending", "previous") if slot in known]

        return Reach(to, passwords, self.folder / "state", pause=0.05)

    def rotate(self, device: Device, account: str) -> Entry:
        """Rotate without Ansible."""
        return rotated(self.store, self.reach(device), SecretId(device.name, "network", account))

    def whole(self, device: Device, account: str) -> None:
        """Exactly one known password works, it is the store's current one, and nothing is left undone."""
        entry = self.entry(device.name, account)
        assert entry.pending is None and entry.current is not None
        versions = [entry.current, *entry.previous]
        assert [one.id for one in versions if device.lets_in(account, one.value)] == [entry.current.id]
        assert device.running == device.startup
        assert device.timer is None
        assert not list((self.folder / "state").glob("*.json"))

    def rows(self) -> list[RotationRow]:
        """Return the rows of the newest rotation."""
        return list(read_run(list_runs(self.records, "emulated", "rotate")[-1]).rotations)


def rotated(store: VaultFiles, reach: Reach, secret: SecretId) -> Entry:
    """Rotate an account by the protocol, as the playbook does."""
    with store.hold(secret.scope):
        order = Order(Policy(forbidden="%"), "CHG-1", "run")
        return rotate(store, DeviceAccount(secret.account, reach), store.read(secret), order, lambda row: None)


def made(platform: str, name: str = "sw1", **more: Any) -> Device:
    """Return a device with an administrator and an account that is to be rotated; its timer outlasts a test."""
    users = more.pop("users", {"ops": PASSWORD, "audit": PASSWORD})
    return Device(name, platform, config=CONFIG.get(platform, "") + more.pop("config", ""), users=users, **more)
