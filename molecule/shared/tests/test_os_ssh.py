"""What sshd answers on the wire, not what its files say."""

from __future__ import annotations

import socket
import struct

from testinfra.host import Host


def _offered(address: str) -> tuple[str, str, str]:
    """Return key exchanges, ciphers and MACs that the server offers before any login (RFC 4253, section 7.1)."""
    with socket.create_connection((address, 22), timeout=20) as connection:
        stream = connection.makefile("rwb")
        assert stream.readline().startswith(b"SSH-2.0-")
        stream.write(b"SSH-2.0-panshi_test\r\n")
        stream.flush()
        length, padding = struct.unpack(">IB", stream.read(5))
        payload = stream.read(length - 1)[: length - padding - 1]
    names, rest = [], payload[17:]
    for _ in range(6):
        (size,) = struct.unpack(">I", rest[:4])
        names.append(rest[4 : 4 + size].decode())
        rest = rest[4 + size :]
    return names[0], names[2], names[4]


def test_real_server_offers_no_weak_algorithm(host: Host) -> None:
    exchanges, ciphers, macs = _offered(host.run("hostname -I").stdout.split()[0])
    assert exchanges and ciphers and macs
    assert not [name for name in ciphers.split(",") if "cbc" in name or "arcfour" in name or "3des" in name]
    assert not [name for name in macs.split(",") if "md5" in name or name.startswith(("hmac-sha1", "umac-64"))]
    assert not [name for name in exchanges.split(",") if name.endswith("sha1") or "group1-" in name]


def test_real_root_cannot_log_in(host: Host) -> None:
    assert "permitrootlogin no" in host.run("/usr/sbin/sshd -T").stdout.lower()
