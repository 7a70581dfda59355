"""8.1.3.2: the filters that are in force, rule by rule."""

from __future__ import annotations

from panshi.checks.devices import device_check
from panshi.controls.params import Params
from panshi.facts.network import Device
from panshi.facts.network.model import Filter, Rule
from panshi.verdict import Verdict, failed, judge, not_applicable, partial, passed

_NAMED_MOST = 5
_TUPLE = frozenset({"protocol", "source", "destination", "port"})
_PORTLESS = ("icmp", "gre", "esp", "ahp", "ah", "ospf", "vrrp", "igmp", "pim", "eigrp", "89", "112")


def _none(params: Params) -> Verdict:
    """A device without filters: the estate says by ``net_boundary`` whether it stands at a boundary."""
    if params.value("net_boundary"):
        return failed("接口与区域间都没有访问控制", "边界设备（net_boundary）必须有访问控制")
    return not_applicable("接口与区域间都没有访问控制", "未登记为边界设备（net_boundary）")


def _listed(found: list[str]) -> str:
    return "；".join(found[:_NAMED_MOST]) + (f" 等 {len(found)} 条" if len(found) > _NAMED_MOST else "")


def _open_end(one: Filter) -> str:
    """What lets through whatever nobody named: a rule for everything, else what the platform does with the rest."""
    whole = _first_any(one)
    if whole:
        return whole.line if whole.permit else ""
    return one.rest.where if one.rest.value else ""


@device_check("net-acl-default-deny")
def default_deny(device: Device, params: Params) -> Verdict:
    """What no rule names is refused."""
    filters = device.filters()
    if not filters:
        return _none(params)
    open_ = [f"{one.name}（{one.where}）：{end}" for one in filters if (end := _open_end(one))]
    observed = "、".join(f"{one.name}（{len(one.rules)} 条）" for one in filters)
    return judge(not open_, observed, _listed(open_))


@device_check("net-acl-any-any")
def any_any(device: Device, params: Params) -> Verdict:
    """No rule lets everything through, unless one before it has already refused everything."""
    filters = device.filters()
    if not filters:
        return _none(params)
    wide = [f"{one.name}：{rule.line}" for one in filters if (rule := _first_any(one)) and rule.permit]
    return judge(not wide, f"{len(filters)} 个访问控制中全通规则 {len(wide)} 条", _listed(wide))


def _first_any(one: Filter) -> Rule | None:
    return next((rule for rule in one.rules if rule.any), None)


@device_check("net-acl-5tuple")
def five_tuple(device: Device, params: Params) -> Verdict:
    """Rules that let through name source, destination, protocol and port."""
    filters = device.filters()
    if not filters:
        return _none(params)
    basic = [f"{one.name}（{one.where}）" for one in filters if not one.advanced]
    if basic:
        return failed(f"基本 ACL 用于访问控制：{'、'.join(basic)}", "基本 ACL 只看源地址")
    permits = [(one, rule) for one in filters for rule in one.rules if rule.permit]
    loose = [f"{one.name}：{rule.line}" for one, rule in permits if not _whole(rule)]
    if not loose:
        return passed(f"{len(permits)} 条允许规则均写明源、目的、协议与端口")
    observed = f"{len(permits)} 条允许规则中 {len(loose)} 条不完整"
    return (failed if len(loose) == len(permits) else partial)(observed, _listed(loose))


def _whole(rule: Rule) -> bool:
    words = set(rule.line.split())
    return not (_TUPLE - rule.named - ({"port"} if words & set(_PORTLESS) else set()))
