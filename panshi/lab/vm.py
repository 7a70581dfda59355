"""Virtual machines: QEMU in software, a real kernel, a tap on the lab's bridge."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from panshi.lab.description import Host, Lab
from panshi.lab.disk import file_system
from panshi.lab.plan import Found
from panshi.lab.process import CommandError, run
from panshi.lab.seed import Seed, SeedFile
from panshi.lab.state import State, write

_MEMORY_MIB = 1024
_STOP_SECONDS = 10


@dataclass(frozen=True)
class Machines:
    """The virtual machines of one lab on this machine."""

    lab: Lab
    state: State

    def found(self) -> dict[str, Found]:
        """Return the virtual machines that are made, by host name."""
        return {
            spec.parent.name: Found(self._pid(spec.parent.name) is not None, spec.read_text(encoding="ascii"))
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
        pid = int(pid_file.read_text(encoding="ascii"))
        write(self.state.host(host.name) / "process", json.dumps({"pid": pid, "start": _start_time(pid)}))

    def remove(self, name: str) -> None:
        """Stop a machine, and remove its disk and its network interface."""
        if (pid := self._pid(name)) is not None:
            self._stop(name, pid)
        tap = tap_name(name)
        if Path(f"/sys/class/net/{tap}").exists():
            run(["ip", "link", "delete", tap], timeout=10)
        shutil.rmtree(self.state.host(name))

    def _pid(self, name: str) -> int | None:
        """Return the process of a machine if it is still the one that was started here."""
        record = self.state.host(name) / "process"
        if not record.is_file():
            return None
        process = json.loads(record.read_text(encoding="ascii"))
        pid = int(process["pid"])
        return pid if _start_time(pid) == process["start"] else None

    def _stop(self, name: str, pid: int) -> None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while self._pid(name) is not None:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

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


def _start_time(pid: int) -> str | None:
    """Return the boot's id and when in it a process started, in clock ticks; None if it is gone or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] == "Z":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{fields[19]}"  # starttime is field 22 of proc(5); the first two are cut off


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
