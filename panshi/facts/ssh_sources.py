"""From where SSH lets in: the packet filter, sshd's own AllowUsers, and TCP wrappers where sshd still asks them.

Each layer is a set of sources that it lets through; a connection has to pass all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from panshi.facts import sockets, sshd
from panshi.facts.address import BITS, Sources
from panshi.facts.firewall import addresses_by_interface, ruleset
from panshi.facts.model import Facts
from panshi.facts.packages import installed
from panshi.facts.packet_filter import Packet, Reach

_CLIENTS = re.compile(r"(?:\[[^\]]*\]|[^:\[])*")


@dataclass(frozen=True, slots=True)
class Door:
    """One way to an SSH port: IP version, port and interface, and what each layer lets through there."""

    version: int
    port: int
    interface: str
    layers: tuple[tuple[str, Reach], ...]

    @property
    def reach(self) -> Reach:
        """Return the sources that pass every layer."""
        passed = self.layers[0][1]
        for _, layer in self.layers[1:]:
            passed = _both(passed, layer)
        return passed

    @property
    def limiting(self) -> list[str]:
        """Return the layers that keep some sources out."""
        return [name for name, reach in self.layers if not reach.sources.everything]


def _both(left: Reach, right: Reach) -> Reach:
    """Join two layers; a label stands for an unknown part of the addresses, so it narrows and never adds."""
    labels = left.labels | right.labels
    sources = left.sources & right.sources
    if left.labels and not left.sources:
        return Reach(Sources(left.sources.version), labels if right else frozenset())
    if right.labels and not right.sources:
        return Reach(Sources(left.sources.version), labels if left else frozenset())
    return Reach(sources, labels)


def doors(facts: Facts) -> list[Door]:
    """Return every way in which the listening sshd can be reached from another host.

    Loopback listeners do not count, nor does IPv6 on an interface that has only link-local addresses: nobody
    outside the segment can use it.

    Raises:
        FactMissing: when sockets, addresses or the packet filter could not be read.
    """
    if not sshd.installed(facts):
        return []
    found = []
    rules = ruleset(facts)
    by_interface = addresses_by_interface(facts.out("net.addresses"))
    users, wrapped = _allow_users(facts), _tcp_wrappers(facts)
    for version, port, interface in sorted(_listening(facts, by_interface)):
        packet = Packet(version, "tcp", port, interface, by_interface[interface])
        layers = [("防火墙", rules.reach(packet))]
        layers += [(name, layer[version]) for name, layer in (("sshd", users), ("TCP Wrappers", wrapped)) if layer]
        found.append(Door(version, port, interface, tuple(layers)))
    return found


def _listening(facts: Facts, by_interface: dict[str, tuple[str, ...]]) -> set[tuple[int, int, str]]:
    found: set[tuple[int, int, str]] = set()
    ports = {int(port) for port in sshd.effective(facts).get("port", ())}
    for socket in sockets.reachable(facts):
        if socket.proto != "tcp" or not (socket.port in ports or "sshd" in socket.owners):
            continue
        for interface, addresses in by_interface.items():
            for text in addresses:
                address = ip_address(text)
                if address.version == 6 and address.is_link_local:
                    continue
                if socket.address == "*" or (
                    (":" in socket.address) == (address.version == 6) if socket.wildcard else socket.address == text
                ):
                    found.add((address.version, socket.port, interface))
    return found


def _allow_users(facts: Facts) -> dict[int, Reach] | None:
    """Return what ``AllowUsers`` lets through, when every pattern of it names a host part (sshd_config(5))."""
    words = [word for value in sshd.effective(facts).get("allowusers", ()) for word in value.split()]
    patterns = [word for word in words if not word.startswith("!")]
    hosts = [pattern.rpartition("@")[2] if "@" in pattern else "*" for pattern in patterns]
    return _by_version(hosts, "sshd") if hosts else None


def _tcp_wrappers(facts: Facts) -> dict[int, Reach] | None:
    """Return what hosts.allow and hosts.deny let through (hosts_access(5)); None where sshd does not ask them."""
    if not _asks_wrappers(facts):
        return None
    allow = list(_wrapper_lines(facts.text("/etc/hosts.allow")))
    deny = list(_wrapper_lines(facts.text("/etc/hosts.deny")))
    if not any("ALL" in clients for clients in deny):
        return None
    return _by_version([{"ALL": "*"}.get(client, client) for clients in allow for client in clients], "hosts.allow")


def _asks_wrappers(facts: Facts) -> bool:
    """Return whether this sshd is linked with libwrap.

    Debian's openssh-server depends on libwrap0 (seen in 11, 12 and 13); EL7 is the last of its family to link it and
    has OpenSSH 7.4. Elsewhere hosts.deny is no control, whatever is in it.
    """
    packages = installed(facts)
    if "libwrap0" in packages:
        return True
    server = packages.get("openssh-server")
    return (
        "tcp_wrappers-libs" in packages
        and server is not None
        and re.search(r"[:^]?[67]\.\d", server.version) is not None
    )


def _wrapper_lines(text: str) -> Iterator[list[str]]:
    """Yield the clients of every line that speaks of sshd or of all services."""
    for line in text.replace("\\\n", " ").splitlines():
        daemons, colon, rest = line.split("#", 1)[0].partition(":")
        if colon and {"sshd", "ALL"} & set(re.split(r"[\s,]+", daemons.strip())):
            # the client list ends at the next colon outside brackets; what EXCEPT takes away again is not counted
            clients = _CLIENTS.match(rest)
            listed = clients[0].partition(" EXCEPT ")[0] if clients else ""
            yield [word for word in re.split(r"[\s,]+", listed) if word]


def _by_version(hosts: Iterable[str], origin: str) -> dict[int, Reach]:
    names = list(hosts)
    return {version: _reach(names, version, origin) for version in BITS}


def _reach(hosts: list[str], version: int, origin: str) -> Reach:
    sources, labels = Sources(version), set()
    for host in hosts:
        network = _network(host)
        if host in ("*", "*.*.*.*"):
            return Reach(Sources.every(version))
        if network is None:
            labels.add(f"{origin} 中的 {host}")
        else:
            sources |= Sources.of(version, [network])
    return Reach(sources, frozenset(labels))


def _network(host: str) -> str | None:
    """Return a client pattern as a network: an address, ``net/bits``, ``net/mask``, ``192.0.2.`` or ``192.0.2.*``."""
    text = host.replace("[", "").replace("]", "")
    prefix = re.fullmatch(r"((?:\d+\.){1,3})\*?", text)
    if prefix is not None:
        parts = prefix[1].rstrip(".").split(".")
        return ".".join([*parts, *["0"] * (4 - len(parts))]) + f"/{8 * len(parts)}"
    try:
        Sources.of(4, [text])
    except ValueError:
        return None
    return text
