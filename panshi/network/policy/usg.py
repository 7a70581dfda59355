"""The security policy of Huawei USG firewalls.

Sources: the order of rules and ``rule move … after|before`` [D: command reference, security policy view]; a rule
without a condition on a side matches everything there, a new rule is appended, ``disable`` and ``rule rename`` [K].
Whether a rule without ``action`` denies or does nothing is not known; neither opens anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

from panshi.network.config.tree import Node, parse
from panshi.network.policy.dialect import (
    Dialect,
    Known,
    built,
    is_any_port,
    literal,
    network_words,
    not_understood,
    protocol_number,
    protocol_word,
    read_time,
    span_of,
    time_line,
)
from panshi.network.policy.firewall import (
    OBJECT,
    PREDEFINED,
    Firewall,
    FirewallRule,
    literals,
    service_of,
    service_text,
)
from panshi.network.policy.model import Schedule, Service, address_span
from panshi.network.policy.space import LAST_PORT, Spans, spans
from panshi.network.policy.steps import Place

_SIDE_WORDS = {
    "origin": "source-zone",
    "target": "destination-zone",
    "source": "source-address",
    "destination": "destination-address",
    "service": "service",
}
# What a rule may hold besides its conditions and does not change which packets it matches.
_HARMLESS = ("session logging", "traffic logging", "profile ", "long-link ")


class Usg(Dialect):
    """Huawei USG."""

    view = "security-policy"
    logging = "policy logging"

    def object_lines(self, kind: str, name: str, new: Firewall) -> list[str]:
        """Return the definition of an object."""
        if kind == "schedule":
            return [time_line(name, new.schedules[name])]
        if kind == "address":
            found = [f"address {i} {_address(one)}" for i, one in enumerate(literals(new.addresses[name]))]
            return [f"ip address-set {name} type object", *found, "quit"]
        found = [f"service {i} {_service(one)}" for i, one in enumerate(new.services[name])]
        return [f"ip service-set {name} type object", *found, "quit"]

    def undo_object(self, kind: str, name: str) -> str:
        """Return what removes an object."""
        return f"undo {'time-range' if kind == 'schedule' else f'ip {kind}-set'} {name}"

    def member_line(self, side: str, member: str) -> str:
        """Return the condition of a rule."""
        word = _SIDE_WORDS[side]
        if side in ("origin", "target"):
            return f"{word} {member}"
        if side == "service":
            return f"{word} {member[1:] if member[0] == OBJECT else _service(service_of(member))}"
        return f"{word} {f'address-set {member[1:]}' if member[0] == OBJECT else _address(member)}"

    def move_line(self, name: str, place: Place) -> str:
        """Return what moves a rule."""
        return f"rule move {name} {place.where} {place.rule}"

    def default_line(self, action: str) -> str:
        """Return what sets the action for packets that no rule matches."""
        return f"default action {action}"

    def parse(self, text: str, file: str) -> Firewall:
        """Return what a configuration says."""
        tree = parse(text, "huawei_vrp")
        addresses: dict[str, Spans] = {}
        services: dict[str, tuple[Service, ...]] = {}
        schedules: dict[str, Schedule] = {}
        for node in tree.children:
            words = node.line.split()
            try:
                if words[:2] == ["ip", "address-set"]:
                    addresses[words[2]] = spans(_entry(one.line.split()) for one in _content(node))
                elif words[:2] == ["ip", "service-set"]:
                    services[words[2]] = tuple(sorted(_read_service(one.line.split()[2:]) for one in _content(node)))
                elif words[0] == "time-range":
                    name, one = read_time(words)
                    schedules[name] = one
            except (ValueError, IndexError):
                continue  # not understood: an error only where a rule refers to it
        known = Known(addresses, {**PREDEFINED, **services}, schedules)
        rules: list[FirewallRule] = []
        default = "deny"
        for view in tree.find(r"security-policy$"):
            for node in view.children:
                if node.line.startswith("default action "):
                    default = node.line.split()[2]
                elif node.line.startswith("rule name "):
                    rules.append(_rule(node, known, file))
                else:
                    raise not_understood(file, "security-policy", node.line)
        return Firewall(tuple(rules), addresses, known.services, schedules, default)


def _content(node: Node) -> list[Node]:
    return [one for one in node.children if not one.line.startswith("description ")]


def _rule(node: Node, known: Known, file: str) -> FirewallRule:
    name = node.line.removeprefix("rule name ").strip('"')
    sides: dict[str, list[str]] = {side: [] for side in _SIDE_WORDS}
    plain: dict[str, str] = {"action": "", "time-range": "", "description": ""}
    flags = {"disable": False, "policy logging": False}
    for child in node.children:
        words = child.line.split()
        side = next((side for side, word in _SIDE_WORDS.items() if words[0] == word), "")
        try:
            if child.line in flags:
                flags[child.line] = True
            elif words[0] in plain:
                plain[words[0]] = child.line.split(" ", 1)[1]
            elif side and words[1:] != ["any"]:
                sides[side] += _members(side, words[1:], known)
            elif not side and not child.line.startswith(_HARMLESS):
                raise ValueError
        except (ValueError, IndexError, KeyError) as error:
            raise not_understood(file, f"策略 {name}", child.line) from error
    if plain["time-range"] and plain["time-range"] not in known.schedules:
        raise not_understood(file, f"策略 {name}", f"time-range {plain['time-range']}")
    return built(name, plain["action"], sides, plain, (flags["disable"], flags["policy logging"]))


def _members(side: str, words: Sequence[str], known: Known) -> list[str]:
    if side in ("origin", "target"):
        return list(words)
    if side == "service":
        if words[0] == "protocol":
            return [service_text(_read_service(words))]
        if any(word not in known.services for word in words):
            raise ValueError
        return [OBJECT + word for word in words]
    if words[0] == "address-set":
        if words[1] not in known.addresses:
            raise ValueError
        return [OBJECT + words[1]]
    return [literal(_entry(["address", "0", *words]))]


def _address(text: str) -> str:
    if (network := network_words(text)) is None:
        return "range " + text.replace("-", " ")
    return f"{network[0]} mask {network[1]}"


def _entry(words: Sequence[str]) -> tuple[int, int]:
    """Return the span of ``address <n> <address> mask <m>``, ``… <wildcard>`` or ``… range <low> <high>``."""
    if words[0] != "address" or len(words) < 4:
        raise ValueError
    if words[2] == "range":
        return address_span(f"{words[3]}-{words[4]}")
    if words[3] == "mask":
        return span_of(words[2], words[4])
    wildcard = int(IPv4Address(words[3])) if "." in words[3] else int(words[3])
    if wildcard & (wildcard + 1):
        raise ValueError  # a wildcard with holes
    return span_of(words[2], str(32 - wildcard.bit_length()))


def _service(one: Service) -> str:
    text = f"protocol {protocol_word(one.protocol)}"
    for word, pair in (("source-port", one.sport), ("destination-port", one.port)):
        if not is_any_port(pair):
            text += f" {word} {pair[0]}" if pair[0] == pair[1] else f" {word} {pair[0]} to {pair[1]}"
    return text


def _read_service(words: Sequence[str]) -> Service:
    """Return the service of ``protocol <p> [source-port <a> [to <b>]] [destination-port <a> [to <b>]]``."""
    if words[0] != "protocol":
        raise ValueError
    ranges = {"source-port": (0, LAST_PORT), "destination-port": (0, LAST_PORT)}
    at = 2
    while at < len(words):
        key, low = words[at], int(words[at + 1])
        high = int(words[at + 3]) if words[at + 2 : at + 3] == ["to"] else low
        at += 4 if words[at + 2 : at + 3] == ["to"] else 2
        if key not in ranges:
            raise ValueError
        ranges[key] = (low, high)
    return Service(protocol_number(words[1]), ranges["destination-port"], ranges["source-port"])
