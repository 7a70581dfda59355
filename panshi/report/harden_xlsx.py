"""The before-and-after workbook: host by host and row by row, for those who fill in and sign forms."""

from __future__ import annotations

from typing import Any

from openpyxl import Workbook

from panshi.judges.compare import result_text
from panshi.record import VerdictRow
from panshi.report import score
from panshi.report.harden import (
    ACTION_ZH,
    APPLY,
    EVENT_ZH,
    OPT_IN,
    OUTCOME_ZH,
    Hardening,
    Outcome,
    Step,
    brief,
    edits,
    high_risk,
    progress,
    titles,
)
from panshi.report.model import BUCKETS, RESULT_ZH
from panshi.report.sheet import A3, SIGNATURE, Table, new_book, packed
from panshi.report.text import LEVEL_ZH, beijing, names
from panshi.verdict import STATUS_ZH


def render(report: Hardening) -> bytes:
    """Return the workbook."""
    book = new_book(f"{report.run.begin.estate} 加固前后对照 {report.run.begin.run}")
    _summary(book, report)
    _steps(book, report)
    _left(book, report)
    _clauses(book, report)
    _rows(book, report)
    _changes(book, report)
    _guards(book, report)
    _judges(book, report)
    return packed(book)


def _summary(book: Workbook, report: Hardening) -> None:
    table = Table(book, "汇总", [("项目", 34), ("加固前", 44), ("加固后", 44), ("说明", 60)], "A2")
    run, old, new = report.run, report.before, report.after
    rows: list[tuple[Any, ...]] = [
        ("环境", run.begin.estate, "", f"GB/T 22239-2019，{LEVEL_ZH[run.begin.level]}"),
        ("审计运行", old.run.begin.run, new.run.begin.run, "只取本次加固涉及的主机"),
        ("审计开始时间", beijing(old.run.begin_time), beijing(new.run.begin_time), ""),
        ("审计记录链头", old.run.head, new.run.head, "SHA-256；用 panshi report --verify 可核对"),
        ("加固运行", run.begin.run, "", f"{beijing(run.begin_time)}，执行人 {run.begin.operator}"),
        ("加固记录链头", run.head, "", "出具时三次运行均已校验通过"),
        ("自动检查行通过率", progress(old).text, progress(new).text, "不适用的不计，未能判定与已豁免的不算通过"),
        ("除去已豁免的行", *(progress(one).without_waived.text for one in (old, new)), "豁免只在此行不计"),
        ("条款符合率（严格）", *(score.percent(score.rate(one.clauses, strict=True).value) for one in (old, new)), ""),
        ("条款符合率（加权）", *(score.percent(score.rate(one.clauses, strict=False).value) for one in (old, new)), ""),
        ("疑似高风险", len(old.risks), len(new.risks), f"{old.year} 版判例；疑似，须按条件核定"),
        *((f"检查行：{label}", old.counts[key], new.counts[key], "") for key, label in BUCKETS.items()),
        *((f"条款 × 主机：{label}", old.results[key], new.results[key], "") for key, label in RESULT_ZH.items()),
        *((f"主机 {host}：通过率", progress(old, host).text, progress(new, host).text, "") for host in report.hosts),
        *((f"整改项：{label}", "", report.outcomes[key], "") for key, label in OUTCOME_ZH.items()),
        ("完整落实的条款", "", len(report.done_clauses), "、".join(report.done_clauses)),
        ("变更", "", len(run.changes), f"跳过 {len(run.skips)} 处"),
    ]  # fmt: skip
    for row in rows:
        table.append(row)


def _steps(book: Workbook, report: Hardening) -> None:
    columns = [
        ("条款", 12), ("条款名称", 22), ("检查项", 30), ("主机", 15), ("系统", 18), ("角色", 13),
        ("变更", 56), ("加固前判定", 11), ("加固前观测", 34), ("加固后判定", 11),
        ("加固后观测", 34), ("结果", 10), *SIGNATURE,
    ]  # fmt: skip
    table = Table(book, "加固对照表", columns, "D2", A3)
    named, systems = titles(report), {host.name: host.row.os for host in report.after.hosts}
    for step in report.applied:
        plan = step.plan
        table.append(
            [
                plan.control, named[plan.control], f"{plan.title}\n{plan.check}", plan.host,
                systems.get(plan.host, ""), plan.role,
                "\n".join(brief(edits(step.changes))) or "本次没有为它登记变更",
                *_verdict(step.before), *_verdict(step.after), OUTCOME_ZH[step.outcome], "", "", "",
            ],
            ink=INK[step.outcome], at=11,
        )  # fmt: skip
    table.close()


def _left(book: Workbook, report: Hardening) -> None:
    columns = [
        ("处置", 14), ("条款", 12), ("条款名称", 22), ("检查项", 30), ("主机", 15), ("原因", 44),
        ("权重", 8), ("高风险判例", 44), ("测评代价", 44), ("加固后判定", 12),
    ]  # fmt: skip
    table = Table(book, "留待与不做", columns, "D2", A3)
    named, cases, controls = titles(report), high_risk(report), report.before.run.begin.controls
    rank = {action: place for place, action in enumerate((OPT_IN, "waived", "elsewhere", "not_applicable"))}
    for step in sorted(_not_applied(report), key=lambda step: rank.get(step.plan.action, len(rank))):
        plan = step.plan
        weight = str(controls.get(plan.control, {}).get("weight_2021", ""))
        table.append(
            [
                ACTION_ZH.get(plan.action, plan.action), plan.control, named[plan.control],
                f"{plan.title}\n{plan.check}", plan.host, plan.reason, weight, cases[plan.control], plan.cost,
                _verdict(step.after)[0],
            ]
        )  # fmt: skip
    for (role, resource, why), hosts in report.skips.items():
        table.append(["跳过", "", role, resource, names(hosts), why, "", "", "", ""])
    table.close()


def _clauses(book: Workbook, report: Hardening) -> None:
    columns = [("条款", 12), ("条款名称", 30), *((host, 22) for host in report.hosts)]
    table = Table(book, "条款前后", columns, "C2", A3)
    named, old, new = titles(report), report.cells(report.before), report.cells(report.after)
    for clause in report.clauses:
        labels = ((cells.get((clause, host)) for cells in (old, new)) for host in report.hosts)
        table.append(
            [clause, named[clause], *(" → ".join(cell.label if cell else "无" for cell in both) for both in labels)]
        )
    table.close()


def _rows(book: Workbook, report: Hardening) -> None:
    columns = [
        ("主机", 15), ("条款", 12), ("检查项", 32), ("加固前判定", 12), ("加固前观测", 44),
        ("加固后判定", 12), ("加固后观测", 44), ("要求", 40),
    ]  # fmt: skip
    table = Table(book, "逐行前后", columns, "D2", A3)
    old = {(row.host, row.check): row for row in report.before.run.verdicts}
    new = {(row.host, row.check): row for row in report.after.run.verdicts}
    for key in dict.fromkeys([*new, *old]):
        row = new.get(key) or old[key]
        values = [row.host, row.control, f"{row.title}\n{row.check}", *_verdict(old.get(key)), *_verdict(new.get(key))]
        table.append([*values, row.expected])
    table.close()


def _changes(book: Workbook, report: Hardening) -> None:
    columns = [("主机", 15), ("角色", 14), ("资源", 44), ("名称", 30), ("检查项", 44), ("改前", 44), ("改后", 44)]
    table = Table(book, "变更明细", columns, "D2", A3)
    for one in report.run.changes:
        checks = "\n".join(one.checks)
        table.append([one.host, one.role, one.resource, one.title, checks, one.before or "无", one.after or "无"])
    table.close()


def _guards(book: Workbook, report: Hardening) -> None:
    columns = [("主机", 15), ("角色", 14), ("事件", 24), ("说明", 90), ("用时（秒）", 12)]
    table = Table(book, "防锁定守护", columns, "A2")
    for one in report.run.guards:
        table.append([one.host, one.role, EVENT_ZH.get(one.event, one.event), one.detail, round(one.seconds, 1)])
    table.close()


def _judges(book: Workbook, report: Hardening) -> None:
    columns = [
        ("评判", 12), ("主机", 16), ("加固前", 40), ("加固后", 40), ("已消除意见", 12), ("版本", 24),
        ("规则", 30), ("系统", 24),
    ]  # fmt: skip
    table = Table(book, "外部评判", columns, "C2")
    for pair in report.judges.pairs:
        one = pair.after or pair.before
        assert one is not None
        results = [result_text(pair.before), result_text(pair.after)]
        table.append([pair.judge, pair.host, *results, pair.settled, one.version, one.profile, one.os])
    table.close()
    columns = [("评判", 12), ("意见", 40), ("程度", 12), ("原文", 70), ("答复", 10), ("理由", 70), ("主机", 40)]
    table = Table(book, "外部评判仍有意见", columns, "C2", A3)
    for left in report.judges.remaining:
        complaint = left.complaint
        table.append(
            [left.judge, complaint.id, complaint.severity, complaint.text, left.answer.kind, left.answer.why]
            + ["、".join(left.hosts)]
        )
    table.close()


def _not_applied(report: Hardening) -> list[Step]:
    return [step for step in report.steps if step.plan.action != APPLY]


def _verdict(row: VerdictRow | None) -> list[str]:
    return [STATUS_ZH[row.status], row.observed or row.reason] if row else ["无此行", ""]


# Colours of the outcomes are those of the verdicts that decide them.
INK = {
    Outcome.DONE: "pass",
    Outcome.OPEN: "fail",
    Outcome.UNPROVEN: "error",
    Outcome.NOT_APPLICABLE: "not_applicable",
}
