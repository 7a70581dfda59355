"""Packets sent from this machine, not the rules."""

from __future__ import annotations

import socket

import pytest
from testinfra.host import Host

CLOSED = 40444


@pytest.fixture
def address(host: Host) -> str:
    return host.run("hostname -I").stdout.split()[0]


def test_real_management_port_answers(address: str) -> None:
    with socket.create_connection((address, 22), timeout=20) as connection:
        assert connection.recv(4) == b"SSH-"


def test_real_listening_port_that_is_not_allowed_does_not_answer(host: Host, address: str) -> None:
    host.run(f"systemd-run --unit=molecule-listen --collect /usr/bin/python3 -m http.server {CLOSED}")
    try:
        assert host.run(f"timeout 20 sh -c 'until ss -ltn | grep -q :{CLOSED}; do sleep 0.2; done'").rc == 0
        with pytest.raises(OSError), socket.create_connection((address, CLOSED), timeout=3):
            pass
        assert (
            host.run(f"/usr/bin/python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {CLOSED}), 3)'").rc
            == 0
        )
    finally:
        host.run("systemctl stop molecule-listen")
