"""One face for containers and virtual machines."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace

from panshi.lab import hub, image, machine, ssh
from panshi.lab.apt import find_mirror
from panshi.lab.description import Host, Lab
from panshi.lab.plan import Found
from panshi.lab.podman import Podman
from panshi.lab.seed import make_seed
from panshi.lab.state import State, write
from panshi.lab.vm import Machines


@dataclass(frozen=True)
class Drivers:
    """Makes, starts and removes the hosts of one lab on this machine."""

    lab: Lab
    state: State
    engine: Podman
    machines: Machines
    builder: image.Builder
    unified_cgroups: bool

    def found(self) -> dict[str, Found]:
        """Return the hosts that the lab made, by name, also those that have since left the description.

        A host whose keys were never recorded was made half; it has no fingerprint and is made anew.
        """
        made = self.engine.containers(self.lab) | self.machines.found()
        return {
            name: one if ssh.has_host_keys(self.state, name) else Found(one.running, "") for name, one in made.items()
        }

    def ensure_network(self) -> None:
        """Make the lab's network if it is not there."""
        if self.engine.network_interface(self.lab) is None:
            self.engine.create_network(self.lab)

    def remove_network(self) -> None:
        """Remove the lab's network if it is there."""
        if self.engine.network_interface(self.lab) is not None:
            self.engine.remove_network(self.lab)

    def create(self, host: Host, spec: str, key: str) -> None:
        """Make a host from its image, with its own identity, not started."""
        seed = make_seed(host, self.lab, key, unified_cgroups=self.unified_cgroups)
        if hub.GROUP in host.groups:
            seed = replace(seed, files=seed.files + hub.seed_files(self.state, find_mirror()))
        if host.kind == "vm":
            self.machines.create(host, image.disk_directory(self.state, host.image), spec, seed)
        else:
            self.engine.create(self.lab, host, image.reference(host.image), spec, seed)
        ssh.record_host_keys(self.state, host, seed.public_keys)

    def start(self, host: Host) -> None:
        """Start a host that is made."""
        if host.kind == "vm":
            self.machines.start(host, self.engine.network_interface(self.lab) or "")
        else:
            self.engine.start(self.lab, host.name)

    def remove(self, name: str) -> None:
        """Remove a host and everything that was in it."""
        if name in self.machines.found():
            self.machines.remove(name)
        else:
            self.engine.remove(self.lab, name)
        shutil.rmtree(self.state.host(name), ignore_errors=True)


def connect(lab: Lab, state: State) -> Drivers:
    """Return the drivers for this machine, with podman set up as the machine needs it."""
    this = machine.look()
    conf = machine.containers_conf(this)
    if conf is None:
        state.containers_conf.unlink(missing_ok=True)
    else:
        write(state.containers_conf, conf)
    engine = Podman(machine.environment(state.containers_conf))
    return Drivers(lab, state, engine, Machines(lab, state), image.Builder(state, engine), this.unified_cgroups)
