"""Playbooks as an operator runs them, on emulated devices that are a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from emulators.network import Device

from .sessions import PASSWORD

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def devices(folder: Path, described: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, tuple[str, int, str]]]:
    """Run devices, described as docs/network-emulator.md says.

    Yields:
        By device its address, its port and its line for known_hosts.
    """
    folder.mkdir(exist_ok=True)
    file = folder / "devices.yml"
    file.write_text(yaml.safe_dump({"devices": list(described)}, allow_unicode=True), encoding="utf-8")
    command = [sys.executable, "-m", "tests.emulators.network", str(file)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        found: dict[str, tuple[str, int, str]] = {}
        while (line := process.stdout.readline().strip()) != "ready":
            assert line, "the devices did not start"
            name, _, known = line.split(" ", 2)
            address, _, port = known.split()[0].strip("[").partition("]:")
            found[name] = (address, int(port or 22), known)
        yield found
        process.communicate("", timeout=20)


def estate(folder: Path, hosts: Mapping[str, Mapping[str, Any]], known_hosts: Sequence[str]) -> None:
    """Write an inventory of devices by their variables, with the host keys that are trusted, and a store."""
    shared = {
        "ansible_user": "ops",
        "ansible_password": PASSWORD,
        "panshi_estate": "emulated",
        "panshi_net_known_hosts": str(folder / "known_hosts"),
        "panshi_net_state": str(folder / "state"),
        "panshi_net_timeout": 5,
        "panshi_records": str(folder / "records"),
    }
    (folder / "known_hosts").write_text("".join(f"{line}\n" for line in known_hosts))
    (folder / "hosts.yml").write_text(yaml.safe_dump({"network": {"hosts": dict(hosts), "vars": shared}}))
    (folder / "vault").write_text("Store-Password-1")


def estate_of(folder: Path, devices: Sequence[Device]) -> None:
    """Write an inventory of devices that run in this process."""
    hosts = {device.name: reach(device.host, device.port, device.platform) for device in devices}
    estate(folder, hosts, [device.known_hosts for device in devices])


def reach(address: str, port: int, platform: str, **more: Any) -> dict[str, Any]:
    """Return the variables of a device."""
    return {"ansible_host": address, "ansible_port": port, "ansible_network_os": platform, **more}


def play(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook of the project on the estate in a folder."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(folder / "hosts.yml")]
    env = {
        **os.environ,
        "ANSIBLE_VAULT_PASSWORD_FILE": str(folder / "vault"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }
    return subprocess.run(
        [*command, str(ROOT / "playbooks" / name), *arguments],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
