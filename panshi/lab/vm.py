"""Virtual machines: QEMU in software, a real kernel, a tap on the lab's bridge."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from panshi.lab.daemon import Daemon
from panshi.lab.description import Host, Lab
from panshi.lab.disk import file_system
from panshi.lab.plan import Found
from panshi.lab.process import CommandError, run
from panshi.lab.seed import Seed, SeedFile
from panshi.lab.state import State, write

_MEMORY_MIB = 1024


@dataclass(frozen=True)
class Machines:
    """The virtual machines of one lab on this machine."""

    lab: Lab
    state: State

    def found(self) -> dict[str, Found]:
        """Return the virtual machines that are made, by host name."""
        return {
            spec.parent.name: Found(self._process(spec.parent.name).pid() is not None, spec.read_text(encoding="ascii"))
            for spec in self.state.hosts.glob("*/spec")
        }

    def create(self, host: Host, image: Path, spec: str, seed: Seed) -> None:
        """Make a machine's disk from an image directory; it counts as made when the file "spec" is there."""
        directory = self.state.host(host.name)
        directory.mkdir(mode=0o700, exist_ok=True)
        disk = directory / "disk.img"
        run(["cp", "--sparse=always", "--reflink=auto", str(image / "disk.img"), str(disk)], timeout=300)
        _place(disk, seed.files)
        write(directory / "spec", spec)

    def start(self, host: Host, bridge: str) -> None:
        """Start a machine and remember its process.

        Raises:
            CommandError: the network interface or QEMU failed.
        """
        self._connect(host, bridge)
        pid_file = self.state.host(host.name) / "pid"
        run(self._command(host, pid_file), timeout=60)
        self._process(host.name).remember(int(pid_file.read_text(encoding="ascii")))

    def remove(self, name: str) -> None:
        """Stop a machine, and remove its disk and its network interface."""
        self._process(name).stop()
        tap = tap_name(name)
        if Path(f"/sys/class/net/{tap}").exists():
            run(["ip", "link", "delete", tap], timeout=10)
        shutil.rmtree(self.state.host(name))

    def _process(self, name: str) -> Daemon:
        return Daemon(self.state.host(name) / "process")

    def _connect(self, host: Host, bridge: str) -> None:
        """Make the machine's tap; the bridge too, because podman makes it with the first container only."""
        links = Path("/sys/class/net")
        commands = []
        if not (links / bridge).exists():
            commands += [
                ["ip", "link", "add", bridge, "type", "bridge"],
                ["ip", "address", "add", f"{self.lab.gateway}/{self.lab.subnet.prefixlen}", "dev", bridge],
                ["ip", "link", "set", bridge, "up"],
            ]
        tap = tap_name(host.name)
        if not (links / tap).exists():
            commands.append(["ip", "tuntap", "add", "dev", tap, "mode", "tap"])
        commands.append(["ip", "link", "set", tap, "master", bridge, "up"])
        for command in commands:
            run(command, timeout=10)

    def _command(self, host: Host, pid_file: Path) -> list[str]:
        directory = self.state.host(host.name)
        mac = ":".join(f"{octet:02x}" for octet in (0x52, 0x54, 0, *host.address.packed[1:]))
        return [
            "qemu-system-x86_64",
            *("-name", f"{self.lab.name}-{host.name}"),
            # Software emulation everywhere: nested virtualisation breaks guest kernels on some machines.
            *("-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max", "-smp", "2", "-m", str(_MEMORY_MIB)),
            *("-drive", f"file={_escape(directory / 'disk.img')},format=raw,if=virtio"),
            # eth0 is the lab's bridge, eth1 is QEMU's own network, a way out that needs no firewall rule here.
            *("-netdev", f"tap,id=lab,ifname={tap_name(host.name)},script=no,downscript=no"),
            *("-device", f"virtio-net-pci,netdev=lab,mac={mac},romfile="),
            *("-netdev", "user,id=out", "-device", "virtio-net-pci,netdev=out,romfile="),
            *("-device", "virtio-rng-pci"),
            *("-display", "none", "-serial", f"file:{self.state.logs / f'console-{host.name}.log'}"),
            *("-daemonize", "-pidfile", str(pid_file)),
        ]


def tap_name(host: str) -> str:
    """Return the name of a machine's network interface on this machine."""
    return f"panshi-{host}"


def _escape(path: Path) -> str:
    """Double the commas of a path, as QEMU's option syntax asks."""
    return str(path).replace(",", ",,")


def _place(disk: Path, files: tuple[SeedFile, ...]) -> None:
    """Write files into the root file system of a disk that is not mounted.

    Raises:
        CommandError: debugfs failed, or a file is not there afterwards as it should be.
    """
    with tempfile.TemporaryDirectory(prefix="panshi-lab-") as scratch:
        script = Path(scratch) / "commands"
        lines = []
        for number, file in enumerate(files):
            source = Path(scratch) / str(number)
            source.write_bytes(file.content)
            lines += [
                f"rm /{file.path}",
                f"write {source} /{file.path}",
                f"set_inode_field /{file.path} mode 0100{file.mode:03o}",
                f"set_inode_field /{file.path} uid {file.owner}",
                f"set_inode_field /{file.path} gid {file.owner}",
            ]
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run(["debugfs", "-w", "-f", str(script), file_system(disk)], timeout=60)
        for number, file in enumerate(files):
            copy = Path(scratch) / f"{number}.copy"
            # debugfs ends with status 0 even if a command in it failed.
            run(["debugfs", "-R", f"dump /{file.path} {copy}", file_system(disk)], timeout=60)
            if not copy.is_file() or copy.read_bytes() != file.content:
                raise CommandError(["debugfs"], f"没有写入 /{file.path}")
