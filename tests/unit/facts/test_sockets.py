"""ss output of today's and of EL7's iproute2, addresses, owners."""

from __future__ import annotations

import pytest

from panshi.facts import FactMissing, Facts
from panshi.facts.sockets import Socket, listening, parse_listen, reachable

TEXT = """\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process
udp   UNCONN 0      0      127.0.0.53%lo:53      0.0.0.0:*    users:(("systemd-resolve",pid=9,fd=13))
udp   UNCONN 0      0      [fe80::1%eth0]:546         [::]:*    users:(("dhclient",pid=7,fd=3))
tcp   LISTEN 0      128          0.0.0.0:22      0.0.0.0:*    users:(("sshd",pid=31,fd=3),("systemd",pid=1,fd=9))
tcp   LISTEN 0      128             [::]:22         [::]:*    users:(("sshd",pid=31,fd=4))
tcp   LISTEN 0      100            [::1]:25         [::]:*
tcp   LISTEN 0      128                *:9090          *:*    users:(("systemd",pid=1,fd=30))
tcp   LISTEN 0      50  [::ffff:127.0.0.1]:8005        *:*    users:(("java",pid=80,fd=3),("java",pid=80,fd=4))
tcp   LISTEN 0      128         192.0.2.7:873      0.0.0.0:*
"""


def test_parsed_addresses_and_owners() -> None:
    sockets = parse_listen(TEXT)
    assert [(s.proto, s.address, s.port) for s in sockets] == [
        ("udp", "127.0.0.53", 53),
        ("udp", "fe80::1", 546),
        ("tcp", "0.0.0.0", 22),
        ("tcp", "::", 22),
        ("tcp", "::1", 25),
        ("tcp", "*", 9090),
        ("tcp", "::ffff:127.0.0.1", 8005),
        ("tcp", "192.0.2.7", 873),
    ]
    assert sockets[2].owners == ("sshd", "systemd") and sockets[2].pids == (31, 1)
    assert sockets[6].owners == ("java",) and sockets[6].pids == (80,)
    assert sockets[4].owners == ()


def test_parsed_loopback_wildcard_and_activation() -> None:
    sockets = parse_listen(TEXT)
    assert [s.port for s in sockets if s.loopback] == [53, 25, 8005]
    assert [s.port for s in sockets if s.wildcard] == [22, 22, 9090]
    assert [s.port for s in sockets if s.activated] == [9090]


@pytest.mark.parametrize(
    ("local", "address", "loopback"),
    [(":::22", "::", False), ("::1:25", "::1", True), ("*:111", "*", False), ("127.0.0.1:631", "127.0.0.1", True)],
)
def test_parsed_bare_addresses_of_el7(local: str, address: str, loopback: bool) -> None:
    (socket,) = parse_listen(f'tcp LISTEN 0 128 {local} :::* users:(("x",1234,3))')
    assert (socket.address, socket.loopback, socket.owners, socket.pids) == (address, loopback, ("x",), (1234,))


def test_text_names_end_point_address_and_owner() -> None:
    assert Socket("tcp", "::", 23, ("xinetd",), (5,)).text == "23/tcp（所有地址，xinetd）"
    assert Socket("udp", "192.0.2.7", 69, ("systemd",), (1,)).text == "69/udp（192.0.2.7，systemd 套接字激活）"
    assert Socket("tcp", "*", 23).text == "23/tcp（所有地址，进程未知）"


def test_reachable_leaves_loopback_out_and_a_failed_listing_is_no_empty_host() -> None:
    facts = Facts({"items": {"net.listen": {"cmd": "ss -tulnpH", "out": TEXT}}})
    assert {s.port for s in listening(facts)} - {s.port for s in reachable(facts)} == {53, 25, 8005}
    with pytest.raises(FactMissing):
        listening(Facts({"items": {"net.listen": {"cmd": "ss -tulnpH", "rc": 127}}}))
