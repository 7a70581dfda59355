"""Throw-away copies of lab hosts, with systemd and SSH as in the lab, for tests that change, break and lose hosts.

The lab itself makes them, from its own images, under another name, on another network and with another key.
"""

from __future__ import annotations

import ipaddress
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from leftovers import noted

from panshi.lab.state import State, default_directory

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "inventories" / "lab"


@dataclass(frozen=True)
class Copies:
    """Running copies.

    Args:
        lab: name of the network, and prefix of the containers' names.
        folder: an inventory of the copies.
        addresses: by host name.
        machines: names of those that are virtual machines.
    """

    lab: str
    folder: Path
    addresses: Mapping[str, str]
    machines: frozenset[str] = frozenset()

    @property
    def state(self) -> State:
        """Keys, known hosts and podman's settings."""
        return State(self.folder.with_suffix(".state"))

    def podman(self, *arguments: str, check: bool = True) -> str:
        """Run podman with the settings that the lab found to work here."""
        conf = self.state.containers_conf
        environment = {**os.environ, **({"CONTAINERS_CONF": str(conf)} if conf.is_file() else {})}
        done = subprocess.run(["podman", *arguments], env=environment, capture_output=True, text=True, timeout=300)
        if check and done.returncode:
            raise RuntimeError(f"podman {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def sh(self, host: str, script: str, check: bool = True) -> str:
        """Run a script as root: in a container by podman, the console that no lock-out closes; else as rescue."""
        if host in self.machines:
            done = self.ssh(host, f"sudo -n sh -c {shlex.quote(script)}", user="rescue", seconds=300)
            if check and done.returncode:
                raise RuntimeError(f"{host}: {done.stderr.strip()}")
            return done.stdout
        return self.podman("exec", f"{self.lab}-{host}", "sh", "-c", script, check=check)

    def podman_input(self, host: str, program: str, text: str) -> None:
        """Run a program in a container and give it a text that is no argument of anything."""
        conf = self.state.containers_conf
        environment = {**os.environ, **({"CONTAINERS_CONF": str(conf)} if conf.is_file() else {})}
        command = ["podman", "exec", "--interactive", f"{self.lab}-{host}", program]
        subprocess.run(command, env=environment, input=text, text=True, check=True, capture_output=True, timeout=60)

    def ssh(self, host: str, command: str, user: str = "ops", seconds: float = 20) -> subprocess.CompletedProcess[str]:
        """Log in freshly, as an operator does, and run a command."""
        argv = ["ssh", "-F", str(self.state.ssh_config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"]
        argv += ["-o", "ControlPath=none", "-l", user, host, command]
        try:
            return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(argv, 255, "", "timeout")

    def in_network_of(self, host: str, *argv: str) -> None:
        """Run a program of this machine in a host's network, as root."""
        self._enter(host, "--net", *argv)

    def in_mounts_of(self, host: str, *argv: str) -> None:
        """Run a program among a host's mounted file systems, with rights that the host itself does not have."""
        self._enter(host, "--mount", *argv)

    def _enter(self, host: str, *argv: str) -> None:
        pid = self.podman("inspect", "--format", "{{.State.Pid}}", f"{self.lab}-{host}").strip()
        subprocess.run(["nsenter", "--target", pid, *argv], check=True, capture_output=True, timeout=30)

    @property
    def gateway(self) -> str:
        """The address that this machine has in the copies' network."""
        lab = yaml.safe_load((self.folder / "lab.yml").read_text(encoding="utf-8"))
        return str(ipaddress.IPv4Network(lab["subnet"])[1])

    def variables(self, **variables: Any) -> None:
        """Set variables of all copies."""
        path = self.folder / "group_vars" / "all" / "test.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(variables, allow_unicode=True), encoding="utf-8")


@contextmanager
def lab_copies(
    folder: Path,
    lab: str,
    subnet: str,
    hosts: Mapping[str, str],
    images: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Copies]:
    """Start copies and remove them in the end.

    Args:
        folder: for the inventory, keys and state; made here.
        lab: name of the network and prefix of the containers, beginning with ``panshi-lab-``.
        subnet: a documentation range of its own, for at most 20 hosts.
        hosts: name of the lab's host that each copy, by name, is made from.
        images: what is other than in the lab, by name of the lab's image; such an image is built for these copies.
    """
    folder.mkdir(parents=True)
    original = yaml.safe_load((LAB / "lab.yml").read_text(encoding="utf-8"))
    prefix, _, first = subnet.partition("/")[0].rpartition(".")
    addresses = {name: f"{prefix}.{int(first) + 10 + number}" for number, name in enumerate(hosts)}
    described = {name: {**original["hosts"][of], "address": addresses[name]} for name, of in hosts.items()}
    built = {name: {**image, **(images or {}).get(name, {})} for name, image in original["images"].items()}
    document = {"name": lab, "subnet": subnet, "images": built, "hosts": described}
    description = folder / "lab.yml"
    description.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    machines = frozenset(name for name, of in hosts.items() if original["hosts"][of]["kind"] == "vm")
    copies = Copies(lab, folder, addresses, machines)
    if machines:
        _lend_disks(copies.state)
    with noted(lab, description, copies.state.root):
        try:
            _panshi_lab(copies, "up")
            yield copies
        finally:
            _panshi_lab(copies, "down")


def _lend_disks(state: State) -> None:
    """Give a new lab the disk images that the lab has built, so that it need not build them again."""
    state.prepare()
    for image in State(default_directory()).images.iterdir():
        subprocess.run(["cp", "--recursive", "--sparse=always", str(image), str(state.images)], check=True)


def _panshi_lab(copies: Copies, action: str) -> None:
    command = [sys.executable, "-m", "panshi.lab", action, "--file", str(copies.folder / "lab.yml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PANSHI_LAB_DIR": str(copies.state.root)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
