"""Facts × catalogue → verdict rows: one row per host and check, whatever happens (pure)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from panshi.checks import CheckFunction
from panshi.controls import Catalogue, Check, Control, Params, Waiver, find_waiver
from panshi.facts import FactMissing, Facts
from panshi.record import VerdictRow
from panshi.verdict import Status, Verdict, manual, not_applicable

FAMILY_ZH = {"debian": "Debian 系", "rpm": "RPM 系", "unknown": "未知"}
# Long lists of evidence are in the row's evidence; the observed text names the first few.
_NAMED_MOST = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What is judged, and against what.

    Args:
        catalogue: for the texts of the accepted ranges.
        level: 2 or 3.
        selected: controls with their checks, in the order of the standard.
        written: check functions by id.
        waivers: signed exceptions of the estate, by the id that the record gives them.
        today: day on which waivers hold or have expired.
    """

    catalogue: Catalogue
    level: int
    selected: Sequence[tuple[Control, Check]]
    written: Mapping[str, CheckFunction]
    waivers: Mapping[str, Waiver] = field(default_factory=dict)
    today: dt.date = field(default_factory=dt.date.today)

    def of_targets(self, targets: Iterable[str]) -> list[Check]:
        """Return the selected checks of some technologies."""
        wanted = set(targets)
        return [check for _, check in self.selected if check.target in wanted]

    def planned(self, check: Check) -> bool:
        """Return whether an automatic check is still without its function."""
        return check.mode == "auto" and check.id not in self.written


def audit_host(plan: Plan, host: str, targets: Iterable[str], facts: Facts, params: Params) -> list[VerdictRow]:
    """Judge one host by every selected check of its technologies.

    Args:
        plan: what is judged.
        host: name.
        targets: the host's technologies.
        facts: what was collected.
        params: the parameters in force for this host.
    """
    rows = []
    for check in plan.of_targets(targets):
        with facts.trace() as looked_at:
            verdict = _judge(plan, check, facts, params)
        rows.append(_row(plan, host, check, verdict, verdict.evidence or tuple(looked_at)))
    return rows


def unread_host(plan: Plan, host: str, targets: Iterable[str], reason: str) -> list[VerdictRow]:
    """Return an error row for every check of a host that could not be read."""
    verdict = Verdict(Status.ERROR, "", reason=reason)
    return [_row(plan, host, check, verdict, ()) for check in plan.of_targets(targets)]


def _judge(plan: Plan, check: Check, facts: Facts, params: Params) -> Verdict:
    if plan.planned(check):
        return manual("", "检查尚未编写（planned），请人工核查")
    try:
        if check.families and facts.family not in check.families:
            return _other_family(check, facts.family)
        if check.mode != "auto":
            return _for_a_person(check, facts)
        return plan.written[check.id](facts, params)
    except FactMissing as missing:
        return Verdict(Status.ERROR, "", reason=str(missing))
    except Exception as error:  # noqa: BLE001 - a defect in one check must not cost the verdicts of all others
        return Verdict(Status.ERROR, "", reason=f"[PS-E9001] 检查程序出错：{type(error).__name__}: {error}"[:300])


def _other_family(check: Check, family: str) -> Verdict:
    wanted = "、".join(FAMILY_ZH.get(name, name) for name in check.families)
    if family == "unknown":
        return Verdict(Status.ERROR, "", reason=f"只适用于{wanted}，而采集结果看不出主机属于哪一系")
    return not_applicable(FAMILY_ZH[family], f"本项只适用于{wanted}")


def _for_a_person(check: Check, facts: Facts) -> Verdict:
    found = [item for item in sorted(facts.items) if any(fnmatchcase(item, pattern) for pattern in check.items)]
    named = "、".join(found[:_NAMED_MOST]) + (f" 等 {len(found)} 项" if len(found) > _NAMED_MOST else "")
    if check.mode == "evidence":
        observed = f"已取证：{named}" if found else "未取到证据"
        reason = "证据已随记录保存，由人工对照要求判定" if found else "采集结果中没有相关证据，须现场核查"
    else:
        observed = f"可参考：{named}" if found else ""
        reason = "须现场核查或访谈"
    return Verdict(Status.MANUAL, observed, reason=reason, evidence=tuple(found))


def _row(plan: Plan, host: str, check: Check, verdict: Verdict, evidence: Sequence[str]) -> VerdictRow:
    status, waiver = _waived(plan, host, check, verdict.status)
    return VerdictRow(
        host=host,
        control=check.control,
        check=check.id,
        title=check.title,
        target=check.target,
        mode=check.mode,
        scored=check.scored,
        planned=plan.planned(check),
        status=status,
        observed=verdict.observed,
        expected=check.expected_text(plan.catalogue.parameters(plan.level)),
        reason=verdict.reason,
        evidence=list(evidence),
        waiver=waiver,
    )


def _waived(plan: Plan, host: str, check: Check, status: Status) -> tuple[Status, dict[str, Any] | None]:
    if status not in (Status.FAIL, Status.PARTIAL):
        return status, None
    waiver = find_waiver(plan.waivers.values(), host, check)
    if waiver is None:
        return status, None
    waiver.used = True
    expired = waiver.expired(plan.today)
    number = next(key for key, value in plan.waivers.items() if value is waiver)
    note = {**describe_waiver(number, waiver), "expired": expired, "status": status.value}
    return (status if expired else Status.WAIVED), note


def describe_waiver(number: str, waiver: Waiver) -> dict[str, Any]:
    """Return a waiver's fields as the record keeps them.

    Args:
        number: its place in the estate's file, for example "W1".
        waiver: the signed exception.
    """
    return {
        "id": number,
        "selector": waiver.selector,
        "hosts": list(waiver.hosts),
        "owner": waiver.owner,
        "reason": waiver.reason,
        "expires": waiver.expires.isoformat(),
        "compensation": waiver.compensation,
        "ticket": waiver.ticket,
    }
