"""Listening sockets and who owns them, from ``ss -tulnp`` (or the same shape made from ``/proc/net``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from panshi.facts.model import Facts

_OWNER = re.compile(r'\("(?P<name>[^"]+)",(?:pid=)?(?P<pid>\d+)')
_WILDCARDS = ("*", "0.0.0.0", "::", "")


@dataclass(frozen=True, slots=True)
class Socket:
    """One socket that waits for a peer.

    Args:
        proto: ``tcp`` or ``udp``.
        address: local address without brackets and zone; ``*`` when bound to all addresses of both families.
        port: local port number.
        owners: names of the processes that hold it, without doubles; empty when the kernel did not say.
        pids: their process ids.
    """

    proto: str
    address: str
    port: int
    owners: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()

    @property
    def wildcard(self) -> bool:
        """Whether it accepts peers on every address of a family."""
        return self.address in _WILDCARDS

    @property
    def loopback(self) -> bool:
        """Whether only the host itself can reach it (127.0.0.0/8, ::1, also mapped into IPv6)."""
        if self.wildcard:
            return False
        address = ip_address(self.address)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            return address.ipv4_mapped.is_loopback
        return address.is_loopback

    @property
    def endpoint(self) -> str:
        """The port as the catalogue writes it, for example ``23/tcp``."""
        return f"{self.port}/{self.proto}"

    @property
    def activated(self) -> bool:
        """Whether systemd alone holds it and starts the service when a peer comes."""
        return bool(self.pids) and set(self.pids) == {1}

    @property
    def text(self) -> str:
        """The socket in one Chinese phrase: end point, address and owner."""
        where = "所有地址" if self.wildcard else self.address
        who = "systemd 套接字激活" if self.activated else "、".join(self.owners) or "进程未知"
        return f"{self.endpoint}（{where}，{who}）"


def parse_listen(text: str) -> tuple[Socket, ...]:
    """Return the listening sockets of ``ss -tulnp`` output, with or without a header line.

    Understands the bracketed addresses of today's iproute2 and the bare ones (``:::22``, ``::1:25``) of EL7.
    """
    sockets = []
    for line in text.splitlines():
        fields = line.split(None, 6)
        if len(fields) < 6 or fields[0] not in ("tcp", "udp"):
            continue
        address, _, port = fields[4].rpartition(":")
        if not port.isdigit():
            continue
        owners = _OWNER.findall(fields[6]) if len(fields) > 6 else []
        sockets.append(
            Socket(
                proto=fields[0],
                address=re.sub(r"%[^\]]+", "", address).strip("[]"),
                port=int(port),
                owners=tuple(dict.fromkeys(name for name, _ in owners)),
                pids=tuple(dict.fromkeys(int(pid) for _, pid in owners)),
            )
        )
    return tuple(sockets)


def listening(facts: Facts) -> tuple[Socket, ...]:
    """Return every listening socket of the host.

    Raises:
        FactMissing: when sockets could not be listed.
    """
    return parse_listen(facts.out("net.listen"))


def reachable(facts: Facts) -> tuple[Socket, ...]:
    """Return the listening sockets that a peer outside the host can address (all but loopback)."""
    return tuple(socket for socket in listening(facts) if not socket.loopback)
