"""What the checks ask of a network device, whatever its vendor: effective values, each with where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Generic, TypeVar

from panshi.facts.model import FactMissing

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """An effective value.

    Args:
        answer: in the unit that the question names; None where it cannot be known.
        where: the configuration line, the display command, or the hidden default with its source (Chinese); why it
            cannot be known, where it cannot.
    """

    answer: T | None
    where: str

    @property
    def value(self) -> T:
        """Return the answer.

        Raises:
            FactMissing: when there is none, so that whoever needs it cannot take silence for a value.
        """
        if self.answer is None:
            raise FactMissing(self.where)
        return self.answer

    def to(self, change: Callable[[T], U]) -> Known[U]:
        """Return the answer in another form, unknown where it was."""
        return Known(None if self.answer is None else change(self.answer), self.where)


class Auth(StrEnum):
    """How a login line asks who is there."""

    AAA = "AAA"
    LOCAL = "本地用户"
    PASSWORD = "仅口令"
    NONE = "不认证"
    CLOSED = "不能登录"


NAMED = frozenset({Auth.AAA, Auth.LOCAL, Auth.CLOSED})


class Stored(StrEnum):
    """How a device keeps a password."""

    HASH = "散列"
    WEAK_HASH = "弱散列"
    REVERSIBLE = "可逆加密"
    UNCLEAR = "cipher 形式，看不出是否可逆"
    PLAIN = "明文"
    NONE = "没有口令"


@dataclass(frozen=True, slots=True)
class Line:
    """One login line, or a range of them, of one kind.

    Args:
        kind: console, aux or vty.
        name: as configured, for example ``vty 0 4``.
        auth: how it asks; several on one line do not exist.
        idle: seconds without input after which it is closed; 0 never.
        protocols: what it lets in, only of telnet and ssh; empty for other lines.
        acl: number or name of the list that limits sources; "" for none.
    """

    kind: str
    name: str
    auth: Known[Auth]
    idle: Known[int]
    protocols: Known[frozenset[str]]
    acl: str = ""

    @property
    def open(self) -> bool:
        """Return whether somebody could log in here; what is not known counts as open."""
        shut = self.kind == "vty" and self.protocols.answer is not None and not self.protocols.answer
        return self.auth.answer is not Auth.CLOSED and not shut


@dataclass(frozen=True, slots=True)
class Account:
    """One local account for the management of the device.

    Args:
        name: login.
        role: level or role as the device writes it ("15", "network-admin"); "" where none is given.
        rank: admin, operator, auditor or none, by that role.
        stored: how its password is kept.
        services: what it may log in by; empty where the device does not tell them apart.
    """

    name: str
    role: str
    rank: str
    stored: Stored
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lockout:
    """What happens after wrong passwords.

    Args:
        failures: in a row before the lock; 0 when nothing is locked.
        seconds: of the lock, at least; 0 until an administrator opens it.
    """

    failures: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Community:
    """An SNMP v1/v2c community; its word has stayed on the device.

    Args:
        name: how reports tell it from the others ("第 1 个").
        known: whether everybody knows the word (public, private); None when it could not be seen.
        write: whether it can change the device.
        acl: list that limits sources; "" for none.
    """

    name: str
    known: bool | None
    write: bool
    acl: str


@dataclass(frozen=True, slots=True)
class Snmp:
    """The SNMP agent.

    Args:
        on: whether it answers.
        old: whether v1 or v2c is answered.
        communities: of v1 and v2c.
        open_groups: names of v3 groups that do without authentication or encryption.
        groups: number of v3 groups.
    """

    on: bool
    old: bool
    communities: tuple[Community, ...]
    open_groups: tuple[str, ...]
    groups: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a filter.

    Args:
        line: as configured, numbers and names included.
        permit: whether it lets through.
        named: which of protocol, source, destination and port it limits.
        conditional: whether something else limits it: a time, a zone, fragments, a user.
        source: addresses that it is about, None for any, or where they are not in the rule itself.
    """

    line: str
    permit: bool
    named: frozenset[str]
    conditional: bool = False
    source: IPv4Network | IPv6Network | None = None

    @property
    def any(self) -> bool:
        """Return whether it lets through, or refuses, everything; at some times or places is enough to let through."""
        return not self.named and (self.permit or not self.conditional)


@dataclass(frozen=True, slots=True)
class Filter:
    """A packet filter in force.

    Args:
        name: of the list or policy.
        where: interfaces and directions, or the zones.
        rules: in the order of the device, without disabled ones.
        rest: what becomes of a packet that no rule matches: True is let through.
        advanced: whether it can look at more than the source.
    """

    name: str
    where: str
    rules: tuple[Rule, ...]
    rest: Known[bool]
    advanced: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A routing or redundancy session.

    Args:
        name: for example ``ospf 1 area 0.0.0.0`` or ``bgp 192.0.2.1``.
        proof: digest, plain, none, or interface when only single interfaces say it.
        where: the line.
    """

    name: str
    proof: str
    where: str


@dataclass(frozen=True, slots=True)
class AccessPort:
    """A port for end systems.

    Args:
        name: of the interface.
        nac: the line that limits who may be there, "" for none.
        snooping: whether DHCP is watched here.
        arp: whether addresses are held against what was leased or bound.
    """

    name: str
    nac: str
    snooping: bool
    arp: bool


@dataclass(frozen=True, slots=True)
class Port:
    """A physical port as the device shows it now.

    Args:
        name: as shown, possibly short.
        enabled: not shut down by an administrator.
        up: whether there is a link.
        description: "" for none or where the display has none.
    """

    name: str
    enabled: bool
    up: bool
    description: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A service that a device rarely needs.

    Args:
        name: as the device calls it.
        on: whether it runs.
        grave: whether it is a finding in itself; else it is one to be confirmed.
    """

    name: str
    on: Known[bool]
    grave: bool = True
