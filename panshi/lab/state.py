"""Where the lab keeps what must not be in the repository: keys, known hosts, virtual disks, logs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from panshi.lab.errors import LabError


def default_directory() -> Path:
    """Return the state directory: $PANSHI_LAB_DIR, or panshi/lab in the user's cache directory."""
    if own := os.environ.get("PANSHI_LAB_DIR"):
        return Path(own).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "panshi" / "lab"


@dataclass(frozen=True)
class State:
    """The state directory; every path in it has its name here."""

    root: Path

    @property
    def key(self) -> Path:
        """The private key that opens every lab host as ``ops``."""
        return self.root / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The host keys of all lab hosts, in OpenSSH's format."""
        return self.root / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """A configuration for plain ``ssh -F``."""
        return self.root / "ssh_config"

    @property
    def containers_conf(self) -> Path:
        """Podman's settings that this machine needs; missing if it needs none."""
        return self.root / "containers.conf"

    @property
    def log_authority(self) -> Path:
        """The certificate of the authority of the hub's log receiver."""
        return self.root / "log-ca.pem"

    @property
    def log_authority_key(self) -> Path:
        """The key of that authority."""
        return self.root / "log-ca.key"

    @property
    def database_certificate(self) -> Path:
        """The certificate of the lab's databases."""
        return self.root / "db.pem"

    @property
    def database_key(self) -> Path:
        """The key of that certificate."""
        return self.root / "db.key"

    @property
    def database_names(self) -> Path:
        """The addresses that the certificate is good for."""
        return self.root / "db.names"

    @property
    def images(self) -> Path:
        """The disks of virtual machines, one directory per recipe digest."""
        return self.root / "images"

    @property
    def logs(self) -> Path:
        """Logs of image builds and serial consoles."""
        return self.root / "logs"

    @property
    def hosts(self) -> Path:
        """The directories of the hosts."""
        return self.root / "hosts"

    def host(self, name: str) -> Path:
        """Return the directory of one host: its public host keys and, for a VM, its disk and process."""
        return self.hosts / name

    @property
    def devices(self) -> Path:
        """The directories of the emulated network devices."""
        return self.root / "devices"

    def device(self, name: str) -> Path:
        """Return the directory of one device: its description, process, host key and flash memory."""
        return self.devices / name

    def prepare(self) -> None:
        """Create the directories, readable by their owner only."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (self.images, self.logs, self.hosts, self.devices):
            directory.mkdir(mode=0o700, exist_ok=True)

    def link(self, inventory: Path) -> None:
        """Make ``.state`` in the inventory directory point here, so that hosts.yml holds no machine path."""
        link = inventory / ".state"
        if link.is_symlink() and link.readlink() == self.root:
            return
        fresh = inventory / f".state.{os.getpid()}"
        fresh.symlink_to(self.root)
        fresh.replace(link)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole or not at all, and only if its content differs."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)  # what is secret is never open to others, not even for a moment
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(mode)
    fresh.replace(path)


@contextmanager
def lock(state: State) -> Iterator[None]:
    """Hold the lab for one ``up`` or ``down``; the kernel releases it when the process ends.

    Raises:
        LabError: PS-E2011 if another process holds it.
    """
    with (state.root / "lock").open("w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("PS-E2011", "另一个 panshi lab 命令正在操作试验环境", "等它结束后重试") from None
        yield
