"""Private copies of lab hosts: containers of a lab image with nothing but sshd running, removed at the end.

For tests that break a host and for measurements with many hosts; the lab's own hosts stay as they are.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from panshi.lab.podman import IMAGE_PREFIX
from panshi.lab.state import State, default_directory

PASSWORD = "correct-horse-7"
# ops: sudo without password; asks: sudo with password; plain: no sudo. All take the same key.
START = f"""
set -e
mkdir -p /run/sshd
cp /seed/host_key /etc/ssh/ssh_host_ed25519_key; chmod 600 /etc/ssh/ssh_host_ed25519_key
rm -f /etc/ssh/ssh_host_rsa_key* /etc/ssh/ssh_host_ecdsa_key*
for user in ops asks plain; do
  id $user >/dev/null 2>&1 || useradd -m -s /bin/bash $user
  home=$(getent passwd $user | cut -d: -f6)
  mkdir -p $home/.ssh; cp /seed/key.pub $home/.ssh/authorized_keys
  chown -R $user: $home/.ssh; chmod 700 $home/.ssh; chmod 600 $home/.ssh/authorized_keys
done
echo 'asks:{PASSWORD}' | chpasswd
echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/90-ops
echo 'asks ALL=(ALL:ALL) ALL' >/etc/sudoers.d/91-asks
chmod 440 /etc/sudoers.d/90-ops /etc/sudoers.d/91-asks
rm -f /run/nologin
exec /usr/sbin/sshd -D -e
"""


def podman(*arguments: str) -> str:
    """Run podman with the settings that the lab found to work here."""
    conf = State(default_directory()).containers_conf
    environment = {**os.environ, **({"CONTAINERS_CONF": str(conf)} if conf.is_file() else {})}
    done = subprocess.run(["podman", *arguments], env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"podman {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def image_of(name: str) -> str:
    """Return the newest image that the lab built for a host."""
    found = [line.split() for line in podman("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()]
    names = [line[0] for line in found if line[0].startswith(f"{IMAGE_PREFIX}/{name}:")]
    if not names:
        raise RuntimeError(f"no image {IMAGE_PREFIX}/{name}: start the lab first (panshi lab up)")
    return names[0]


@dataclass(frozen=True)
class Target:
    """A running container."""

    name: str
    container: str
    address: str

    def sh(self, script: str) -> str:
        """Run a script as root inside, not through sshd."""
        return podman("exec", self.container, "sh", "-c", script)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let nothing inside run: connections are taken by the kernel and never answered."""
        podman("pause", self.container)
        try:
            yield
        finally:
            podman("unpause", self.container)


@dataclass(frozen=True)
class Targets:
    """Running containers with the key and the known hosts to reach them."""

    hosts: tuple[Target, ...]
    folder: Path

    @property
    def key(self) -> Path:
        """The private key of every account."""
        return self.folder / "key"

    @property
    def known_hosts(self) -> Path:
        """Host keys of all targets."""
        return self.folder / "known_hosts"

    def inventory(self, path: Path, hosts: dict[str, dict[str, Any]] | None = None, **variables: Any) -> Path:
        """Write an estate of these targets.

        Args:
            path: folder to make.
            hosts: host variables by name, in place of all targets or in addition to a target's own address.
            variables: for all hosts.
        """
        known = {target.name: {"ansible_host": target.address} for target in self.hosts}
        chosen = {name: {**known.get(name, {}), **own} for name, own in (hosts or {n: {} for n in known}).items()}
        common = {
            "ansible_user": "ops",
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes",
        }
        path.mkdir(parents=True, exist_ok=True)
        document = {"all": {"hosts": chosen, "vars": {**common, **variables}}}
        (path / "hosts.yml").write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))
        return path


@contextmanager
def sshd_targets(folder: Path, image: str, count: int) -> Iterator[Targets]:
    """Start ``count`` containers of a lab image and remove them in the end.

    Args:
        folder: for keys; it is mounted into the containers read-only.
        image: name of a lab host, for example deb12.
        count: number of containers.
    """
    seed = folder / "seed"
    seed.mkdir(parents=True)
    for path in (folder / "key", seed / "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    (folder / "key.pub").replace(seed / "key.pub")
    batch, reference = f"panshi-test-{uuid.uuid4().hex[:6]}", image_of(image)
    names = [f"t{number:03d}" for number in range(1, count + 1)]
    try:
        with ThreadPoolExecutor(2) as pool:
            targets = tuple(pool.map(lambda name: _start(batch, name, reference, seed), names))
        public = (seed / "host_key.pub").read_text().split()
        lines = [f"{target.address} {public[0]} {public[1]}\n" for target in targets]
        (folder / "known_hosts").write_text("".join(lines))
        for target in targets:
            _wait(target.address)
        yield Targets(targets, folder)
    finally:
        running = podman("ps", "-aq", "--filter", f"label=panshi.test={batch}").split()
        if running:
            podman("rm", "--force", "--volumes", "--time=0", *running)


def _start(batch: str, name: str, reference: str, seed: Path) -> Target:
    container = f"{batch}-{name}"
    podman(
        *("run", "--detach", f"--name={container}", f"--hostname={name}", f"--label=panshi.test={batch}"),
        *(f"--volume={seed}:/seed:ro", "--network=podman", "--cap-add=AUDIT_WRITE", reference, "sh", "-c", START),
    )
    (inspected,) = json.loads(podman("inspect", container))
    return Target(name, container, inspected["NetworkSettings"]["Networks"]["podman"]["IPAddress"])


def _wait(address: str, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((address, 22), timeout=2) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.2)
