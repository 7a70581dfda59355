"""The inspection of one device: what its displays say, against what the estate expects (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panshi.controls import Params
from panshi.facts import FactMissing, Facts, Item
from panshi.facts.network import device, health
from panshi.facts.network.health import Unit
from panshi.record import NetworkInspectionRow
from panshi.verdict import Status, Verdict, failed, not_applicable, partial, passed

# Of the catalogue (8.1.5.4 c), where each has its source.
PARAMETERS = (
    "device_cpu_percent",
    "device_memory_percent",
    "device_power_units",
    "device_error_ppm",
    "device_uptime_hours",
)
# The estate's variable of what is to be plugged in where.
NEIGHBOURS = "panshi_net_neighbours"
# An inspection has no clause to conform to: its words are those of a technician.
WORDS = {
    Status.PASS: "正常",
    Status.FAIL: "异常",
    Status.PARTIAL: "须说明",
    Status.ERROR: "没有读到",
    Status.NOT_APPLICABLE: "不适用",
}
_NAMED_MOST = 5
# Characters of an answer that the record keeps: all of most displays, some forty ports of the interfaces'.
_KEPT = 40_000


@dataclass(frozen=True, slots=True)
class Inspected:
    """One subject of an inspection.

    Args:
        id: short name.
        title: in Chinese.
        item: of the facts, its evidence.
        verdict: with what was expected.
    """

    id: str
    title: str
    item: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class _Subject:
    id: str
    title: str
    item: str
    expected: Callable[[Params], str]
    judge: Callable[[Facts, Params], Verdict]


def inspect(facts: Facts, params: Params, wanted: Mapping[str, str]) -> list[Inspected]:
    """Judge a device.

    Args:
        facts: of the device.
        params: in force for it.
        wanted: names of the neighbours that it should have, by its ports; empty when nobody has declared any.
    """
    found = [_inspected(subject, facts, params) for subject in _SUBJECTS]
    declared = "、".join(f"{port} 是 {name}" for port, name in wanted.items()) or "没有声明"
    said = _safely(lambda: _neighbours(facts, wanted), declared)
    return [*found, Inspected("neighbours", "邻居", health.NEIGHBOURS, said)]


def row_of(host: str, facts: Facts, inspected: Sequence[Inspected]) -> NetworkInspectionRow:
    """Return what the record keeps of a device that was read.

    Args:
        host: its name.
        facts: of it.
        inspected: what :func:`inspect` returned.
    """
    subjects = [_kept(one, facts) for one in inspected]
    return NetworkInspectionRow(host=host, state="read", system=device(facts).system, subjects=subjects)


def _kept(one: Inspected, facts: Facts) -> dict[str, Any]:
    item = facts.items.get(one.item, Item(one.item, ""))
    said = item.out or item.err
    verdict = one.verdict
    return {
        "id": one.id,
        "title": one.title,
        "status": verdict.status.value,
        "observed": verdict.observed,
        "expected": verdict.expected,
        "reason": verdict.reason,
        "cmd": item.cmd,
        "at": item.at,
        "out": said[:_KEPT],
        "cut": max(0, len(said) - _KEPT),
    }


def _inspected(subject: _Subject, facts: Facts, params: Params) -> Inspected:
    verdict = _safely(lambda: subject.judge(facts, params), subject.expected(params))
    return Inspected(subject.id, subject.title, subject.item, verdict)


def _safely(work: Callable[[], Verdict], expected: str) -> Verdict:
    try:
        verdict = work()
    except FactMissing as missing:
        verdict = Verdict(Status.ERROR, "", reason=str(missing))
    except Exception as error:  # noqa: BLE001 - a defect in one reader must not cost what the others have read
        verdict = Verdict(Status.ERROR, "", reason=f"[PS-E9001] 读取程序出错：{type(error).__name__}: {error}"[:300])
    return Verdict(verdict.status, verdict.observed, expected, verdict.reason)


def _judged(ok: bool, observed: str, why: str) -> Verdict:
    return passed(observed) if ok else failed(observed, why)


def _cpu(facts: Facts, params: Params) -> Verdict:
    load = health.cpu(facts)
    return _judged(load <= params.value("device_cpu_percent"), f"{load:g}%", "查看占用处理器的进程与协议报文")


def _memory(facts: Facts, params: Params) -> Verdict:
    share = round(health.memory(facts), 1)
    return _judged(share <= params.value("device_memory_percent"), f"{share:g}%", "查看占用内存的进程与表项")


def _power(facts: Facts, params: Params) -> Verdict:
    units = health.power(facts)
    if not units:
        return not_applicable("设备没有列出电源", "内置电源，设备不报告它的状态")
    if _broken(units):
        return failed(_told(units), "有电源不正常")
    enough = sum(unit.normal for unit in units) >= params.value("device_power_units")
    return _judged(enough, _told(units), "正常的电源少于应有的个数")


def _fans(facts: Facts, params: Params) -> Verdict:
    units = health.fans(facts)
    if not any(not unit.absent for unit in units):
        return not_applicable("设备没有列出风扇", "无风扇机型，或风扇不在位：核对型号")
    return _judged(not _broken(units), _told(units), "有风扇不正常")


def _broken(units: list[Unit]) -> bool:
    return any(not unit.normal and not unit.absent for unit in units)


def _told(units: list[Unit]) -> str:
    return "；".join(f"{unit.name} {unit.state}" for unit in units)


def _errors(facts: Facts, params: Params) -> Verdict:
    ports = health.counters(facts)
    most = params.value("device_error_ppm")
    bad = [port for port in ports if port.errors * 1_000_000 > most * port.packets]
    if not bad:
        return passed(f"{len(ports)} 个接口，错误包共 {sum(port.errors for port in ports)}")
    named = "；".join(f"{one.port} 错误 {one.errors}，共 {one.packets} 包" for one in bad[:_NAMED_MOST])
    more = f" 等 {len(bad)} 个接口" if len(bad) > _NAMED_MOST else ""
    return failed(f"{named}{more}", "查光模块、线缆与双工；排除后清零计数再看")


def _uptime(facts: Facts, params: Params) -> Verdict:
    seconds = health.uptime(facts)
    said = f"{seconds // 86400} 天 {seconds % 86400 // 3600} 小时"
    if seconds < params.value("device_uptime_hours") * 3600:
        return partial(said, "新近重启过：核对是不是计划内的，重启原因是什么")
    return passed(said)


def _neighbours(facts: Facts, wanted: Mapping[str, str]) -> Verdict:
    if not wanted:
        found = health.neighbours(facts)
        told = "；".join(f"{one.port}：{one.name}" for one in found) or "没有邻居"
        return not_applicable(told, f"没有声明应有的邻居（变量 {NEIGHBOURS}），仅列出")
    seen = {one.port: one.name for one in health.neighbours(facts)}
    wrong = [f"{port} 是 {seen.get(port, '空的')}" for port, name in wanted.items() if seen.get(port) != name]
    return _judged(not wrong, "；".join(wrong) or f"{len(wanted)} 个邻居都在", "链路、对端或接线变了")


def _at_most(name: str, what: str, unit: str) -> Callable[[Params], str]:
    return lambda params: f"{what}不超过 {params.value(name)}{unit}"


_SUBJECTS = (
    _Subject("cpu", "处理器", health.CPU, _at_most("device_cpu_percent", "五分钟平均使用率", "%"), _cpu),
    _Subject("memory", "内存", health.MEMORY, _at_most("device_memory_percent", "使用率", "%"), _memory),
    _Subject(
        "power",
        "电源",
        health.POWER,
        lambda params: f"在位的都正常，正常的不少于 {params.value('device_power_units')} 个",
        _power,
    ),
    _Subject("fan", "风扇", health.FAN, lambda params: "在位的都正常", _fans),
    _Subject("errors", "接口错误", health.ERRORS, _at_most("device_error_ppm", "错误包每百万包", " 个"), _errors),
    _Subject(
        "uptime",
        "运行时间",
        health.VERSION,
        lambda params: f"{params.value('device_uptime_hours')} 小时内没有重启",
        _uptime,
    ),
)
