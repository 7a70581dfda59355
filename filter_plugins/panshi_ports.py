"""What listens on a host, and which addresses are inside which networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from panshi.facts.address import Sources
from panshi.facts.packet_filter import ports
from panshi.facts.sockets import parse_listen

# Ports from which the kernel gives out those of clients (net.ipv4.ip_local_port_range): a UDP client shows there.
_EPHEMERAL = 32768
# The DHCP clients' own ports.
_CLIENTS = frozenset({"68/udp", "546/udp"})


def covered(address: str, sources: Iterable[str]) -> bool:
    """Return whether an address is inside one of the addresses, networks or ranges."""
    parsed = ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    one = mapped or parsed
    return bool(Sources.of(one.version, [str(one)]) & Sources.of(one.version, sources))


def listening(text: str) -> list[dict[str, Any]]:
    """Return the end points that other hosts can address, from ``ss -Htulnp``, each once.

    Args:
        text: output of ss.

    Returns:
        ``endpoint`` (``22/tcp``), ``port``, ``proto`` and ``owners`` (process names), sorted by port. Sockets of
        clients are left out: DHCP, and UDP ports that the kernel gives out.
    """
    found: dict[str, dict[str, Any]] = {}
    for socket in parse_listen(text):
        client = socket.endpoint in _CLIENTS or (socket.proto == "udp" and socket.port >= _EPHEMERAL)
        if socket.loopback or client:
            continue
        entry = found.setdefault(
            socket.endpoint,
            {"endpoint": socket.endpoint, "port": socket.port, "proto": socket.proto, "owners": []},
        )
        entry["owners"] = sorted({*entry["owners"], *socket.owners})
    return sorted(found.values(), key=lambda entry: (entry["port"], entry["proto"]))


def endpoints(allowed: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the entries of ``os_firewall_allow`` that have a port as ``443/tcp`` or ``8000-8010/tcp``."""
    return [f"{entry['port']}/{entry['proto']}" for entry in allowed if "port" in entry]


def in_ports(found: Iterable[Mapping[str, Any]], entries: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return what of :func:`listening` is in a list such as ``23/tcp``, ``5900-5909/tcp``."""
    return [one for one in found if any(_inside(one, entry) for entry in entries)]


def not_in_ports(found: Iterable[Mapping[str, Any]], entries: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return what of :func:`listening` is not in such a list."""
    return [one for one in found if not any(_inside(one, entry) for entry in entries)]


def _inside(one: Mapping[str, Any], entry: str) -> bool:
    numbers, _, proto = entry.partition("/")
    span = ports(numbers)
    return proto == one["proto"] and span is not None and span[0] <= one["port"] <= span[1]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {
            "covered": covered,
            "listening": listening,
            "endpoints": endpoints,
            "in_ports": in_ports,
            "not_in_ports": not_in_ports,
        }
