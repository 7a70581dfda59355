"""Whether a plan may be carried out now, and on a host as it is now (pure)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from panshi.document import digest
from panshi.errors import PanshiError
from panshi.patch.plan import Plan


def refusals(plan: Plan, signed: str, now: dt.datetime) -> list[PanshiError]:
    """Return why a plan may not be carried out now.

    Args:
        plan: as it is on the disk.
        signed: the digest that the operator was given with the signature; a shorter beginning will not do.
        now: local time.
    """
    found = []
    if not signed:
        found.append(PanshiError("PS-E6103", "没有给出签字的摘要", "加 -e plan_sha256=<方案首页的摘要>"))
    elif signed.strip().lower() != digest(plan.document):
        found.append(
            PanshiError("PS-E6103", "计划的内容与签字的摘要不符：签字之后被改过，或摘要抄错", "重新生成方案并签字")
        )
    window = plan.document.get("window") or {}
    if reason := outside(window, now):
        found.append(PanshiError("PS-E6104", reason, "等到窗口之内，或改窗口后重新签字"))
    if reason := untested(plan.document.get("test_copy") or {}, now.date()):
        found.append(PanshiError("PS-E6105", reason, "先在测试副本上运行满规定的天数，填写日期后重新签字"))
    blocked = {name: host["blockers"] for name, host in plan.hosts.items() if host.get("blockers")}
    found += [
        PanshiError(
            "PS-E6106",
            f"主机 {name} 有没有解决的障碍：{'；'.join(reasons)}",
            "解决后重新制订计划，或从计划中删去该主机",
        )
        for name, reasons in blocked.items()
    ]
    return found


def missing(plan: Plan, known: Iterable[str]) -> list[PanshiError]:
    """Return an error when hosts of the plan are not in the play; without them the waves would not be the signed ones.

    Args:
        plan: as it is on the disk.
        known: the hosts of the play.
    """
    if absent := sorted(set(plan.hosts) - set(known)):
        text = f"计划中的主机 {'、'.join(absent)} 不在清单中，或被 --limit 排除"
        return [PanshiError("PS-E6111", text, "不用 --limit；不做的主机从计划中删去，重新签字")]
    return []


def lost(plan: Plan, host: str, active: Iterable[str]) -> list[PanshiError]:
    """Return an error when hosts of a wave no longer answer, so that the next wave does not begin.

    Args:
        plan: as it is on the disk.
        host: one of the wave that does answer.
        active: the hosts of the play that have neither failed nor gone silent.
    """
    wave = next((wave for wave in plan.waves if host in wave), [])
    if silent := sorted(set(wave) - set(active)):
        text = f"这一批的主机 {'、'.join(silent)} 失去联系；后面的批次没有动"
        return [PanshiError("PS-E6113", text, "到控制台查看这些主机，恢复之后再运行同一条命令")]
    return []


def outside(window: Mapping[str, Any], now: dt.datetime) -> str:
    """Return in Chinese why a time is not inside a window; a side that is empty is open."""
    for key, late in (("from", False), ("until", True)):
        text = str(window.get(key) or "")
        if not text:
            continue
        try:
            limit = dt.datetime.fromisoformat(text)
        except ValueError:
            return f"窗口的 {key} = {text!r} 不是时间（写法 2026-12-01 22:00）"
        if (now > limit) if late else (now < limit):
            return (
                f"现在 {now:%Y-%m-%d %H:%M} 不在窗口 {window.get('from') or '…'} 至 {window.get('until') or '…'} 之内"
            )
    return ""


def untested(copy: Mapping[str, Any], today: dt.date) -> str:
    """Return in Chinese what the test copy still owes; a plan without one owes nothing."""
    host, days = str(copy.get("host") or ""), int(copy.get("days") or 0)
    if not host:
        return ""
    try:
        patched = dt.date.fromisoformat(str(copy.get("patched_on")))
    except ValueError:
        return f"测试副本 {host} 没有写明打补丁的日期（test_copy.patched_on）"
    if (today - patched).days < days:
        return f"测试副本 {host} 于 {patched} 打补丁，还没有运行满 {days} 天"
    return ""


def drift(
    planned: Sequence[Mapping[str, Any]],
    installed: Mapping[str, str],
    offered: Mapping[str, str],
    held: Collection[str] = (),
) -> list[str]:
    """Return in Chinese how a host differs from what its plan was made for.

    Args:
        planned: packages of the plan.
        installed: version by package name, now; several with commas between them, as rpm keeps kernels.
        offered: the version that the sources would install now, by package name.
        held: names of the packages that somebody has locked.
    """
    lines = []
    for one in planned:
        name, here = one["name"], installed.get(one["name"], "")
        if one["to"] in here.split(","):
            continue
        if one["from"] not in here.split(","):
            lines.append(f"{name} 现为 {here or '未安装'}，计划时为 {one['from'] or '未安装'}")
        elif name in held:
            lines.append(f"{name} 现在被锁定，不再更新")
        elif name not in offered:
            lines.append(f"{name} 计划 {one['to']}，软件源现在没有")
        elif offered[name] != one["to"]:
            lines.append(f"{name} 计划 {one['to']}，软件源现在给 {offered[name]}")
    return lines
