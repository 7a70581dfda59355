"""Devices behind real SSH, on one asyncio loop; each has a port or an address of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import asyncssh

from .device import Device
from .session import Session
from .terminal import Gone, Terminal

# Loopback, and the networks set aside for documentation that laboratories here use (RFC 5737, RFC 3849).
_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "::1/128", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
_OLD = {
    "kex_algs": ["diffie-hellman-group1-sha1"],
    "encryption_algs": ["aes128-cbc"],
    "mac_algs": ["hmac-sha1"],
    "signature_algs": ["ssh-rsa"],
}


class _Server(asyncssh.SSHServer):
    def __init__(self, device: Device) -> None:
        self._device = device

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return self._device.lets_in(username, password)


def _handler(device: Device) -> Callable[[asyncssh.SSHServerProcess[bytes]], object]:
    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        connection = process.get_extra_info("connection")
        most = device.fault.max_vty
        if most and len(device.sessions) >= most:
            process.stdout.write(device.kind.texts["no_vty"].encode() + b"\r\n")
            process.exit(1)
            return
        terminal = Terminal(process, device.fault, device.kind.more, device.kind.erase)
        device.sessions.add(connection.abort)
        try:
            await Session(device, terminal, process.get_extra_info("username")).run()
            process.exit(0)
        except (Gone, asyncssh.Error, OSError):
            connection.abort()
        finally:
            device.sessions.discard(connection.abort)
            terminal.close()

    return serve


async def listen(device: Device) -> asyncssh.SSHAcceptor:
    """Let a device be reached.

    Raises:
        ValueError: it is to listen where others could reach it.
    """
    address, port = device.listen
    if not any(ipaddress.ip_address(address) in network for network in _NETWORKS):
        raise ValueError(f"{device.name}: {address} is neither loopback nor a documentation address")
    kind, options = ("ssh-rsa", {"key_size": 2048}) if device.legacy_ssh else ("ssh-ed25519", {})
    make = device.flash.host_key if device.flash else asyncssh.generate_private_key
    key = make(kind, **options)
    server = await asyncssh.listen(
        address,
        port,
        server_factory=lambda: _Server(device),
        server_host_keys=[key],
        process_factory=_handler(device),
        encoding=None,
        line_editor=False,
        login_timeout=60,
        backlog=1024,
        **(_OLD if device.legacy_ssh else {}),
    )
    device.host = address
    device.port = server.get_port()
    device.host_key = " ".join(key.export_public_key().decode().split()[:2])
    return server


async def _all(devices: Sequence[Device]) -> list[asyncssh.SSHAcceptor]:
    return list(await asyncio.gather(*(listen(device) for device in devices)))


async def _end(devices: Sequence[Device], servers: Sequence[asyncssh.SSHAcceptor]) -> None:
    for device in devices:
        device.disarm()
    for server in servers:
        server.close()
    for device in devices:
        device.cut_sessions()
    await asyncio.gather(*(server.wait_closed() for server in servers))
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


@contextlib.contextmanager
def emulated(*devices: Device) -> Iterator[tuple[Device, ...]]:
    """Run devices in a thread of their own for as long as the context lasts; each knows its ``host`` and ``port``."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="emulated devices", daemon=True)
    thread.start()
    try:
        servers = asyncio.run_coroutine_threadsafe(_all(devices), loop).result()
        try:
            yield devices
        finally:
            asyncio.run_coroutine_threadsafe(_end(devices, servers), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it has not come true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.005)
