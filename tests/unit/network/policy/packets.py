"""A router of the kernel's with one namespace for each zone, and packets that are really sent through it.

Nothing is touched outside the namespaces. Sockets are made inside them by a thread that enters, and work from outside.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from panshi.network.policy.space import Packet

# Both within 203.0.113.192/27; the router has the first address of each.
NETS = {"office": 0xCB0071C0, "dmz": 0xCB0071D0}
HOSTS = {zone: [net + number for number in (2, 3, 4)] for zone, net in NETS.items()}
ZONES = tuple(NETS)
MARK = 253  # a protocol for experiments (RFC 3692); always let through: it tells when all before it have come
_CLONE_NEWNET = 0x40000000
_SECONDS = 20.0


def run(*words: str, text: str = "") -> None:
    subprocess.run(words, input=text, text=True, check=True, capture_output=True)


@contextmanager
def router() -> Iterator[Router]:
    """Make the namespaces and take them down again.

    Raises:
        OSError, subprocess.CalledProcessError: this machine does not let us.
    """
    prefix = f"panshi-pol-{os.getpid()}"
    names = {zone: f"{prefix}-{zone}" for zone in (*ZONES, "fw")}
    made: list[str] = []
    try:
        for name in names.values():
            run("ip", "netns", "add", name)
            made.append(name)
        for zone, net in NETS.items():
            _joined(names["fw"], names[zone], zone, net)
        for key in ("ip_forward=1", "conf.all.rp_filter=0", *(f"conf.{zone}.rp_filter=0" for zone in ZONES)):
            run("ip", "netns", "exec", names["fw"], "sysctl", "-qw", f"net.ipv4.{key}")
        yield Router(names)
    finally:
        for name in made:
            run("ip", "netns", "del", name)


def _joined(router_name: str, host_name: str, zone: str, net: int) -> None:
    peer = ("type", "veth", "peer", "name", "eth0", "netns", host_name)
    run("ip", "-n", router_name, "link", "add", zone, *peer)
    run("ip", "-n", router_name, "address", "add", f"{IPv4Address(net + 1)}/28", "dev", zone)
    run("ip", "-n", router_name, "link", "set", zone, "up")
    for host in HOSTS[zone]:
        run("ip", "-n", host_name, "address", "add", f"{IPv4Address(host)}/28", "dev", "eth0")
    run("ip", "-n", host_name, "link", "set", "eth0", "up")
    run("ip", "-n", host_name, "route", "add", "default", "via", str(IPv4Address(net + 1)))


class Router:
    """The namespaces, a raw socket to send from each zone, and one that sees what comes in."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._senders = {zone: _inside(names[zone], _sender) for zone in ZONES}
        self._ears = {zone: _inside(names[zone], _ear) for zone in ZONES}

    def load(self, document: dict[str, Any]) -> None:
        """Load a policy document, as nftables says it."""
        run("ip", "netns", "exec", self._names["fw"], "nft", "-f", "-", text=ruleset(document))

    def arrived(self, packets: Sequence[Packet]) -> list[bool]:
        """Send packets; return which have arrived."""
        pairs = [(origin, target) for origin in ZONES for target in ZONES if origin != target]
        wanted = {(number, *_ends(one)): number for number, one in enumerate(packets, 1)}
        seen: set[int] = set()
        for origin, target in pairs:
            # Neighbours are found by the first packet to each; those that follow wait for it.
            self._marked(origin, target)
            for number, one in enumerate(packets, 1):
                if (ZONES[one.origin], ZONES[one.target]) == (origin, target):
                    self._send(origin, number, one)
            for number, source, destination, protocol in self._marked(origin, target):
                if (found := wanted.get((number, source, destination, protocol))) is not None:
                    seen.add(found)
        return [number in seen for number in range(1, len(packets) + 1)]

    def _send(self, zone: str, number: int, packet: Packet) -> None:
        protocol, port = divmod(packet.service, 65536)
        ends = {6: struct.pack("!HHIIBBHHH", packet.sport, port, 1, 0, 0x50, 2, 1024, 0, 0),
                17: struct.pack("!HHHH", packet.sport, port, 8, 0),
                1: struct.pack("!BBHHH", 8, 0, 0, 1, 1)}.get(protocol, b"\0" * 8)  # fmt: skip
        self._raw(zone, number, packet.source, packet.destination, protocol, ends)

    def _raw(self, zone: str, number: int, source: int, destination: int, protocol: int, body: bytes) -> None:
        head = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(body), number, 0, 64, protocol, 0, source, destination)
        self._senders[zone].sendto(head + body, (str(IPv4Address(destination)), 0))

    def _marked(self, origin: str, target: str) -> list[tuple[int, int, int, int]]:
        """Send a mark to each host of a zone; return the packets that come before the last of them."""
        for host in HOSTS[target]:
            self._raw(origin, 1, HOSTS[origin][0], host, MARK, b"\0" * 8)
        found = []
        missing = set(HOSTS[target])
        deadline = time.monotonic() + _SECONDS
        ear = self._ears[target]
        while missing:
            left = deadline - time.monotonic()
            assert select.select([ear], [], [], max(0.0, left))[0], "the marks did not come"
            head = ear.recv(2048)[:20]
            number, protocol = struct.unpack("!H", head[4:6])[0], head[9]
            source, destination = struct.unpack("!II", head[12:20])
            if protocol == MARK:
                missing.discard(destination)
            found.append((number, source, destination, protocol))
        return found


def _ends(packet: Packet) -> tuple[int, int, int]:
    return packet.source, packet.destination, packet.service >> 16


def _inside(name: str, make: Any) -> socket.socket:
    """Return a socket of a namespace: a thread of its own enters it, which binds no other thread."""

    def work() -> socket.socket:
        with Path("/run/netns", name).open("rb") as space:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(space.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        found: socket.socket = make()
        return found

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def _sender() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def _ear() -> socket.socket:
    found = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    found.bind(("eth0", 0x0800))
    return found


def ruleset(document: dict[str, Any]) -> str:
    """Return a policy document in nftables' words, made from the document, not from our model of packets."""
    found = ["flush ruleset", "table ip panshi {", "chain forward {"]
    found += ["type filter hook forward priority 0; policy drop;", f"ip protocol {MARK} accept"]
    for policy in document["policies"]:
        if not policy.get("enabled", True):
            continue
        match = []
        for key, word in (("from", "iifname"), ("to", "oifname")):
            match += [] if "any" in policy[key] else [f"{word} {{ {', '.join(policy[key])} }}"]
        for key, word in (("source", "saddr"), ("destination", "daddr")):
            if "any" not in policy[key]:
                texts = {text for name in policy[key] for text in document["addresses"][name]}
                match.append(f"ip {word} {{ {', '.join(sorted(texts))} }}")
        services = ["any"] if "any" in policy["service"] else [
            text for name in policy["service"] for text in document["services"][name]
        ]  # fmt: skip
        verdict = "accept" if policy["action"] == "permit" else "drop"
        found += [" ".join([*match, *_service(text), verdict]) for text in services]
    return "\n".join([*found, "}", "}", ""])


def _service(text: str) -> list[str]:
    if text == "any":
        return []
    what, _, sport = text.partition(" from ")
    protocol, _, port = what.partition("/")
    words = [f"{protocol} sport {sport}"] if sport else []
    words += [f"{protocol} dport {port}"] if port else []
    return words or [f"ip protocol {protocol}"]
