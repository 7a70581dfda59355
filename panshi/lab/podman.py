"""Podman: the lab's network, container images and containers. Everything it makes carries the lab's label."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panshi.lab.description import NETWORK, Host, Lab
from panshi.lab.errors import LabError
from panshi.lab.plan import Found
from panshi.lab.process import CommandError, run
from panshi.lab.seed import Seed

IMAGE_PREFIX = "localhost/panshi-lab"
_LABEL = "panshi.lab"
_SPEC_LABEL = "panshi.lab.spec"
_SECONDS = 120
# Each container has its own keys below /proc/sys/net, as a real host has; podman makes all of /proc/sys read-only.
_OWN_SYSCTL = "mount --bind /proc/sys/net /proc/sys/net && mount -o remount,bind,rw /proc/sys/net"
# What root has on a real host and the audit and its fixes need: reading and setting the firewall, ping, writing to
# the audit socket, reading the owner of a socket. All of it ends at the container's own namespaces.
_CAPABILITIES = ("NET_ADMIN", "NET_RAW", "AUDIT_WRITE", "SYS_PTRACE")
# FRR's zebra does not begin without it (it enters other network namespaces); a router has it, and no other host.
_MORE_CAPABILITIES = {NETWORK: ("SYS_ADMIN",)}


@dataclass(frozen=True)
class Podman:
    """Podman as root on this machine.

    Attributes:
        environment: the environment of every call.
    """

    environment: Mapping[str, str]

    def _run(self, *arguments: str, timeout: float = _SECONDS) -> str:
        return run(["podman", *arguments], timeout=timeout, env=self.environment)

    def _json(self, *arguments: str) -> Any:
        return json.loads(self._run(*arguments, "--format", "json"))

    def images(self) -> frozenset[str]:
        """Return the names of all stored images, with their tags."""
        return frozenset(name for image in self._json("images") for name in image.get("Names") or ())

    def import_image(self, tar: Path, reference: str) -> None:
        """Store the root file system in a tar file as an image."""
        self._run("import", "--quiet", str(tar), reference, timeout=600)

    def remove_images(self) -> None:
        """Remove the images that the lab built."""
        for name in self.images():
            if name.startswith(f"{IMAGE_PREFIX}/"):
                self._run("rmi", name)

    def containers(self, lab: Lab) -> dict[str, Found]:
        """Return the containers that the lab made, by host name.

        Raises:
            LabError: PS-E2013 if a container that the lab did not make has the name of one of its hosts.
        """
        wanted = {container_name(lab, host.name) for host in lab.hosts if host.kind == "container"}
        found = {}
        for container in self._json("ps", "--all"):
            labels = container.get("Labels") or {}
            if labels.get(_LABEL) == lab.name:
                spec = labels.get(_SPEC_LABEL, "")
                name = container["Names"][0].removeprefix(container_name(lab, ""))
                found[name] = _judge(container["State"], container["Pid"], spec)
            elif taken := wanted.intersection(container["Names"]):
                name = taken.pop()
                raise LabError(
                    "PS-E2013", f"容器名 {name} 已被试验环境之外的容器占用", f"改名：podman rename {name} 新名"
                )
        return found

    def create(self, lab: Lab, host: Host, image: str, spec: str, seed: Seed) -> None:
        """Make a container with its identity in it, not started."""
        name = container_name(lab, host.name)
        self._run(
            "create",
            f"--name={name}",
            f"--hostname={host.name}",
            f"--network={lab.name}",
            f"--ip={host.address}",
            f"--label={_LABEL}={lab.name}",
            f"--label={_SPEC_LABEL}={spec}",
            f"--cap-add={','.join(_capabilities(host))}",
            "--systemd=always",
            image,
            "/lib/systemd/systemd",
        )
        try:
            root = Path(self._run("mount", name).strip())
            for file in seed.files:
                _place(root / file.path, file.content, file.mode, file.owner)
            self._run("umount", name)
        except (CommandError, OSError):
            # Half a host must not be taken for a whole one by the next run.
            self.remove(lab, host.name)
            raise

    def start(self, lab: Lab, name: str) -> None:
        """Start a host's container, with its own network settings writable before anything in it runs."""
        container = container_name(lab, name)
        # A start that was interrupted may have come as far as here.
        if self._state(container)[0] != "initialized":
            self._run("init", container)
        pid = self._state(container)[1]
        run(["nsenter", f"--target={pid}", "--mount", "sh", "-c", _OWN_SYSCTL], timeout=_SECONDS)
        self._run("start", container)

    def _state(self, container: str) -> tuple[str, str]:
        """Return a container's state and the number of its first process."""
        state, pid = self._run("inspect", "--format", "{{.State.Status}} {{.State.Pid}}", container).split()
        return state, pid

    def remove(self, lab: Lab, name: str) -> None:
        """Remove a host's container with its anonymous volumes."""
        self._run("rm", "--force", "--volumes", "--time=0", container_name(lab, name))

    def network_interface(self, lab: Lab) -> str | None:
        """Return the name of the lab's bridge, or None if the network is not there.

        Raises:
            LabError: PS-E2013 if a network that the lab did not make has its name.
        """
        if lab.name not in self._run("network", "ls", "--format", "{{.Name}}").split():
            return None
        network = json.loads(self._run("network", "inspect", lab.name))[0]
        if (network.get("labels") or {}).get(_LABEL) != lab.name:
            raise LabError(
                "PS-E2013", f"podman 网络名 {lab.name} 已被试验环境之外的网络占用", f"podman network rm {lab.name}"
            )
        return str(network["network_interface"])

    def create_network(self, lab: Lab) -> None:
        """Make the lab's bridge network."""
        self._run(
            "network",
            "create",
            f"--label={_LABEL}={lab.name}",
            f"--subnet={lab.subnet}",
            f"--gateway={lab.gateway}",
            # Lab hosts find each other by the inventory; without this, some versions need a name server package.
            "--disable-dns",
            lab.name,
        )

    def remove_network(self, lab: Lab) -> None:
        """Remove the lab's bridge network."""
        self._run("network", "rm", lab.name)


def _capabilities(host: Host) -> tuple[str, ...]:
    more = (name for group in host.groups for name in _MORE_CAPABILITIES.get(group, ()))
    return (*_CAPABILITIES, *more)


def container_name(lab: Lab, host: str) -> str:
    """Return the name of a host's container."""
    return f"{lab.name}-{host}"


def _judge(state: str, pid: int, spec: str) -> Found:
    """Return how a container is; one that podman cannot bring back has no fingerprint and is made anew."""
    if state == "paused" or (state == "running" and _runs_systemd(pid)):
        return Found(True, spec)
    # "running" without a process: its monitor was killed, or the machine went down and /run is not cleared at boot.
    return Found(False, spec if state in ("created", "configured", "initialized", "exited", "stopped") else "")


def _runs_systemd(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == "systemd"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _place(path: Path, content: bytes, mode: int, owner: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    os.chown(path, owner, owner)
