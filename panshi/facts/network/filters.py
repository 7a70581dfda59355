"""Rules of access lists and security policies, in the two languages that the platforms speak (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network

from panshi.facts.network.model import Rule
from panshi.facts.network.section import Section

_PORT = frozenset({"eq", "gt", "lt", "neq", "range"})
_LOGGED = frozenset({"log", "log-input"})
# What may follow the action of a rule that names no protocol.
_NO_PROTOCOL = r"(?:source|destination|time-range|fragment|logging|counting|log|vpn-instance|vlan)\b"
# Conditions of a zone policy that name what a rule is about; zones, users and times do not.
_CONDITIONS = (
    ("source", r"(?:source-address|source-ip(?:-host|-subnet|-range)?) (?!any$)"),
    ("destination", r"(?:destination-address|destination-ip(?:-host|-subnet|-range)?) (?!any$)"),
    ("protocol", r"(?:service|service-port|application) (?!any$)"),
    ("port", r"(?:service|service-port|application) (?!any$)"),
)
# What else a zone policy's rule may be limited to.
_ELSEWHERE = r"(?:source-zone|destination-zone|time-range|user|vrf|vpn-instance|url-category) (?!any$)"
# What is left of a rule for everything, when it has no condition of another kind.
_PLAIN = re.compile(r"(?: (?:source|destination) (?:any|0\.0\.0\.0 255\.255\.255\.255)| logging| counting| log)*")


def rule_h(line: str) -> Rule | None:
    """Return a rule of Huawei or H3C (``rule 5 permit tcp source …``), None for a line that is none."""
    found = re.match(rf"rule (?:\d+ )?(?:name \S+ )?(permit|deny)(?: (?!{_NO_PROTOCOL})(\S+))?(.*)", line)
    if not found:
        return None
    named = set()
    if found[2] and found[2] not in ("ip", "ipv6", "any"):
        named.add("protocol")
    for side in ("source", "destination"):
        if re.search(rf" {side} (?!any\b|0\.0\.0\.0 255\.255\.255\.255)\S+", line):
            named.add(side)
    if " destination-port " in line or " icmp-type " in line:
        named.add("port")
    if " established" in line or re.search(r" tcp-flag\b", line):
        named.add("port")
    said = re.search(r" source (\S+(?: [\d.]+(?!\S))?)", line)
    source = _network(said[1].split()) if said else None
    return Rule(line, found[1] == "permit", frozenset(named), not _PLAIN.fullmatch(found[3]), source)


def _network(words: Sequence[str]) -> IPv4Network | IPv6Network | None:
    """Return the addresses in the words of a rule; None for any, for a group, or for a mask with holes."""
    address, mask = [*words, "0"][:2]
    if address == "host":
        address, mask = mask, "0"
    try:
        return ip_network(address if "/" in address else f"{address}/{_length(address, mask)}", strict=False)
    except ValueError:
        return None


def _length(address: str, mask: str) -> int:
    """Return the length of a prefix that is written as an inverse mask, or for IPv6 as a number.

    Raises:
        ValueError: the mask has holes.
    """
    if ":" in address:
        return int(mask) or 128
    free = int(IPv4Address(mask)) if "." in mask else int(mask)
    if free & (free + 1):
        raise ValueError(mask)
    return 32 - free.bit_length()


def rule_c(line: str, advanced: bool) -> Rule | None:
    """Return an entry of Cisco or Ruijie (``10 permit tcp any host …``), None for a remark or a head."""
    found = re.match(r"(?:access-list \S+ )?(?:\d+ )?(permit|deny) (.+)", line)
    if not found:
        return None
    words = found[2].split()
    if not advanced:
        limited, rest = _address(words)
        named = {"source"} if limited else set()
        source = _network(words[: len(words) - len(rest)])
        return Rule(line, found[1] == "permit", frozenset(named), bool(set(rest) - _LOGGED), source)
    named = set() if words[0] in ("ip", "ipv6") else {"protocol"}
    rest = words[1:]
    source = _network(rest[: len(rest) - len(_address(rest)[1])])
    for side in ("source", "destination"):
        limited, rest = _address(rest)
        named |= {side} if limited else set()
        port, rest = _ports(rest)
        if port and side == "destination":
            named.add("port")
    if "established" in rest or "echo" in rest or "echo-reply" in rest:
        named.add("port")
    return Rule(line, found[1] == "permit", frozenset(named), bool(set(rest) - _LOGGED), source)


def _address(words: Sequence[str]) -> tuple[bool, Sequence[str]]:
    """Return whether an address limits anything, and what follows it."""
    if not words or words[0] == "any":
        return False, words[1:]
    if "/" in words[0]:
        return not words[0].endswith("/0"), words[1:]
    if words[1:2] in ([], ["log"]):
        return True, words[1:]  # a host, as a standard list may write it
    return words[1:2] != ["255.255.255.255"], words[2:]


def _ports(words: Sequence[str]) -> tuple[bool, Sequence[str]]:
    if not words or words[0] not in _PORT:
        return False, words
    return True, words[3 if words[0] == "range" else 2 :]


def rule_z(name: str, part: Section) -> Rule | None:
    """Return a rule of a zone policy (USG, SecPath), None while it is disabled.

    Args:
        name: of the rule.
        part: its section. Without ``action`` the rule lets nothing through.
    """
    if part.has(r"disable$"):
        return None
    permit = part.has(r"action (permit|pass)$")
    named = frozenset(what for what, pattern in _CONDITIONS if part.has(pattern))
    return Rule(f"rule {name}", permit, named, part.has(_ELSEWHERE))
