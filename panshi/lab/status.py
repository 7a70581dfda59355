"""How the lab's hosts and devices are: asked from podman, from the process table, and by a login or a greeting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from panshi.lab import ssh
from panshi.lab.description import Device, Host
from panshi.lab.devices import Devices
from panshi.lab.drivers import Drivers
from panshi.lab.plan import Found

_KINDS = {"container": "容器", "vm": "虚拟机"}


@dataclass(frozen=True)
class Row:
    """One host or device: what it is and how it is, in words, and whether it answers.

    A host answers when its account can log in; a device, which knows passwords only, when it greets.
    """

    name: str
    kind: str
    address: str
    state: str
    answers: bool
    emulated: bool
    purpose: str


def rows(drivers: Drivers, devices: Devices) -> list[Row]:
    """Look at every host and device of the lab, in the description's order."""
    hosts_there, devices_there = drivers.found(), devices.found()

    def host(one: Host) -> Row:
        there = hosts_there.get(one.name)
        answers = _runs(there) and ssh.answers(drivers.state, one)
        return Row(one.name, _KINDS[one.kind], str(one.address), _state(there), answers, one.emulated, one.purpose)

    def device(one: Device) -> Row:
        there = devices_there.get(one.name)
        answers = _runs(there) and devices.greets(one)
        where = f"{one.address}:{one.port}"
        return Row(one.name, one.platform, where, _state(there), answers, True, one.purpose)

    lab = drivers.lab
    with ThreadPoolExecutor(max(1, len(lab.hosts) + len(lab.devices))) as workers:
        return [*workers.map(host, lab.hosts), *workers.map(device, lab.devices)]


def _runs(there: Found | None) -> bool:
    return there is not None and there.running


def _state(there: Found | None) -> str:
    if there is None:
        return "未创建"
    return "运行中" if there.running else "已停止"
