"""A policy set: zones, objects and ordered policies, read, checked and understood whole, or refused line by line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from panshi.document import read_document
from panshi.errors import PanshiError
from panshi.network.policy.rules import PERMIT, Rule
from panshi.network.policy.schema import DAYS, FIREWALLS, WILDCARD_LISTS, shape_mistakes
from panshi.network.policy.space import (
    ANY_ADDRESS,
    ANY_PORT,
    ANY_SERVICE,
    ANY_TIME,
    LAST_PORT,
    PORTED,
    PROTOCOL_NAMES,
    PROTOCOLS,
    Product,
    Spans,
    spans,
)

ANY = "any"
_SERVICE = re.compile(r"(?P<protocol>[a-z]+|\d{1,3})(/(?P<to>\d+(-\d+)?))?( from (?P<of>\d+(-\d+)?))?")
# Ends of names that the change plan gives itself while a rule or an object is replaced.
_RESERVED = re.compile(r"_(new|v)\d*$")


class Service(NamedTuple):
    """One protocol with its port ranges (inclusive); all ports where it has none."""

    protocol: int
    port: tuple[int, int] = (0, LAST_PORT)
    sport: tuple[int, int] = (0, LAST_PORT)

    def text(self) -> str:
        """Return the service as a policy set writes it."""
        text = PROTOCOL_NAMES.get(self.protocol, str(self.protocol))
        if self.port != (0, LAST_PORT):
            text += f"/{_range(self.port)}"
        return text if self.sport == (0, LAST_PORT) else f"{text} from {_range(self.sport)}"


class Schedule(NamedTuple):
    """Days (0 is Monday) and minutes of the day, the end exclusive."""

    days: tuple[int, ...]
    first: int
    end: int

    def minutes(self) -> Spans:
        """Return the minutes of the week."""
        return spans((day * 1440 + self.first, day * 1440 + self.end - 1) for day in self.days)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy; empty ``origin``, ``target``, ``source``, ``destination``, ``service`` mean any.

    Args:
        name: its identity on every device.
        owner: person and office that answer for it.
        ticket: number of the request.
        expires: last day on which it holds, or None.
        origin: zones.
        target: zones.
        source: names of addresses.
        destination: names of addresses.
        service: names of services.
        schedule: name, or empty.
        action: permit or deny.
        log: whether hits are logged.
        enabled: whether it is in force.
        on: devices; empty for all that have its zones.
    """

    name: str
    owner: str
    ticket: str
    expires: date | None
    origin: tuple[str, ...]
    target: tuple[str, ...]
    source: tuple[str, ...]
    destination: tuple[str, ...]
    service: tuple[str, ...]
    schedule: str
    action: str
    log: bool
    enabled: bool
    on: tuple[str, ...]

    def is_expired(self, today: date) -> bool:
        """Return whether its last day is over."""
        return self.expires is not None and self.expires < today

    def holds(self, today: date) -> bool:
        """Return whether it decides anything: an expired permit does not, an expired deny does until it is removed."""
        return self.enabled and not (self.action == PERMIT and self.is_expired(today))


@dataclass(frozen=True, slots=True)
class Device:
    """A firewall with the names that it gives to zones, or a device with access lists between two zones each.

    Args:
        name: as in the inventory.
        platform: one of ``schema.PLATFORMS``.
        zones: of a firewall, the set's name to the device's.
        lists: of other devices, name or number of an access list to (zone from, zone to).
    """

    name: str
    platform: str
    zones: Mapping[str, str]
    lists: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Published:
    """A service that shall be reachable."""

    name: str
    match: tuple[Product, ...]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Everything of a policy set, resolved; ``zones`` in the document's order, their index is their number."""

    file: str
    zones: tuple[str, ...]
    addresses: Mapping[str, Spans]
    services: Mapping[str, tuple[Service, ...]]
    schedules: Mapping[str, Schedule]
    devices: Mapping[str, Device]
    policies: tuple[Policy, ...]
    published: tuple[Published, ...]

    def rule(self, policy: Policy) -> Rule:
        """Return the packets of a policy, whether it is in force or not."""
        return Rule(
            policy.name,
            policy.action,
            products(
                self._zones(policy.origin),
                self._zones(policy.target),
                self.schedules[policy.schedule].minutes() if policy.schedule else ANY_TIME,
                self.address(policy.source),
                self.address(policy.destination),
                [one for name in policy.service for one in self.services[name]],
            ),
        )

    def rules(self, today: date) -> list[Rule]:
        """Return the rules that are in force on a day."""
        return [self.rule(policy) for policy in self.policies if policy.holds(today)]

    def address(self, names: Sequence[str]) -> Spans:
        """Return the addresses of some objects; all for none."""
        return spans(pair for name in names for pair in self.addresses[name]) if names else ANY_ADDRESS

    def _zones(self, names: Sequence[str]) -> Spans:
        numbers = [self.zones.index(name) for name in names] or range(len(self.zones))
        return spans((number, number) for number in numbers)


def products(
    origin: Spans, target: Spans, time: Spans, source: Spans, destination: Spans, services: Sequence[Service]
) -> tuple[Product, ...]:
    """Return the packets of conditions that all hold; no service means any."""
    if not services:
        return (Product(origin, target, time, source, ANY_PORT, destination, ANY_SERVICE),)
    by_sport: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for one in services:
        base = one.protocol << 16
        by_sport.setdefault(one.sport, []).append((base | one.port[0], base | one.port[1]))
    return tuple(
        Product(origin, target, time, source, (sport,), destination, spans(pairs)) for sport, pairs in by_sport.items()
    )


def read_policies(path: Path) -> object:
    """Return the document of a file.

    Raises:
        PanshiError: PS-E8100 it cannot be read, or is no YAML.
    """
    try:
        return _plain(read_document(path.read_bytes()))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "不是 UTF-8"
        raise PanshiError("PS-E8100", f"策略文件 {path} 不能读取：{reason}", "检查路径、权限与编码") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"第 {mark.line + 1} 行" if mark else ""
        raise PanshiError("PS-E8100", f"策略文件 {path} 不是 YAML：{place}", "检查缩进与引号") from error


def load_policies(path: Path) -> PolicySet:
    """Return the policy set of a file.

    Raises:
        PanshiError: PS-E8100 it cannot be read; the first of its mistakes, PS-E8101 to PS-E8104.
    """
    document = read_policies(path)
    if found := mistakes(document, path.name):
        more = f"（共 {len(found)} 处）" if len(found) > 1 else ""
        raise PanshiError(found[0].code, found[0].message + more, found[0].hint)
    return understood(document, path.name)


def mistakes(document: object, file: str) -> list[PanshiError]:
    """Return every mistake of a document: one line with a code each, naming file and policy."""
    return shape_mistakes(document, file) or list(_meaning(document, file))


def understood(document: Any, file: str) -> PolicySet:
    """Return the policy set of a document without mistakes."""
    raw_addresses = document.get("addresses", {})
    addresses = {name: spans(_addresses(name, raw_addresses, ())) for name in raw_addresses}
    services = {name: tuple(map(_service, texts)) for name, texts in document.get("services", {}).items()}
    schedules = {name: _schedule(one) for name, one in document.get("schedules", {}).items()}
    zones = tuple(document["zones"])
    half = PolicySet(
        file,
        zones,
        addresses,
        services,
        schedules,
        {name: _device(name, one, zones) for name, one in document["devices"].items()},
        tuple(_policy(one) for one in document["policies"]),
        (),
    )
    published = []
    for one in document.get("published", []):
        rule = half.rule(_policy({**one, "owner": "", "ticket": "", "action": PERMIT}))
        published.append(Published(one["name"], rule.match))
    return PolicySet(
        half.file,
        half.zones,
        addresses,
        services,
        schedules,
        half.devices,
        half.policies,
        tuple(published),
    )


def _policy(raw: Mapping[str, Any]) -> Policy:
    def names(key: str) -> tuple[str, ...]:
        return () if ANY in raw[key] else tuple(raw[key])

    return Policy(
        name=raw["name"],
        owner=raw["owner"],
        ticket=raw["ticket"],
        expires=date.fromisoformat(raw["expires"]) if "expires" in raw else None,
        origin=names("from"),
        target=names("to"),
        source=names("source"),
        destination=names("destination"),
        service=names("service"),
        schedule=raw.get("schedule", ""),
        action=raw["action"],
        log=raw.get("log", False),
        enabled=raw.get("enabled", True),
        on=tuple(raw.get("on", ())),
    )


def _device(name: str, raw: Mapping[str, Any], zones: Sequence[str]) -> Device:
    lists = {number: (one["from"], one["to"]) for number, one in raw.get("lists", {}).items()}
    own = raw.get("zones") or {zone: zone for zone in zones}
    return Device(name, raw["platform"], own if raw["platform"] in FIREWALLS else {}, lists)


def _schedule(raw: Mapping[str, Any]) -> Schedule:
    first, end = ((int(raw[key][:2]) * 60 + int(raw[key][3:])) for key in ("from", "to"))
    return Schedule(tuple(sorted(DAYS.index(day) for day in raw["days"])), first, end)


def _addresses(name: str, known: Mapping[str, Sequence[str]], above: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the spans of an object, those of the objects that it names included; ValueError says what is wrong."""
    if name in above:
        raise ValueError(f"互相引用：{' → '.join([*above, name])}")
    for text in known[name]:
        if text in known:
            yield from _addresses(text, known, [*above, name])
        else:
            yield address_span(text)


def address_span(text: str) -> tuple[int, int]:
    """Return first and last address of ``a.b.c.d``, ``a.b.c.d/n`` or ``a.b.c.d-e.f.g.h``; ValueError otherwise."""
    try:
        if "-" in text:
            low, high = (int(IPv4Address(end.strip())) for end in text.split("-", 1))
            if low > high:
                raise ValueError
            return low, high
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"“{text}” 不是地址、网段（主机位须为 0）、范围或已有的对象") from error
    if not isinstance(network, IPv4Network):
        raise ValueError(f"“{text}” 是 IPv6，目前只支持 IPv4")
    return int(network.network_address), int(network.broadcast_address)


def _service(text: str) -> Service:
    """Return the service that a text describes; ValueError says what is wrong."""
    found = _SERVICE.fullmatch(text)
    number = -1
    if found:
        word = found["protocol"]
        number = int(word) if word.isdigit() else PROTOCOLS.get(word, -1)
    if not found or not 0 <= number <= 255:
        raise ValueError(f"“{text}” 不是服务；写成 tcp/443、udp/5000-5010、tcp/443 from 1024-65535、icmp 或协议号")
    if (found["to"] or found["of"]) and number not in PORTED:
        raise ValueError(f"“{text}” 的协议没有端口")
    ports = []
    for part in (found["to"], found["of"]):
        low, _, high = (part or f"0-{LAST_PORT}").partition("-")
        ports.append((int(low), int(high or low)))
        if not ports[-1][0] <= ports[-1][1] <= LAST_PORT:
            raise ValueError(f"“{text}” 的端口不在 0 至 {LAST_PORT} 之间，或前大后小")
    return Service(number, ports[0], ports[1])


def _range(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}-{pair[1]}"


def _plain(value: Any) -> Any:
    """Return a document with days as texts, so that a date needs no quotes."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def _meaning(document: Any, file: str) -> Iterator[PanshiError]:
    hint = "按 docs/network-policy.md 改正后重新检查"

    def wrong(code: str, text: str) -> PanshiError:
        return PanshiError(code, f"{file}：{text}", hint)

    addresses = document.get("addresses", {})
    for key, label, check in (
        ("addresses", "地址", lambda name: list(_addresses(name, addresses, ()))),
        ("services", "服务", lambda name: list(map(_service, document["services"][name]))),
        ("schedules", "时间段", lambda name: _check_schedule(document["schedules"][name])),
    ):
        for name in document.get(key, {}):
            if _RESERVED.search(name):
                yield wrong("PS-E8104", f"{label} {name} 的名称以 _new 或 _v 加数字结尾，这是变更过程保留的")
            if message := _message(check, name):
                yield wrong("PS-E8103", f"{label} {name}：{message}")
    yield from (wrong("PS-E8102", text) for text in _unknown_names(document))
    yield from (wrong("PS-E8104", text) for text in _names_and_days(document))


def _message(check: Callable[[str], object], name: str) -> str:
    try:
        check(name)
    except ValueError as error:
        return str(error)
    return ""


def _check_schedule(raw: Mapping[str, Any]) -> None:
    one = _schedule(raw)
    if one.first >= one.end:
        raise ValueError("from 须早于 to；跨零点的写成两个策略")


def _unknown_names(document: Any) -> Iterator[str]:
    """Yield references to what is not defined."""
    zones, devices = set(document["zones"]), document["devices"]
    known = {
        "from": zones,
        "to": zones,
        "source": set(document.get("addresses", {})),
        "destination": set(document.get("addresses", {})),
        "service": set(document.get("services", {})),
    }
    for label, key in (("策略", "policies"), ("对外服务", "published")):
        for one in document.get(key, []):
            for part, names in known.items():
                for name in one[part]:
                    if name != ANY and name not in names:
                        yield f"{label} {one['name']} 的 {part} 引用了没有定义的 {name}"
            if one.get("schedule") and one["schedule"] not in document.get("schedules", {}):
                yield f"{label} {one['name']} 的 schedule 引用了没有定义的 {one['schedule']}"
            yield from (
                f"{label} {one['name']} 的 on 引用了没有定义的设备 {name}"
                for name in one.get("on", [])
                if name not in devices
            )
    for name, device in devices.items():
        named = [*device.get("zones", {}), *(end for one in device.get("lists", {}).values() for end in one.values())]
        yield from (f"设备 {name} 引用了没有定义的区域 {zone}" for zone in named if zone not in zones)


def _names_and_days(document: Any) -> Iterator[str]:
    """Yield names that occur twice or are not free, days that do not exist, and devices without their kind of data."""
    for label, key in (("策略", "policies"), ("对外服务", "published")):
        names = [one["name"] for one in document.get(key, [])]
        yield from (f"{label} {name} 定义了两次" for name in sorted({name for name in names if names.count(name) > 1}))
    for one in document["policies"]:
        if _RESERVED.search(one["name"]):
            yield f"策略 {one['name']} 的名称以 _new 或 _v 加数字结尾，这是变更过程保留的"
        try:
            date.fromisoformat(one.get("expires", "2000-01-01"))
        except ValueError:
            yield f"策略 {one['name']} 的 expires {one['expires']} 不是存在的日期"
        for part in ("from", "to", "source", "destination", "service"):
            if ANY in one[part] and len(one[part]) > 1:
                yield f"策略 {one['name']} 的 {part} 同时写了 any 与其他项"
    for name, device in document["devices"].items():
        if device["platform"] in FIREWALLS and "lists" in device:
            yield f"设备 {name} 是防火墙，不能有 lists"
        if device["platform"] not in FIREWALLS and not device.get("lists"):
            yield f"设备 {name} 不是防火墙，须用 lists 说明每个访问列表从哪个区域到哪个区域"
        if device["platform"] in WILDCARD_LISTS:
            yield from (
                f"设备 {name} 的访问列表 {number} 须是 3000 至 3999 之间的编号"
                for number in device.get("lists", {})
                if not re.fullmatch(r"3\d{3}", number)
            )
