"""差距分析与整改建议: what fails, what is asked for, how to mend it, what mending can break, in the order of doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docx.document import Document

from panshi.report import page, score
from panshi.report.model import BUCKETS, DISRUPTION_ZH, RESULT_ZH, STATE_ZH, Clause, Finding, Report, Result, Risk
from panshi.report.text import LEVEL_ZH, beijing, how, names, printable, risk_text, waiver_text
from panshi.verdict import STATUS_ZH, Status

_DISRUPTION = {"low": 0, "medium": 1, "high": 2}


@dataclass(frozen=True, slots=True)
class Gap:
    """One failing clause with what has to be mended, the least disruptive first.

    Args:
        clause: the clause.
        risk: its suspected high risk, or None.
        findings: failing and partial findings, waived ones left out.
        disruption: of the most disruptive fix: 0 low, 1 medium, 2 high.
    """

    clause: Clause
    risk: Risk | None
    findings: tuple[Finding, ...]
    disruption: int


def gaps(report: Report) -> list[Gap]:
    """Return the failing clauses in the order of doing: suspected high risk first, then low disruption first."""
    checks = report.run.begin.checks
    risks = {risk.clause.id: risk for risk in report.risks}

    def disruption(finding: Finding) -> int:
        return _DISRUPTION.get(checks[finding.check]["risk"]["disruption"], 2)

    found = []
    for clause in report.clauses:
        findings = sorted((f for f in clause.findings if f.status is not Status.WAIVED), key=disruption)
        if clause.failing_hosts and findings:
            found.append(Gap(clause, risks.get(clause.id), tuple(findings), max(map(disruption, findings))))
    return sorted(found, key=lambda gap: (gap.risk is None, gap.disruption))


def render(report: Report, *, with_2021: bool = False) -> bytes:
    """Return the document.

    Args:
        report: a verified, complete run.
        with_2021: also print the 2021 score.
    """
    begin = report.run.begin
    document = page.new_document(
        f"{begin.estate} 等级保护差距分析与整改建议",
        f"{begin.estate} 差距分析与整改建议　{begin.run}",
        datetime.fromisoformat(report.run.begin_time),
    )
    _title(document, report)
    _overview(document, report, with_2021)
    found = gaps(report)
    _order(document, report, found)
    _details(document, report, found)
    _rest(document, report)
    return page.packed(document)


def _title(document: Document, report: Report) -> None:
    run, begin = report.run, report.run.begin
    page.title(document, "等级保护差距分析与整改建议")
    page.facts(
        document,
        [
            ("环境", begin.estate),
            ("依据", f"GB/T 22239-2019，{LEVEL_ZH[begin.level]}；风险判例 {report.year} 版"),
            ("核查时间", beijing(run.begin_time)),
            ("运行编号", begin.run),
            ("核查基线", begin.profile_title or begin.profile),
            ("执行人", begin.operator),
            ("记录链头", run.head),
        ],
    )
    emulated = [host.name for host in report.hosts if host.row.emulated]
    if emulated:
        page.text(document, f"其中仿真主机 {len(emulated)} 台（{names(emulated)}），结果不代表真实系统。")
    page.text(document, "本文由只读核查的运行记录生成，未对主机作任何更改；供整改与迎检准备使用，不代替等级测评报告。")


def _overview(document: Document, report: Report, with_2021: bool) -> None:
    assert report.run.end is not None
    document.add_heading("一、总体情况", 1)
    strict, weighted = score.rate(report.clauses, strict=True), score.rate(report.clauses, strict=False)
    states = "，".join(f"{STATE_ZH.get(key, key)} {number}" for key, number in report.run.end.hosts.items() if number)
    rows = [
        ("主机", f"{len(report.hosts)} 台（{states}）"),
        ("检查行", f"{len(report.run.verdicts)} 行：" + _counts(report.counts, BUCKETS)),
        ("条款 × 主机", f"{report.results.total()} 个：" + _counts(report.results, RESULT_ZH)),
        ("符合率（严格）", f"{score.percent(strict.value)}（已判定 {strict.settled}/{strict.applicable} 个条款）"),
        ("符合率（加权）", f"{score.percent(weighted.value)}"),
        (
            "2025 版结论估算",
            f"严格：{score.conclusion_2025(strict.value, len(report.major))}；"
            f"加权：{score.conclusion_2025(weighted.value, len(report.major))}（按已判定自动项估算）",
        ),
        ("疑似高风险", f"{len(report.risks)} 项，其中重大风险隐患触发项 {len(report.major)} 项；疑似，须按条件核定"),
    ]
    if with_2021:
        total = f"{float(score.score_2021(report).total):.2f}"
        rows.append(("2021 版分数上限", f"{total}（公式未核实；未判定条款按符合计）"))
    page.facts(document, rows)
    page.text(
        document,
        "严格指部分符合计 0，加权指部分符合计 0.5；公开的 2025 版问答没有说明取哪种，故并列。"
        "待核查、未能判定与已豁免的项均不计为符合。",
    )


def _order(document: Document, report: Report, found: Sequence[Gap]) -> None:
    document.add_heading("二、整改顺序", 1)
    if not found:
        page.text(document, "没有不符合或部分符合的条款需要整改。")
        return
    page.text(
        document, "先疑似高风险，后其他；同类中先做业务中断风险低的。有锁定登录风险的整改须先备好第二条登录通道。"
    )
    rows = []
    for number, gap in enumerate(found, start=1):
        risks = [report.run.begin.checks[finding.check]["risk"] for finding in gap.findings]
        rows.append(
            [
                str(number),
                f"{gap.clause.id} {gap.clause.snapshot['title']}",
                "是" + (f"（{gap.risk.trigger}）" if gap.risk.trigger else "") if gap.risk else "",
                f"{len(gap.clause.failing_hosts)} 台",
                list(DISRUPTION_ZH.values())[gap.disruption],
                "是" if any(risk["reboot"] for risk in risks) else "否",
                "有" if any(risk["lockout"] for risk in risks) else "无",
            ]
        )
    head = ["序号", "条款", "疑似高风险", "主机", "中断风险", "须重启", "锁定风险"]
    page.table(document, head, rows, [1.2, 6.6, 2.4, 1.5, 1.7, 1.5, 1.7])


def _details(document: Document, report: Report, found: Sequence[Gap]) -> None:
    document.add_heading("三、逐条差距与整改建议", 1)
    checks = report.run.begin.checks
    for number, gap in enumerate(found, start=1):
        clause = gap.clause
        document.add_heading(printable(f"{number}. {clause.id} {clause.snapshot['title']}"), 2)
        rows = [("要求", str(clause.snapshot["requirement"])), ("结果", _results(clause))]
        rows.append(("涉及主机", names(clause.failing_hosts)))
        if gap.risk is not None:
            rule = f"{gap.risk.condition}。可降级情形：{gap.risk.downgrade or '无'}。疑似，须按条件核定。"
            rows.append((f"{report.year} 版判例", rule))
        page.facts(document, rows)
        for check in dict.fromkeys(finding.check for finding in gap.findings):
            same = [finding for finding in gap.findings if finding.check == check]
            document.add_heading(printable(f"{same[0].title}（{check}）"), 3)
            gap_rows = [
                ("现状", "\n".join(f"{f.observed}（{STATUS_ZH[f.status]}，{names(f.hosts, 6)}）" for f in same)),
                ("要求", "\n".join(dict.fromkeys(f.expected for f in same if f.expected)) or "—"),
                ("差距", "\n".join(dict.fromkeys(f.reason for f in same if f.reason)) or "—"),
                ("整改建议", how(checks[check]["fix"]) or "—"),
                ("整改风险", risk_text(checks[check]["risk"])),
            ]
            page.facts(document, gap_rows)


def _rest(document: Document, report: Report) -> None:
    document.add_heading("四、尚无结论的项", 1)
    waiting = [clause for clause in report.clauses if clause.results[Result.PENDING]]
    page.text(
        document,
        f"待人工核查 {report.counts[Status.MANUAL]} 行，检查未编写 {report.counts['planned']} 行，"
        f"未能判定 {report.counts[Status.ERROR]} 行。这些项不计为符合，须补齐后再下结论。",
    )
    if waiting:
        rows = [
            [clause.id, str(clause.snapshot["title"]), f"{clause.results[Result.PENDING]} 台"] for clause in waiting
        ]
        page.table(document, ["条款", "名称", "待核查主机"], rows, [3, 10.6, 3])
    if report.errors:
        rows = [[group.reason, str(group.rows), names(group.hosts)] for group in report.errors]
        page.table(document, ["未能判定的原因", "行数", "主机"], rows, [9, 1.6, 6])
    document.add_heading("五、已豁免的项", 1)
    if not report.waived:
        page.text(document, "本次没有检查行涉及豁免。")
        return
    page.text(document, "豁免只记录责任与期限，不改变事实，不计为符合。")
    rows = [[row.host, f"{row.control} {row.title}", waiver_text(row.waiver)] for row in report.waived]
    page.table(document, ["主机", "检查项", "豁免"], rows, [2.8, 5.4, 8.4])


def _counts(counts: Mapping[Any, int], labels: Mapping[Any, str]) -> str:
    return "，".join(f"{label} {counts[key]}" for key, label in labels.items() if counts[key])


def _results(clause: Clause) -> str:
    return "，".join(f"{label} {clause.results[key]} 台" for key, label in RESULT_ZH.items() if clause.results[key])
