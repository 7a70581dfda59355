"""What is reviewed before policies are pushed: the findings of the set, and the plan of all devices (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from panshi.errors import PanshiError
from panshi.network.plan import DevicePlan, Plan
from panshi.network.policy.analyse import KINDS_ZH, findings
from panshi.network.policy.model import PolicySet
from panshi.network.policy.push import Found
from panshi.record import PolicyFindingRow

JOB = "network_policy"
_REVIEW = {"differences": "差异", "opens": "将放行（现在不放行）", "closes": "将不再放行"}


def finding_rows(policies: PolicySet, day: date) -> list[PolicyFindingRow]:
    """Return the findings of a policy set for its record.

    Args:
        policies: the set.
        day: for what expires.
    """
    by_name = {one.name: one for one in policies.policies}
    found = []
    for one in findings(policies, day):
        policy = by_name.get(one.name)
        found.append(
            PolicyFindingRow(
                finding=one.kind,
                title=KINDS_ZH[one.kind],
                name=one.name,
                other=one.other,
                owner=policy.owner if policy else "",
                ticket=policy.ticket if policy else "",
                text=one.text,
                packet=one.packet.text(policies.zones) if one.packet else "",
            )
        )
    return found


def plan_of(digests: Mapping[str, str], day: date, answers: Mapping[str, Mapping[str, Any]], **whose: str) -> Plan:
    """Return the plan of what devices have answered.

    Args:
        digests: of the policy sets, by file name.
        day: for which the devices were asked.
        answers: by device, what ``net_policy`` has returned in check mode.
        **whose: ``estate``, ``run``, ``made`` and ``operator`` of the plan.
    """
    devices = {
        name: DevicePlan(
            one["running"],
            tuple(one["commands"]),
            {title: list(one[key]) for key, title in _REVIEW.items()},
        )
        for name, one in sorted(answers.items())
        if one["commands"]
    }
    return Plan(job=JOB, about={"day": day.isoformat(), **digests}, devices=devices, **whose)


def as_planned(plan: Plan, policies: PolicySet, name: str, found: Found) -> None:
    """Refuse a plan that is not what would be done now.

    Args:
        plan: that was approved.
        policies: as they are now.
        name: of the device.
        found: what the device holds now.

    Raises:
        PanshiError: PS-E8110 device or policies have changed since.
    """
    planned = plan.device(name)
    what = ""
    if plan.about.get(policies.file) != policies.digest:
        what = f"策略文件 {policies.file} 自计划以来变了"
    elif planned.running != found.running and found.change.commands:
        what = f"设备 {name} 的配置自计划以来变了"
    elif found.change.commands and planned.commands != found.change.commands:
        what = f"设备 {name} 的命令与计划不同"
    if what:
        raise PanshiError("PS-E8110", f"{what}；没有改动", "重新生成计划，核对后再执行")


def line_of(row: PolicyFindingRow) -> str:
    """Return what the operator is shown of a finding."""
    return f"{row.title}：{row.text}" + (f"；例如 {row.packet}" if row.packet else "")


def lines_of(plan: Plan) -> list[str]:
    """Return what the operator is shown of a plan."""
    found = []
    for name, one in plan.devices.items():
        found.append(f"设备 {name}：{len(one.commands)} 条命令")
        found += [f"  {title}：{line}" for title, lines in one.review.items() for line in lines]
    return found
