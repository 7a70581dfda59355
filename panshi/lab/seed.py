"""What one host gets when it is made from an image: its own identity and the lab's public key."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from panshi.lab.description import Host, Lab
from panshi.lab.disk import FILE_SYSTEM_UUID
from panshi.lab.process import run

# Debian's openssh-server makes the same three kinds at installation.
_HOST_KEY_KINDS = ("rsa", "ecdsa", "ed25519")
# The accounts of every image; recipes/common.sh makes them.
ACCOUNTS = {"ops": 1000, "rescue": 1001}
# And those of a group of hosts; their recipe makes them.
_MORE_ACCOUNTS = {"vault": {"keeper": 1002}, "network": {"netops": 1002}}


@dataclass(frozen=True)
class SeedFile:
    """A file for the new host's root file system."""

    path: str
    content: bytes
    mode: int = 0o644
    owner: int = 0


@dataclass(frozen=True)
class Seed:
    """The files of a new host, and its public host keys, one per line without comment."""

    files: tuple[SeedFile, ...]
    public_keys: tuple[str, ...]


# In a container on cgroup v1, systemd is not told that a cgroup became empty: stopping a user's manager can then
# take two minutes, and stopping a session whose processes are gone one and a half, in which that user cannot log in.
# So the manager is never stopped, and what is stopped is not waited for.
_CGROUP_V1_FILES = (
    SeedFile("usr/lib/systemd/logind.conf.d/panshi-lab.conf", b"[Login]\nUserStopDelaySec=infinity\n"),
    SeedFile("usr/lib/systemd/system/user@.service.d/panshi-lab.conf", b"[Service]\nTimeoutStopSec=1s\n"),
    SeedFile("usr/lib/systemd/system/session-.scope.d/panshi-lab.conf", b"[Scope]\nTimeoutStopSec=1s\n"),
)


def make_seed(host: Host, lab: Lab, authorized_key: str, *, unified_cgroups: bool) -> Seed:
    """Generate a host's identity.

    Args:
        host: the host to be made.
        lab: the lab that it belongs to.
        authorized_key: the public key that may log in as ``ops`` and as ``rescue``.
        unified_cgroups: this machine has cgroup v2 only, and with it the containers.

    Raises:
        CommandError: ssh-keygen failed.
    """
    accounts = dict(ACCOUNTS)
    for group in host.groups:
        accounts |= _MORE_ACCOUNTS.get(group, {})
    files = [
        *(
            SeedFile(f"home/{name}/.ssh/authorized_keys", f"{authorized_key}\n".encode(), 0o600, uid)
            for name, uid in accounts.items()
        ),
        SeedFile("etc/machine-id", f"{uuid.uuid4().hex}\n".encode(), 0o444),
    ]
    public_keys = []
    with tempfile.TemporaryDirectory(prefix="panshi-lab-") as scratch:
        for kind in _HOST_KEY_KINDS:
            name = f"ssh_host_{kind}_key"
            path = Path(scratch) / name
            run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"root@{host.name}", "-f", str(path)], timeout=60)
            public = path.with_suffix(".pub").read_bytes()
            public_keys.append(" ".join(public.decode().split()[:2]))
            files += [
                SeedFile(f"etc/ssh/{name}", path.read_bytes(), 0o600),
                SeedFile(f"etc/ssh/{name}.pub", public),
            ]
    if host.kind == "container" and not unified_cgroups:
        files += _CGROUP_V1_FILES
    if host.kind == "vm":
        files += _vm_files(host, lab)
    return Seed(tuple(files), tuple(public_keys))


def _vm_files(host: Host, lab: Lab) -> list[SeedFile]:
    """Return what podman gives a container by itself: host name and address."""
    interfaces = (
        "auto eth0\n"
        "iface eth0 inet static\n"
        f"    address {host.address}/{lab.subnet.prefixlen}\n"
        "allow-hotplug eth1\n"
        "iface eth1 inet dhcp\n"
    )
    return [
        SeedFile("etc/hostname", f"{host.name}\n".encode()),
        SeedFile("etc/hosts", f"127.0.0.1 localhost\n{host.address} {host.name}\n::1 localhost\n".encode()),
        SeedFile("etc/fstab", f"UUID={FILE_SYSTEM_UUID} / ext4 errors=remount-ro 0 1\n".encode()),
        SeedFile("etc/network/interfaces.d/lab", interfaces.encode()),
    ]
