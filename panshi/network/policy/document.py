"""A policy set as files: read, checked and understood whole, or refused line by line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from panshi.document import digest, read_document
from panshi.errors import PanshiError
from panshi.network.policy.model import Device, Policy, PolicySet, Published, Schedule, Service, address_span
from panshi.network.policy.rules import PERMIT
from panshi.network.policy.schema import DAYS, FIREWALLS, WILDCARD_LISTS, shape_mistakes
from panshi.network.policy.space import LAST_PORT, PORTED, PROTOCOLS, spans

ANY = "any"


class Mistaken(PanshiError):
    """A document with mistakes; it is said by the first one, ``every`` holds all."""

    def __init__(self, every: Sequence[PanshiError]) -> None:
        more = f"（共 {len(every)} 处）" if len(every) > 1 else ""
        super().__init__(every[0].code, every[0].message + more, every[0].hint)
        self.every = every


_SERVICE = re.compile(r"(?P<protocol>[a-z]+|\d{1,3})(/(?P<to>\d+(-\d+)?))?( from (?P<of>\d+(-\d+)?))?")
# Ends of names that the change plan gives itself while a rule or an object is replaced.
_RESERVED = re.compile(r"_(new|v)\d*$")


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
        PanshiError: PS-E8100 it cannot be read; Mistaken, PS-E8101 to PS-E8104.
    """
    document = read_policies(path)
    if found := mistakes(document, path.name):
        raise Mistaken(found)
    return understood(document, path.name)


def load_folder(path: Path) -> dict[Path, PolicySet]:
    """Return the policy sets of a folder, each file one of its own; of one file if it is one.

    Raises:
        PanshiError: as ``load_policies``; PS-E8100 no file; PS-E8104 a device is in two sets.
    """
    files = sorted(path.glob("*.yml")) if path.is_dir() else [path]
    if not files:
        raise PanshiError("PS-E8100", f"目录 {path} 中没有策略文件（*.yml）", "写法见 docs/network-policy.md")
    found = {file: load_policies(file) for file in files}
    first: dict[str, str] = {}
    for file, policies in found.items():
        for name in policies.devices:
            if name in first:
                what = f"{file.name}：设备 {name} 在 {first[name]} 中已有"
                raise PanshiError("PS-E8104", what, "一台设备只归一个策略文件")
            first[name] = file.name
    return found


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
    found = PolicySet(
        file,
        zones,
        tuple(title or name for name, title in document["zones"].items()),
        addresses,
        services,
        schedules,
        {name: _device(name, one, zones) for name, one in document["devices"].items()},
        tuple(_policy(one) for one in document["policies"]),
        (),
        digest(document),
    )
    return replace(found, published=tuple(_published(found, one) for one in document.get("published", [])))


def _published(policies: PolicySet, raw: Mapping[str, Any]) -> Published:
    rule = policies.rule(_policy({**raw, "owner": "", "ticket": "", "action": PERMIT}))
    return Published(raw["name"], rule.match)


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
