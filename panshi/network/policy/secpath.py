"""The security policy of H3C SecPath firewalls (Comware V7, view ``security-policy ip``).

Sources [D: H3C command references of security policies]: the action of a new rule is drop; ``disable``, ``move rule
name``; a rule that was added, changed or moved does not match otherwise until rule matching acceleration has been
activated, which the device does by itself every 2 s (100 rules or fewer) or 20 s, and which can fail for lack of
memory. So ``accelerate enhanced enable`` is sent before anything is deleted and at the end, and its answer has to be
read. No command that renames a rule was found in them: a rule gets its final name by a copy, put before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network

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
from panshi.network.policy.steps import AddRule, DeleteRule, Place, Rename, Step

_SIDES = {"source": "source-ip", "destination": "destination-ip"}
_ACTIONS = {"pass": "permit", "drop": "deny"}
_HARMLESS = ("counting enable", "profile ", "session ")


class SecPath(Dialect):
    """H3C SecPath."""

    view = "security-policy ip"
    permit_deny = ("pass", "drop")
    logging = "logging enable"
    activate = "accelerate enhanced enable"

    def lines(self, steps: Sequence[Step], new: Firewall) -> list[str]:
        """Return the commands of a way, see ``Dialect.lines``."""
        final = {rule.name: rule for rule in new.rules}
        renames = [step for step in steps if isinstance(step, Rename)]
        copies: list[Step] = [AddRule(final[one.to], Place("before", one.name)) for one in renames]
        copies += [DeleteRule(one.name) for one in renames]
        at = steps.index(renames[0]) if renames else 0
        others = [step for step in steps[at:] if not isinstance(step, Rename)]
        return super().lines([*steps[:at], *copies, *others], new)

    def object_lines(self, kind: str, name: str, new: Firewall) -> list[str]:
        """Return the definition of an object."""
        if kind == "schedule":
            return [time_line(name, new.schedules[name])]
        if kind == "address":
            found = [f"{i * 10} network {_network(one)}" for i, one in enumerate(literals(new.addresses[name]))]
            return [f"object-group ip address {name}", *found, "quit"]
        found = [f"{i * 10} service {_service(one)}" for i, one in enumerate(new.services[name])]
        return [f"object-group service {name}", *found, "quit"]

    def undo_object(self, kind: str, name: str) -> str:
        """Return what removes an object."""
        words = {"address": "object-group ip address", "service": "object-group service", "schedule": "time-range"}
        return f"undo {words[kind]} {name}"

    def member_line(self, side: str, member: str) -> str:
        """Return the condition of a rule."""
        if side == "origin":
            return f"source-zone {member}"
        if side == "target":
            return f"destination-zone {member}"
        if side == "service":
            return f"service {member[1:]}" if member[0] == OBJECT else f"service-port {_service(service_of(member))}"
        word = _SIDES[side]
        if member[0] == OBJECT:
            return f"{word} {member[1:]}"
        kind, _, rest = _network(member).partition(" ")
        return f"{word}-{kind} {rest.removeprefix('address ')}"

    def move_line(self, name: str, place: Place) -> str:
        """Return what moves a rule."""
        return f"move rule name {name} {place.where} name {place.rule}"

    def default_line(self, action: str) -> str:
        """Return nothing that exists: on V7 the default is always drop."""
        raise ValueError(action)

    def parse(self, text: str, file: str) -> Firewall:
        """Return what a configuration says."""
        tree = parse(text, "hp_comware")
        addresses: dict[str, Spans] = {}
        services: dict[str, tuple[Service, ...]] = {}
        schedules: dict[str, Schedule] = {}
        for node in tree.children:
            words = node.line.split()
            try:
                if words[:3] == ["object-group", "ip", "address"]:
                    addresses[words[3]] = spans(_entry(one.line.split()) for one in _content(node))
                elif words[:2] == ["object-group", "service"]:
                    services[words[2]] = tuple(sorted(_read_service(one.line.split()[2:]) for one in _content(node)))
                elif words[0] == "time-range":
                    name, one = read_time(words)
                    schedules[name] = one
            except (ValueError, IndexError):
                continue  # not understood: an error only where a rule refers to it
        services = {**PREDEFINED, **services}
        rules: list[FirewallRule] = []
        for view in tree.find(r"security-policy ip$"):
            for node in view.children:
                words = node.line.split()
                if words[0] != "rule" or "name" not in words:
                    raise not_understood(file, "security-policy ip", node.line)
                rules.append(_rule(node, words[-1], Known(addresses, services, schedules), file))
        return Firewall(tuple(rules), addresses, services, schedules)


def _content(node: Node) -> list[Node]:
    return [one for one in node.children if not one.line.startswith(("description ", "security-zone "))]


def _rule(node: Node, name: str, known: Known, file: str) -> FirewallRule:
    sides: dict[str, list[str]] = {"origin": [], "target": [], "source": [], "destination": [], "service": []}
    plain: dict[str, str] = {"action": "drop", "time-range": "", "description": ""}
    flags = {"disable": False, "logging enable": False}
    for child in node.children:
        words = child.line.split()
        try:
            if child.line in flags:
                flags[child.line] = True
            elif words[0] in plain:
                plain[words[0]] = child.line.split(" ", 1)[1]
            elif not child.line.startswith(_HARMLESS):
                side, member = _member(words, known)
                sides[side] += member
        except (ValueError, IndexError) as error:
            raise not_understood(file, f"策略 {name}", child.line) from error
    if plain["action"] not in _ACTIONS or (plain["time-range"] and plain["time-range"] not in known.schedules):
        raise not_understood(file, f"策略 {name}", plain["time-range"] or plain["action"])
    return built(name, _ACTIONS[plain["action"]], sides, plain, (flags["disable"], flags["logging enable"]))


def _member(words: Sequence[str], known: Known) -> tuple[str, list[str]]:
    match words:
        case ["source-zone", zone]:
            return "origin", [zone]
        case ["destination-zone", zone]:
            return "target", [zone]
        case ["service", "any"]:
            return "service", []
        case ["service", name] if name in known.services:
            return "service", [OBJECT + name]
        case ["service-port", *rest]:
            return "service", [service_text(_read_service(rest))]
    word, _, kind = words[0].partition("-ip")
    if word not in _SIDES:
        raise ValueError
    if kind:
        return word, [literal(_entry(["0", "network", kind[1:], *words[1:]]))]
    if words[1] == "any":
        return word, []
    if words[1] not in known.addresses:
        raise ValueError
    return word, [OBJECT + words[1]]


def _network(text: str) -> str:
    if (network := network_words(text)) is None:
        return "range " + text.replace("-", " ")
    if network[1] == "32":
        return f"host address {network[0]}"
    return f"subnet {network[0]} {IPv4Network('/'.join(network)).netmask}"


def _entry(words: Sequence[str]) -> tuple[int, int]:
    """Return the span of ``<n> network host address <a>``, ``… subnet <a> <mask>`` or ``… range <low> <high>``."""
    match list(words[1:]):
        case ["network", "host", *_, address]:
            return address_span(address)
        case ["network", "subnet", address, mask]:
            return span_of(address, mask)
        case ["network", "range", low, high]:
            return address_span(f"{low}-{high}")
    raise ValueError


def _service(one: Service) -> str:
    text = protocol_word(one.protocol)
    for word, pair in (("source", one.sport), ("destination", one.port)):
        if not is_any_port(pair):
            text += f" {word} eq {pair[0]}" if pair[0] == pair[1] else f" {word} range {pair[0]} {pair[1]}"
    return text


def _read_service(words: Sequence[str]) -> Service:
    """Return the service of ``<protocol> [source|destination eq <a> | lt <a> | gt <a> | range <a> <b>] …``."""
    ranges = {"source": (0, LAST_PORT), "destination": (0, LAST_PORT)}
    at = 1
    while at < len(words):
        key, operator, first = words[at], words[at + 1], int(words[at + 2])
        if key not in ranges or operator not in ("eq", "lt", "gt", "range"):
            raise ValueError
        last = int(words[at + 3]) if operator == "range" else first
        ranges[key] = {"lt": (0, first - 1), "gt": (first + 1, LAST_PORT)}.get(operator, (first, last))
        at += 4 if operator == "range" else 3
    return Service(protocol_number(words[0]), ranges["destination"], ranges["source"])
