"""The lab's network devices: emulated, each a process of this machine with a flash memory of its own.

The emulator is test code (docs/network-emulator.md), and the lab is a checkout's: neither is part of what is installed.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from panshi.errors import PanshiError
from panshi.lab.daemon import Daemon
from panshi.lab.description import Device
from panshi.lab.errors import LabError
from panshi.lab.plan import Found
from panshi.lab.ssh import RECORD
from panshi.lab.state import State, write

USER = "ops"
_CHECKOUT = Path(__file__).parents[2]
_CONFIGURATIONS = Path(__file__).with_name("recipes") / "devices"
_READY_SECONDS = 60.0
_PAUSE = 0.1

Progress = Callable[[str, str], None]
# First passwords by device; asked for only when a device is made.
Passwords = Callable[[Iterable[Device]], Mapping[str, str]]


@dataclass(frozen=True)
class Devices:
    """The devices of one lab on this machine."""

    state: State

    def found(self) -> dict[str, Found]:
        """Return the devices that are made, by name, also those that have since left the description."""
        return {
            spec.parent.name: Found(self._process(spec.parent.name).pid() is not None, spec.read_text(encoding="ascii"))
            for spec in self.state.devices.glob("*/spec")
        }

    def create(self, device: Device, password: str) -> None:
        """Make a device as it is on its first day; it counts as made when the file "spec" is there."""
        directory = self.state.device(device.name)
        directory.mkdir(mode=0o700, exist_ok=True)
        described = {
            "name": device.name,
            "platform": device.platform,
            "listen": f"{device.address}:{device.port}",
            "flash": "flash",
            "config": "first_day.cfg",
            "users": {USER: password},
            "faults": {"banner": f"EMULATED {device.platform}: this is not a device of the vendor"},
        }
        write(directory / "first_day.cfg", _configuration(device))
        write(directory / "device.yml", yaml.safe_dump({"devices": [described]}, sort_keys=False), 0o600)
        write(directory / "spec", spec(device))

    def start(self, device: Device) -> None:
        """Switch a device on: it has what it last saved. Its host key is kept for known_hosts.

        Raises:
            LabError: PS-E2016 it does not come up.
        """
        directory, log = self.state.device(device.name), self.state.logs / f"device-{device.name}.log"
        command = [sys.executable, "-m", "tests.emulators.network", "--stay", str(directory / "device.yml")]
        with log.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                command,
                cwd=_CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        self._process(device.name).remember(process.pid)
        deadline = time.monotonic() + _READY_SECONDS
        while "ready" not in (lines := log.read_text(encoding="utf-8").splitlines()):
            if process.poll() is not None or time.monotonic() > deadline:
                self._process(device.name).stop()
                raise LabError(
                    "PS-E2016",
                    f"仿真设备 {device.name} 没有启动：{lines[-1] if lines else '没有输出'}",
                    f"按原因处理后重新运行 panshi lab up；日志在 {log}",
                )
            time.sleep(_PAUSE)
        write(directory / RECORD, " ".join(lines[0].split()[-2:]) + "\n")

    def remove(self, name: str) -> None:
        """Switch a device off and forget it."""
        self._process(name).stop()
        shutil.rmtree(self.state.device(name))

    def greets(self, device: Device) -> bool:
        """Tell whether an SSH server answers where the device should be."""
        try:
            with socket.create_connection((str(device.address), device.port), timeout=10) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _process(self, name: str) -> Daemon:
        return Daemon(self.state.device(name) / "process")


def spec(device: Device) -> str:
    """Return the fingerprint of everything that a device is made from."""
    parts = [*map(str, asdict(device).values()), _configuration(device)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def bring_up(
    wanted: Iterable[Device], devices: Devices, passwords: Passwords, progress: Progress, *, fresh: bool = False
) -> tuple[list[str], list[PanshiError]]:
    """Make what is missing or was described otherwise, start what is off.

    Args:
        wanted: devices to bring up.
        devices: access to them.
        passwords: of those that are made.
        progress: called with a device's name and what is being done to it, from several threads.
        fresh: make all of them anew.

    Returns:
        The names of those that were made or started, and one error per device that did not come up.
    """
    there = devices.found()
    stale = {one.name for one in wanted if one.name in there and (fresh or there[one.name].spec != spec(one))}
    made = [one for one in wanted if one.name in stale or one.name not in there]
    started = [one for one in wanted if one in made or not there[one.name].running]
    try:
        known = passwords(made) if made else {}
    except PanshiError as error:
        return [], [error]

    def one(device: Device) -> PanshiError | None:
        try:
            if device.name in stale:
                progress(device.name, "删除旧设备")
                devices.remove(device.name)
            if device in made:
                progress(device.name, "创建设备")
                devices.create(device, known[device.name])
            progress(device.name, "启动")
            devices.start(device)
        except LabError as error:
            progress(device.name, "失败")
            return error
        progress(device.name, "就绪（已变更）")
        return None

    with ThreadPoolExecutor(max(1, len(started))) as workers:
        errors = [error for error in workers.map(one, started) if error]
    for device in wanted:
        if device not in started:
            progress(device.name, "就绪")
    return [device.name for device in started], errors


def _configuration(device: Device) -> str:
    """Return the configuration of a device's first day; one that has none comes from the factory."""
    path = _CONFIGURATIONS / f"{device.name}.cfg"
    return path.read_text(encoding="utf-8") if path.is_file() else ""
