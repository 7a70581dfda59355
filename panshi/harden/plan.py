"""What a hardening run will do, leave and cost, from an audit of the very same hosts (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from panshi.controls import Catalogue, Control
from panshi.controls.catalogue import Risk
from panshi.harden.coverage import Coverage
from panshi.harden.selection import Selection
from panshi.record import PlanRow, VerdictRow
from panshi.verdict import Status

APPLY, OPT_IN, WAIVED, ELSEWHERE = "apply", "opt_in", "waived", "elsewhere"
ACTION_ZH = {APPLY: "本次整改", OPT_IN: "待选择加入", WAIVED: "已豁免，不改", ELSEWHERE: "不由加固完成"}
_OPEN = (Status.FAIL, Status.PARTIAL, Status.WAIVED, Status.ERROR)


def plan_rows(
    catalogue: Catalogue, verdicts: Sequence[VerdictRow], selections: Mapping[str, Selection], coverage: Coverage
) -> list[PlanRow]:
    """Return one row for every automatic check that is not met, host by host.

    Args:
        catalogue: for the cost of leaving a check.
        verdicts: of an audit of the hosts.
        selections: by host name; hosts without one are left out.
        coverage: which role does what.
    """
    return [
        _row(catalogue, verdict, selections[verdict.host], coverage)
        for verdict in verdicts
        if verdict.mode == "auto" and verdict.status in _OPEN and verdict.host in selections
    ]


def cost(control: Control) -> str:
    """Return in Chinese what an unmet check of a clause means in the assessment."""
    parts = [f"{control.id} 不符合，权重“{control.weight_2021}”"]
    cases = [f"{year} 版高风险判例 {_case(case)}" for year, case in sorted(control.high_risk.items()) if case]
    return "；".join(parts + cases)


def risk_text(risk: Risk) -> str:
    """Return in Chinese why a fix is left until the estate opts in."""
    disruption = {"medium": "可能影响业务", "high": "可能中断业务"}.get(risk.disruption, "")
    parts = ("可能锁定账户" if risk.lockout else "", disruption, "重启后生效" if risk.reboot else "")
    return "、".join(filter(None, parts))


def _case(case: Mapping[str, Any] | str) -> str:
    if isinstance(case, str):
        return case
    return str(case.get("case") or case.get("condition") or "适用")


def _row(catalogue: Catalogue, verdict: VerdictRow, selection: Selection, coverage: Coverage) -> PlanRow:
    check = verdict.check
    control = catalogue.controls[verdict.control]
    action, reason = _decide(check, verdict, selection, coverage, catalogue.checks[check].risk)
    return PlanRow(
        host=verdict.host,
        control=verdict.control,
        check=check,
        title=verdict.title,
        action=action,
        role=coverage.roles.get(check, ""),
        reason=reason,
        cost="" if action == APPLY else cost(control),
    )


def _decide(check: str, verdict: VerdictRow, selection: Selection, coverage: Coverage, risk: Risk) -> tuple[str, str]:
    if check in selection.waived:
        waiver = selection.waived[check]
        return WAIVED, f"{waiver.owner}：{waiver.reason}（至 {waiver.expires}）"
    if verdict.status is Status.ERROR:
        return ELSEWHERE, f"未能判定：{verdict.reason}"
    if check in coverage.elsewhere:
        return ELSEWHERE, coverage.elsewhere[check]
    if check in selection.opt_in:
        return OPT_IN, risk_text(risk)
    if check in selection.narrowed:
        return OPT_IN, "本次运行未选中（harden_checks）"
    return APPLY, verdict.observed
