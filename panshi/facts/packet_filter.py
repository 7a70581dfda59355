"""The packet filter as one rule set, and the one question put to it: from where can a new connection come in?

nftables and iptables are parsed (``nft.py``, ``iptables.py``) into the same tables, chains and rules. A packet is then
walked through every base chain that inbound traffic passes, with the source address left open: the answer is the set
of sources that get through. What a parser or the walk does not understand is taken as "may match": such a rule can
let in but never keeps out, so a reachable port is never reported as closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import ip_address

from panshi.facts.address import Sources

LAST_PORT = 65535
_PROTOCOL_NUMBERS = {"6": "tcp", "17": "udp"}
_SERVICES = {"ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "http": 80, "sunrpc": 111, "https": 443}
_ACCEPTING = frozenset({"accept", "queue"})
_DROPPING = frozenset({"drop", "reject"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One match of a rule.

    Args:
        key: ``iif``, ``saddr``, ``daddr``, ``l4proto``, ``dport``, ``ctstate``, ``version``, ``dsttype``, ``pkttype``,
            ``never``, ``unknown``, or ``label``: limits the source by something that is no address (a MAC address,
            an ipset whose members were not collected).
        values: the alternatives, as text.
        negated: whether the match is inverted.
    """

    key: str
    values: tuple[str, ...] = ()
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions that must all match, and what happens then.

    Args:
        conditions: all of them.
        verdict: accept, drop, reject, queue, return, jump, goto, or "" for a rule that decides nothing.
        target: the chain of a jump or goto.
    """

    conditions: tuple[Condition, ...] = ()
    verdict: str = ""
    target: str = ""


@dataclass(slots=True)
class Chain:
    """A chain; ``hook`` is empty for one that is only jumped to."""

    name: str
    kind: str = ""
    hook: str = ""
    policy: str = "accept"
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class Table:
    """A table of one family (ip, ip6, inet, …); ``origin`` names the parser, for the verdict."""

    family: str
    name: str
    origin: str
    chains: dict[str, Chain] = field(default_factory=dict)

    def versions(self) -> tuple[int, ...]:
        """Return the IP versions whose packets pass the table at the host's own hooks."""
        return {"ip": (4,), "ip6": (6,), "inet": (4, 6)}.get(self.family, ())


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection from somewhere to this host.

    Args:
        version: 4 or 6.
        proto: tcp or udp.
        port: destination port.
        interface: by which it comes in.
        addresses: the host's own addresses; empty when not known.
    """

    version: int
    proto: str
    port: int
    interface: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """From where a packet gets through.

    Args:
        sources: at most these addresses.
        labels: and sources that are limited by something else than an address.
    """

    sources: Sources
    labels: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether anything gets through."""
        return bool(self.sources) or bool(self.labels)

    @property
    def text(self) -> str:
        """Return the sources in Chinese."""
        names = ([self.sources.text()] if self.sources else []) + sorted(self.labels)
        return "、".join(names) or "无"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All tables of a host's network namespace.

    Args:
        tables: in no particular order; a packet has to pass the base chains of all of them.
        unread: IP versions whose rules exist, or may exist, and were not collected.
    """

    tables: tuple[Table, ...]
    unread: frozenset[int] = frozenset()

    def base_chains(self, version: int) -> Iterator[tuple[Table, Chain]]:
        """Yield the filter chains that an inbound packet of an IP version passes on its way to a local process."""
        for table in self.tables:
            if version in table.versions():
                for chain in table.chains.values():
                    if chain.hook in ("prerouting", "input") and chain.kind in ("filter", ""):
                        yield table, chain

    def reach(self, packet: Packet) -> Reach:
        """Return from where a packet gets through all base chains; rules that were not read count as a label."""
        if packet.version in self.unread:
            return Reach(Sources(packet.version), frozenset({f"未采集的 IPv{packet.version} 规则"}))
        reach = Reach(Sources.every(packet.version))
        for table, chain in self.base_chains(packet.version):
            passed = _walk(table, chain, packet, reach.sources)
            labels = passed.labels
            if reach.labels:
                labelled = _walk(table, chain, packet, Sources.every(packet.version))
                labels |= labelled.labels | (reach.labels if labelled else frozenset())
            reach = Reach(passed.sources, labels)
        return reach

    def unlisted_port(self) -> int:
        """Return a port that no rule names (or that the fewest rules name): the packet that meets the default."""
        spans = [span for table in self.tables for span in _port_spans(table)]
        candidates = sorted({1, *(high + 1 for _, high in spans if high < LAST_PORT)})
        return min(candidates, key=lambda port: sum(low <= port <= high for low, high in spans))


def ports(value: str) -> tuple[int, int] | None:
    """Return (first, last) of a port, a range (``a-b``, ``a:b``) or a common service name, else None."""
    low, _, high = value.replace(":", "-").partition("-")
    numbers = [str(_SERVICES.get(part, part)) for part in (low, high or low)]
    return (int(numbers[0]), int(numbers[1])) if all(n.isdigit() for n in numbers) else None


def _port_spans(table: Table) -> Iterator[tuple[int, int]]:
    for chain in table.chains.values():
        for rule in chain.rules:
            for condition in rule.conditions:
                if condition.key == "dport":
                    yield from (span for value in condition.values if (span := ports(value)) is not None)


def _walk(table: Table, chain: Chain, packet: Packet, incoming: Sources) -> Reach:
    walker = _Walker(table.chains, packet)
    rest = walker.run(chain.name, incoming, 0)
    accepted = walker.accepted | rest if chain.policy == "accept" else walker.accepted
    return Reach(accepted, frozenset(walker.labels))


class _Walker:
    """Collects what is accepted on the way through the chains of one table."""

    def __init__(self, chains: Mapping[str, Chain], packet: Packet) -> None:
        self.chains, self.packet = chains, packet
        self.accepted = Sources(packet.version)
        self.labels: set[str] = set()

    def run(self, name: str, incoming: Sources, depth: int) -> Sources:
        """Walk a chain; return the sources that may leave it undecided."""
        rest, returned = incoming, Sources(self.packet.version)
        # the kernel itself refuses deeper jumps (NFT_JUMP_STACK_SIZE is 16)
        if name not in self.chains or depth > 16:
            return incoming
        for rule in self.chains[name].rules:
            must, may, labels = _matching(rule.conditions, self.packet)
            hit = rest & may
            if labels:
                self._labelled(rule, labels, hit, depth)
            elif hit and rule.verdict in _ACCEPTING:
                self.accepted |= hit
                rest -= must
            elif rule.verdict in _DROPPING:
                rest -= must
            elif rule.verdict == "return":
                returned |= hit
                rest -= must
            elif hit and rule.verdict in ("jump", "goto"):
                left = self.run(rule.target, hit, depth + 1)
                rest -= must
                if rule.verdict == "goto":
                    returned |= left
                else:
                    rest |= left
        return rest | returned

    def _labelled(self, rule: Rule, labels: set[str], hit: Sources, depth: int) -> None:
        """Note that a source limited by a label gets in; the label takes nothing from the other sources."""
        if hit and rule.verdict in _ACCEPTING:
            self.labels |= labels
        elif hit and rule.verdict in ("jump", "goto"):
            inner = _Walker(self.chains, self.packet)
            inner.run(rule.target, hit, depth + 1)
            if inner.accepted or inner.labels:
                self.labels |= labels


def _matching(conditions: Iterable[Condition], packet: Packet) -> tuple[Sources, Sources, set[str]]:
    """Return the sources for which all conditions surely match, those for which they may, and labels."""
    must = may = Sources.every(packet.version)
    nothing = Sources(packet.version)
    labels: set[str] = set()
    for condition in conditions:
        if condition.key == "label" and not condition.negated:
            labels.update(condition.values)
        elif condition.key == "saddr":
            limit = _sources(condition, packet.version)
            if limit is None:
                must = nothing
            else:
                must, may = must & limit, may & limit
        else:
            answer = _answer(condition, packet)
            if answer is None:
                must = nothing
            elif not answer:
                return nothing, nothing, set()
    return must, may, labels


def _sources(condition: Condition, version: int) -> Sources | None:
    try:
        found = Sources.of(version, condition.values)
    except ValueError:
        return None
    return ~found if condition.negated else found


def _answer(condition: Condition, packet: Packet) -> bool | None:
    """Return whether a condition on anything but the source holds; None when that cannot be said."""
    plain = _plain_answer(condition, packet)
    return plain if plain is None else plain != condition.negated


def _plain_answer(condition: Condition, packet: Packet) -> bool | None:
    values = condition.values
    match condition.key:
        case "never":
            return False
        case "iif":
            return any(fnmatchcase(packet.interface, value) for value in values)
        case "l4proto":
            return any(_PROTOCOL_NUMBERS.get(v, v) in (packet.proto, "all") for v in values)
        case "version":
            return str(packet.version) in values
        case "ctstate":
            return "new" in values
        case "dsttype":
            return "local" in values
        case "pkttype":
            return "host" in values or "unicast" in values
        case "dport":
            spans = [ports(value) for value in values]
            hit = any(span is not None and span[0] <= packet.port <= span[1] for span in spans)
            return True if hit else (None if None in spans else False)
        case "daddr":
            return _destination(values, packet)
    return None


def _destination(values: tuple[str, ...], packet: Packet) -> bool | None:
    own = [address for address in packet.addresses if ip_address(address).version == packet.version]
    try:
        wanted = Sources.of(packet.version, values)
    except ValueError:
        return None
    hits = {bool(wanted & Sources.of(packet.version, [address])) for address in own}
    return hits.pop() if len(hits) == 1 else None
