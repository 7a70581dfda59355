"""``nft list ruleset`` output as tables of :mod:`panshi.facts.packet_filter`; the language is that of nft(8).

A verdict map and a set of concatenated keys become one rule per element, so the walk knows plain conditions only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from panshi.facts.packet_filter import Chain, Condition, Rule, Table

_TOKEN = re.compile(r'"[^"]*"|!=|==|<=|>=|[{},]|[^\s{},"]+')
_BLOCK = re.compile(r"(table|chain|set|map|flowtable|counter|quota|limit|secmark|synproxy|ct \w+)\b.*\{$")
_BASE = re.compile(r"type (?P<kind>\w+) hook (?P<hook>\w+)")
_POLICY = re.compile(r"policy (\w+)")
_VERDICTS = frozenset({"accept", "drop", "reject", "queue", "return", "jump", "goto"})
# Words that end the value of a set element.
_ELEMENT_OPTIONS = frozenset({"timeout", "expires", "counter", "comment", "limit", "quota", "last", "ct"})

_TCP, _UDP = Condition("l4proto", ("tcp",)), Condition("l4proto", ("udp",))
_V4, _V6 = Condition("version", ("4",)), Condition("version", ("6",))
# Match key -> (condition key, conditions that come with it).
_KEYS: dict[tuple[str, ...], tuple[str, tuple[Condition, ...]]] = {
    ("iif",): ("iif", ()),
    ("iifname",): ("iif", ()),
    ("meta", "iif"): ("iif", ()),
    ("meta", "iifname"): ("iif", ()),
    ("ip", "saddr"): ("saddr", (_V4,)),
    ("ip6", "saddr"): ("saddr", (_V6,)),
    ("ip", "daddr"): ("daddr", (_V4,)),
    ("ip6", "daddr"): ("daddr", (_V6,)),
    ("ip", "protocol"): ("l4proto", (_V4,)),
    ("ip6", "nexthdr"): ("l4proto", (_V6,)),
    ("meta", "l4proto"): ("l4proto", ()),
    ("meta", "nfproto"): ("version", ()),
    ("meta", "protocol"): ("version", ()),
    ("tcp", "dport"): ("dport", (_TCP,)),
    ("udp", "dport"): ("dport", (_UDP,)),
    ("th", "dport"): ("dport", ()),
    ("tcp", "sport"): ("unknown", (_TCP,)),
    ("udp", "sport"): ("unknown", (_UDP,)),
    ("tcp", "flags"): ("tcpflags", (_TCP,)),
    ("ct", "state"): ("ctstate", ()),
    ("ct", "status"): ("never", ()),
    ("fib", "daddr", "type"): ("dsttype", ()),
    ("pkttype",): ("pkttype", ()),
    ("meta", "pkttype"): ("pkttype", ()),
    ("icmp", "type"): ("unknown", (Condition("l4proto", ("icmp",)),)),
    ("icmp", "code"): ("unknown", (Condition("l4proto", ("icmp",)),)),
    ("icmpv6", "type"): ("unknown", (Condition("l4proto", ("icmpv6",)),)),
    ("icmpv6", "code"): ("unknown", (Condition("l4proto", ("icmpv6",)),)),
    ("ether", "saddr"): ("label", ()),
}
_VERSIONS = {"ipv4": "4", "ip": "4", "ipv6": "6", "ip6": "6"}


@dataclass(frozen=True, slots=True)
class _Element:
    """One element of a set or map: the parts of its key, and the verdict tokens of a verdict map."""

    parts: tuple[str, ...]
    verdict: tuple[str, ...] = ()


@dataclass(slots=True)
class _Raw:
    """A table as text: rule lines per chain and elements per set; rules are read when all sets are known."""

    table: Table
    dormant: bool = False
    lines: dict[str, list[str]] = field(default_factory=dict)
    sets: dict[str, tuple[_Element, ...]] = field(default_factory=dict)


def parse_nft(text: str) -> list[Table]:
    """Return the tables of ``nft list ruleset``, in its order."""
    raws: list[_Raw] = []
    kind = name = ""
    for line in _logical_lines(text):
        if line == "}":
            kind = ""
        elif _BLOCK.match(line):
            words = line.split()
            kind = words[0]
            if kind == "table":
                raws.append(_Raw(Table(words[1], words[2], "nftables")))
            else:
                name = words[1]
                if kind == "chain":
                    raws[-1].table.chains[name] = Chain(name)
                    raws[-1].lines[name] = []
        elif kind == "chain" and (base := _BASE.match(line)):
            chain = raws[-1].table.chains[name]
            policy = _POLICY.search(line)
            chain.kind, chain.hook = base["kind"], base["hook"]
            chain.policy = policy[1] if policy else "accept"
        elif kind == "chain":
            raws[-1].lines[name].append(line)
        elif kind == "table" and line.startswith("flags"):
            raws[-1].dormant = "dormant" in line
        elif kind in ("set", "map") and line.startswith("elements"):
            raws[-1].sets[name] = tuple(_elements(_TOKEN.findall(line.partition("=")[2])))
    active = [raw for raw in raws if not raw.dormant]
    for raw in active:
        for chain_name, lines in raw.lines.items():
            chain = raw.table.chains[chain_name]
            chain.rules = [rule for line in lines for rule in _Reader(_TOKEN.findall(line), raw.sets).rules()]
    return [raw.table for raw in active]


def _logical_lines(text: str) -> Iterator[str]:
    """Yield stripped lines; a set of elements over several lines is joined into one."""
    pending = ""
    for raw in text.splitlines():
        line = re.sub(r"\s+# handle \d+$", "", raw.strip())
        if not line or line.startswith("#"):
            continue
        pending = f"{pending} {line}".strip()
        bare = re.sub(r'"[^"]*"', "", pending)
        if _BLOCK.match(pending) or pending == "}" or bare.count("{") <= bare.count("}"):
            yield pending
            pending = ""


def _elements(tokens: list[str]) -> Iterator[_Element]:
    """Yield the elements of ``{ … }``; options such as ``timeout`` are left out."""
    current: list[str] = []
    for token in tokens[1:]:
        if token not in (",", "}"):
            current.append(token)
            continue
        if current:
            yield _element(current)
        current = []
        if token == "}":
            return


def _element(tokens: list[str]) -> _Element:
    key, verdict = (tokens[: tokens.index(":")], tokens[tokens.index(":") + 1 :]) if ":" in tokens else (tokens, [])
    stop = next((i for i, token in enumerate(key) if token in _ELEMENT_OPTIONS), len(key))
    return _Element(tuple(token.strip('"') for token in key[:stop] if token != "."), tuple(verdict))


@dataclass(slots=True)
class _Reader:
    """Reads the tokens of one rule line from left to right."""

    tokens: list[str]
    sets: Mapping[str, tuple[_Element, ...]]
    at: int = 0

    def rules(self) -> list[Rule]:
        """Return the rule, or the rules that its maps and concatenations stand for."""
        branches: list[list[Rule]] = []
        verdict = target = ""
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token in _VERDICTS:
                verdict, target = token, self._peek(1)
                break
            branches.append(self._match() if self._key() else self._statement(token))
        return [_joined(chosen, verdict, target) for chosen in product(*branches)]

    def _peek(self, ahead: int) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def _key(self) -> tuple[str, ...]:
        """Return the match key that begins here, the longest one, or ()."""
        for size in (3, 2, 1):
            key = tuple(self.tokens[self.at : self.at + size])
            if key in _KEYS:
                return key
        return ()

    def _match(self) -> list[Rule]:
        keys = [self._take_key()]
        while self._peek(0) == ".":
            self.at += 1
            if not self._key():
                return self._unknown()
            keys.append(self._take_key())
        operator = self._peek(0) if self._peek(0) in ("!=", "==", "vmap", "<", ">", "<=", ">=", "&", "map") else ""
        self.at += bool(operator)
        if operator in ("<", ">", "<=", ">=", "&", "map"):
            return self._unknown()
        elements = self._value()
        implied = tuple(condition for key in keys for condition in _KEYS[key][1])
        if elements is None:
            return [Rule((*implied, Condition("unknown")))]
        names = [_KEYS[key][0] for key in keys]
        if operator == "vmap":
            return [
                Rule((*implied, *_conditions(names, element, False)), element.verdict[0], element.verdict[-1])
                for element in elements
                if element.verdict
            ]
        if len(names) > 1:
            if operator == "!=":
                return [Rule((*implied, Condition("unknown")))]
            return [Rule((*implied, *_conditions(names, element, False))) for element in elements]
        merged = _Element(tuple(part for element in elements for part in element.parts))
        return [Rule((*implied, _condition(names[0], merged.parts, operator == "!=")))]

    def _take_key(self) -> tuple[str, ...]:
        key = self._key()
        self.at += len(key)
        return key

    def _value(self) -> tuple[_Element, ...] | None:
        """Read a value, a list ``a,b``, ``flags / mask``, ``{ … }`` or ``@set``; None for a set that is not listed."""
        first = self._peek(0)
        if first == "{":
            end = self.tokens.index("}", self.at)
            body, self.at = self.tokens[self.at : end + 1], end + 1
            return tuple(_elements(body))
        self.at += 1
        if first.startswith("@"):
            return self.sets.get(first[1:], ()) if first[1:] in self.sets else None
        values = [first]
        while self._peek(0) in (",", "/"):
            values += [self._peek(0), self._peek(1)] if self._peek(0) == "/" else [self._peek(1)]
            self.at += 2
        if self._peek(0) == ".":
            # a single concatenated value without braces
            while self._peek(0) == ".":
                values.append(self._peek(1))
                self.at += 2
            return (_Element(tuple(value.strip('"') for value in values)),)
        return tuple(_Element((value.strip('"'),)) for value in values)

    def _statement(self, token: str) -> list[Rule]:
        """Step over something that is no match of a known key; what may be a match becomes ``unknown``."""
        self.at += 1
        if token == "counter":
            self.at += 4 if self._peek(0) == "packets" else 2 if self._peek(0) == "name" else 0
        elif token == "log":
            while self._peek(0) in ("prefix", "level", "group", "flags", "snaplen", "queue-threshold"):
                self.at += 2
        elif token == "comment":
            self.at += 1
        elif token in ("add", "update", "delete") and self._peek(0).startswith("@"):
            return self._set_statement()
        elif token == "fib":
            # its operands (saddr . iif) look like match keys and are none
            while self.at < len(self.tokens) and self._peek(0) not in _VERDICTS:
                self.at += 1
            return [Rule((Condition("unknown"),))]
        elif token not in ("notrack", "continue"):
            return self._unknown()
        return [Rule()]

    def _set_statement(self) -> list[Rule]:
        """``add @name { … }`` always goes on, unless a limit stands in its braces."""
        end = self.tokens.index("}", self.at) if "}" in self.tokens[self.at :] else len(self.tokens) - 1
        body, self.at = self.tokens[self.at : end + 1], end + 1
        return self._unknown() if {"limit", "ct", "quota"} & set(body) else [Rule()]

    def _unknown(self) -> list[Rule]:
        """Skip to the next thing that is understood and let the rule match only perhaps."""
        while self.at < len(self.tokens) and self.tokens[self.at] not in _VERDICTS and not self._key():
            self.at += 1
        return [Rule((Condition("unknown"),))]


def _conditions(names: list[str], element: _Element, negated: bool) -> tuple[Condition, ...]:
    return tuple(_condition(name, (part,), negated) for name, part in zip(names, element.parts, strict=False))


def _condition(name: str, values: tuple[str, ...], negated: bool) -> Condition:
    if name == "tcpflags":
        return _tcp_flags(values, negated)
    if name == "label":
        return Condition("label", tuple(f"MAC 地址 {value}" for value in values), negated)
    if "*" in values and name != "iif":  # the catch-all element of a map
        return Condition("unknown")
    if name == "version":
        return Condition(name, tuple(_VERSIONS.get(value, value) for value in values), negated)
    return Condition(name, values, negated)


def _tcp_flags(values: tuple[str, ...], negated: bool) -> Condition:
    """``flags / mask``: the first packet of a connection carries SYN and nothing else."""
    if "/" not in values:
        return Condition("unknown")
    at = values.index("/")
    return Condition("unknown") if at + 1 >= len(values) else _masked(set(values[:at]), set(values[at + 1 :]), negated)


def _masked(wanted: set[str], mask: set[str], negated: bool) -> Condition:
    return Condition("never", negated=({"syn"} & mask == wanted) != negated)


def _joined(chosen: tuple[Rule, ...], verdict: str, target: str) -> Rule:
    """Join the conditions of one branch; the verdict of a map element comes before that of the line."""
    conditions = tuple(condition for rule in chosen for condition in rule.conditions)
    mapped = next((rule for rule in chosen if rule.verdict), None)
    if mapped is not None:
        verdict, target = mapped.verdict, mapped.target
    return Rule(conditions, verdict, target if verdict in ("jump", "goto") else "")
