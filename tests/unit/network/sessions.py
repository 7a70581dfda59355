"""Ways to an emulated device: ours, and netmiko as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from emulators.network import Device as Emulated
from netmiko import BaseConnection, ConnectHandler

from panshi.network.session import Device, Session, open_device
from panshi.network.session.platforms import PLATFORMS

PASSWORD = "Emulated-1"


def reached(emulated: Emulated, folder: Path, **options: Any) -> Device:
    """Return how an emulated device is reached, its host key known."""
    known = folder / "known_hosts"
    line = f"{emulated.known_hosts}\n"
    if not known.exists() or line not in known.read_text(encoding="ascii"):
        with known.open("a", encoding="ascii") as file:
            file.write(line)
    return Device(
        **{
            "name": emulated.name,
            "platform": emulated.platform,
            "address": emulated.host,
            "port": emulated.port,
            "user": "ops",
            "known_hosts": known,
            "timeout": 5.0,
            **options,
        }
    )


@contextmanager
def ours(emulated: Emulated, folder: Path, transcript: Path | None = None, **options: Any) -> Iterator[Session]:
    """Open a session of ours."""
    with open_device(reached(emulated, folder, **options), PASSWORD, transcript=transcript) as session:
        yield session


@contextmanager
def stock(emulated: Emulated, **options: Any) -> Iterator[BaseConnection]:
    """Open a session of netmiko's; closed without its two seconds of listening."""
    connection = ConnectHandler(
        device_type=PLATFORMS[emulated.platform].netmiko,
        host=emulated.host,
        port=emulated.port,
        username="ops",
        password=PASSWORD,
        **options,
    )
    try:
        yield connection
    finally:
        with suppress(EOFError):  # the device may be closing just now
            connection.paramiko_cleanup()
