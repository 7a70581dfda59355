"""What is reviewed before policies are pushed: the findings of the set, and the plan of all devices (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from panshi.errors import PanshiError
from panshi.network.plan import DevicePlan, Plan
from panshi.network.policy.analyse import KINDS_ZH, Finding, findings
from panshi.network.policy.change import DeviceChange
from panshi.network.policy.matrix import matrix, proof
from panshi.network.policy.model import PolicySet
from panshi.network.policy.push import Found
from panshi.record import PolicyFindingRow, PolicyMatrixRow

JOB = "network_policy"
_REVIEW = {"differences": "差异", "opens": "将放行（现在不放行）", "closes": "将不再放行（现在放行）"}


def finding_rows(policies: PolicySet, day: date) -> list[PolicyFindingRow]:
    """Return the findings of a policy set for its record.

    Args:
        policies: the set.
        day: for what expires.
    """
    by_name = {one.name: one for one in policies.policies}
    found = []
    for one in (*findings(policies, day), *_unproven(policies, day)):
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


def _unproven(policies: PolicySet, day: date) -> Iterator[Finding]:
    """Yield what keeps the matrix from being what was published."""
    shown = proof(policies, day)
    for name, packet, by in shown.closed:
        yield Finding("closed", name, f"对外服务 {name} 不通：被 {by} 拒绝", packet, by)
    for name, packet in shown.open:
        yield Finding("unpublished", name, f"策略 {name} 放行了没有登记为对外服务的流量", packet)


def matrix_row(policies: PolicySet, day: date) -> PolicyMatrixRow:
    """Return the connectivity matrix of a policy set for its record."""
    return PolicyMatrixRow(file=policies.file, zones=policies.titles, cells=matrix(policies.rules(day), policies.zones))


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


def differences_of(change: DeviceChange) -> str:
    """Return what a person reads of a change, in lines."""
    return "\n".join(f"{title}：{line}" for key, title in _REVIEW.items() for line in getattr(change, key))


def line_of(row: PolicyFindingRow) -> str:
    """Return what the operator is shown of a finding."""
    return f"{row.title}：{row.text}" + (f"；例如 {row.packet}" if row.packet else "")
