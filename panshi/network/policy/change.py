"""What has to be said to a device so that it holds its part of a policy set, and how it differs now (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date

from panshi.errors import PanshiError
from panshi.network.policy.dialect import Dialect
from panshi.network.policy.firewall import Firewall, FirewallRule, compiled
from panshi.network.policy.lists import Entry, Lists, Wanted, compiled_lists
from panshi.network.policy.lists_text import list_dialect
from panshi.network.policy.model import Device, PolicySet
from panshi.network.policy.relations import opened
from panshi.network.policy.rules import Rule
from panshi.network.policy.schema import FIREWALLS
from panshi.network.policy.secpath import SecPath
from panshi.network.policy.space import sample
from panshi.network.policy.steps import steps
from panshi.network.policy.usg import Usg

_FIELDS_ZH = {
    "action": "动作", "enabled": "启用", "origin": "源区域", "target": "目的区域", "source": "源地址",
    "destination": "目的地址", "service": "服务", "schedule": "时间段", "log": "日志", "description": "说明",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """The change of one device.

    Args:
        device: its name.
        commands: from the configuration view, in their order; empty when nothing differs.
        differences: one Chinese line for each difference between the device and the policies.
        opens: what the device will let through and does not now, one packet per policy, in Chinese.
        closes: what it lets through now and will not.
    """

    device: str
    commands: tuple[str, ...]
    differences: tuple[str, ...]
    opens: tuple[str, ...]
    closes: tuple[str, ...]


def device_change(policies: PolicySet, name: str, running: str, today: date) -> DeviceChange:
    """Return the change of a device.

    Args:
        policies: the set.
        name: one of its devices.
        running: the running configuration.
        today: permits that have expired before are taken out.

    Raises:
        PanshiError: PS-E8105 the device holds what is not understood; PS-E8106 an entry cannot be moved; PS-E8107 the
            set does not know the device.
    """
    if name not in policies.devices:
        raise PanshiError("PS-E8107", f"{policies.file} 中没有设备 {name}", "在 devices 中登记它，或不对它运行")
    device = policies.devices[name]
    if device.platform in FIREWALLS:
        return _firewall(policies, device, running, today)
    return _lists(policies, device, running, today)


def firewall_dialect(platform: str) -> Dialect:
    """Return how a firewall writes its policy."""
    return Usg() if platform == "huawei_usg" else SecPath()


def _firewall(policies: PolicySet, device: Device, running: str, today: date) -> DeviceChange:
    dialect = firewall_dialect(device.platform)
    now = dialect.parse(running, device.name)
    new = compiled(policies, device, now, today)
    zones = sorted(now.zones() | new.zones()) or [""]
    return DeviceChange(
        device.name,
        tuple(dialect.lines(steps(now, new), new)),
        tuple(_rule_differences(now, new)),
        *_effects(_with_default(now, zones), _with_default(new, zones), zones),
    )


def _lists(policies: PolicySet, device: Device, running: str, today: date) -> DeviceChange:
    dialect = list_dialect(device.platform)
    now = dialect.parse(running, device.name, tuple(device.lists))
    wanted = compiled_lists(policies, device, now, today)
    new = Lists(
        {name: tuple(enumerate(entries)) for name, entries in wanted.entries.items()},
        {**now.schedules, **wanted.schedules},
    )
    opens: list[str] = []
    closes: list[str] = []
    for name, (origin, target) in device.lists.items():
        ends = policies.zones.index(origin), policies.zones.index(target)
        if name in now.entries:
            more, less = _effects(now.effective(name, *ends), new.effective(name, *ends), policies.zones)
            opens += more
            closes += less
    commands = tuple(dialect.lines(now, wanted))
    return DeviceChange(
        device.name, commands, tuple(_entry_differences(dialect.put, now, wanted)), tuple(opens), tuple(closes)
    )


def _with_default(firewall: Firewall, zones: Sequence[str]) -> list[Rule]:
    default = Firewall((FirewallRule("默认动作", firewall.default),)).effective(zones)
    return [*firewall.effective(zones), *default]


def _effects(now: Sequence[Rule], new: Sequence[Rule], zones: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what opens and what closes, one line with a packet for each rule that lets it through."""

    def lines(one: Sequence[Rule], other: Sequence[Rule]) -> Iterator[str]:
        named: set[str] = set()
        for rule, piece in opened(one, other):
            if rule.name not in named:
                named.add(rule.name)
                yield f"{rule.name}：{sample(piece).text(zones)}"

    return tuple(lines(new, now)), tuple(lines(now, new))


def _rule_differences(now: Firewall, new: Firewall) -> Iterator[str]:
    had, has = ({rule.name: rule for rule in one.rules} for one in (now, new))
    for name in had:
        if name not in has:
            yield f"设备上多出策略 {name}"
    for name, rule in has.items():
        if name not in had:
            yield f"设备上缺少策略 {name}"
        else:
            yield from (f"策略 {name} 的{text}" for text in _fields(had[name], rule))
    both = [rule.name for rule in now.rules if rule.name in has]
    if both != [rule.name for rule in new.rules if rule.name in had]:
        yield "策略的次序不同"
    if now.default != new.default:
        yield f"默认动作：设备 {now.default}，应为 {new.default}"


def _fields(had: FirewallRule, has: FirewallRule) -> Iterator[str]:
    for one in fields(had):
        left, right = getattr(had, one.name), getattr(has, one.name)
        if left != right:
            yield f"{_FIELDS_ZH[one.name]}不同：设备 {_shown(left)}，应为 {_shown(right)}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "、".join(value) or "any"
    if isinstance(value, bool):
        return "是" if value else "否"
    return str(value) or "无"


def _entry_differences(put: Callable[[int, Entry], str], now: Lists, wanted: Wanted) -> Iterator[str]:
    for name, entries in wanted.entries.items():
        had = [entry for _, entry in now.entries.get(name, ())]
        yield from (
            f"访问列表 {name} 多出第 {number} 条：{put(number, one)}"
            for number, one in now.entries.get(name, ())
            if one not in entries
        )
        missing = [one for one in entries if one not in had]
        yield from (f"访问列表 {name} 缺少：{put(0, one)}" for one in missing)
        if [one for one in had if one in entries] != [one for one in entries if one in had]:
            yield f"访问列表 {name} 的次序不同"
