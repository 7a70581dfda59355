"""Emulated devices, and how the transaction logs in to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emulators.network import Device

from panshi.network.change import Login
from panshi.network.session import Device as Reached
from panshi.network.session import Session, open_device

BASE = {
    "huawei_vrp": "vlan batch 5\n#\ninterface Vlanif5\n ip address 192.0.2.5 255.255.255.0\n",
    "hp_comware": "vlan 5\n#\ninterface Vlan-interface5\n ip address 192.0.2.5 255.255.255.0\n",
    "cisco_ios": "archive\n path flash:backup\n!\nvlan 5\n!\ninterface Vlan5\n ip address 192.0.2.5 255.255.255.0\n",
    "ruijie_os": "vlan 5\n!\ninterface VLAN5\n ip address 192.0.2.5 255.255.255.0\n",
}
BASE["huawei_vrpv8"] = BASE["huawei_vrp"]
# One change of three blocks, so that it can break in the middle of it.
LINES = {
    platform: lines.split("|")
    for platform, lines in {
        "huawei_vrp": "vlan batch 10|vlan 10|description 办公|quit|vlan batch 11|interface Vlanif5|shutdown|quit",
        "hp_comware": "vlan 10|description 办公|quit|vlan 11|quit|interface Vlan-interface5|shutdown|quit",
        "cisco_ios": "vlan 10|name office|exit|vlan 11|exit|interface Vlan5|shutdown|exit",
    }.items()
}
LINES["huawei_vrpv8"] = LINES["huawei_vrp"]
LINES["ruijie_os"] = [line.replace("Vlan5", "VLAN 5") for line in LINES["cisco_ios"]]
TIMED = ("huawei_vrpv8", "hp_comware", "cisco_ios")
MIDDLE = r"^vlan (batch )?11$"
LAST = "shutdown"


def made(platform: str, *, second: float = 0.01, name: str = "SW1", **more: object) -> Device:
    """Return a device; its minute lasts 0.6 s."""
    return Device(name, platform, config=BASE[platform], second=second, **more)  # type: ignore[arg-type]


def reached(device: Device, folder: Path) -> Reached:
    """Return how it is reached."""
    known = folder / f"{device.name}.known"
    known.write_text(device.known_hosts + "\n", encoding="utf-8")
    return Reached(
        device.name,
        device.platform,
        device.host,
        "ops",
        port=device.port,
        known_hosts=known,
        encoding="utf-8",
        timeout=5.0,
    )


def opener(to: Reached, password: str) -> Login:
    """Return what logs in."""

    @contextmanager
    def login() -> Iterator[Session]:
        with open_device(to, password) as session:
            yield session

    return login


def login_to(device: Device, folder: Path, password: str = "Emulated-1") -> Login:
    """Return how the transaction logs in to a device."""
    return opener(reached(device, folder), password)
