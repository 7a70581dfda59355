"""加固实施报告: what was done, what it changed in the audit, what was left and what that costs; for signature."""

from __future__ import annotations

from datetime import datetime

from docx.document import Document

from panshi.judges.compare import result_text
from panshi.report import page, score
from panshi.report.harden import APPLY, EVENT_ZH, OPT_IN, OUTCOME_ZH, Hardening, brief, high_risk, progress, titles
from panshi.report.text import LEVEL_ZH, beijing, names


def render(report: Hardening) -> bytes:
    """Return the document."""
    begin = report.run.begin
    document = page.new_document(
        f"{begin.estate} 等级保护加固实施报告",
        f"{begin.estate} 加固实施报告　{begin.run}",
        datetime.fromisoformat(report.run.begin_time),
    )
    page.title(document, "等级保护加固实施报告")
    _runs(document, report)
    _overview(document, report)
    _applied(document, report)
    _left(document, report)
    _guards(document, report)
    _judges(document, report)
    document.add_heading("六、签字", 1)
    page.table(
        document,
        ["角色", "姓名", "签字", "日期"],
        [[who, "", "", ""] for who in ("实施", "复核", "批准")],
        [4, 4, 5, 3.6],
    )
    return page.packed(document)


def _runs(document: Document, report: Hardening) -> None:
    run = report.run
    page.facts(
        document,
        [
            ("环境", run.begin.estate),
            ("依据", f"GB/T 22239-2019，{LEVEL_ZH[run.begin.level]}；风险判例 {report.before.year} 版"),
            ("主机", f"{len(report.hosts)} 台：{names(report.hosts)}"),
            ("执行人", run.begin.operator),
            *(
                (title, f"{one.begin.run}，{beijing(one.begin_time)}\n记录链头 {one.head}")
                for title, one in (("加固前审计", report.before.run), ("加固", run), ("加固后审计", report.after.run))
            ),
        ],
    )
    page.text(document, "本文由三次运行的记录生成，以加固后的审计为准；不代替等级测评报告。")


def _overview(document: Document, report: Hardening) -> None:
    document.add_heading("一、前后对照", 1)
    old, new = report.before, report.after
    rows = [["自动检查行通过率", progress(old).text, progress(new).text]]
    for title, strict in (("条款符合率（严格）", True), ("条款符合率（加权）", False)):
        rows.append([title, *(score.percent(score.rate(one.clauses, strict=strict).value) for one in (old, new))])
    rows.append(["疑似高风险", f"{len(old.risks)} 项", f"{len(new.risks)} 项"])
    rows += [[f"主机 {host}", progress(old, host).text, progress(new, host).text] for host in report.hosts]
    page.table(document, ["项目", "加固前", "加固后"], rows, [7.6, 4.5, 4.5])
    ends = "，".join(f"{label} {report.outcomes[key]}" for key, label in OUTCOME_ZH.items() if report.outcomes[key])
    page.text(
        document, f"计划整改 {len(report.applied)} 项 × 主机：{ends or '无'}。变更 {len(report.run.changes)} 处。"
    )


def _applied(document: Document, report: Hardening) -> None:
    document.add_heading("二、整改项", 1)
    named = titles(report)
    rows = [
        [
            f"{clause} {named[clause]}",
            group.plan.title,
            OUTCOME_ZH[group.outcome],
            "\n".join(brief(group.changes)) or "—",
            names(group.hosts, 6),
        ]
        for clause, groups in report.groups(APPLY).items()
        for group in groups
    ]
    if not rows:
        page.text(document, "本次没有计划整改的检查项。")
        return
    page.text(document, "只有加固后的审计判为符合，才记“已完成”。改前、改后的取值见 xlsx 的“加固对照表”。")
    page.table(document, ["条款", "检查项", "结果", "变更", "主机"], rows, [3.2, 3.6, 1.6, 5.6, 2.6])


def _left(document: Document, report: Hardening) -> None:
    document.add_heading("三、没有做的及其代价", 1)
    named, cases = titles(report), high_risk(report)
    for title, action in (("留待选项", OPT_IN), ("已豁免", "waived"), ("不由加固完成", "elsewhere")):
        rows = [
            [
                f"{clause} {named[clause]}\n{group.plan.title}",
                group.plan.reason,
                "。".join(filter(None, (group.plan.cost, cases[clause]))),
                names(group.hosts, 6),
            ]
            for clause, groups in report.groups(action).items()
            for group in groups
        ]
        document.add_heading(title, 2)
        if rows:
            page.table(document, ["条款与检查项", "原因", "测评代价", "主机"], rows, [4.6, 4, 5.2, 2.8])
        else:
            page.text(document, "无。")
    if report.skips:
        document.add_heading("跳过", 2)
        rows = [[role, resource, why, names(hosts, 6)] for (role, resource, why), hosts in report.skips.items()]
        page.table(document, ["角色", "资源", "原因", "主机"], rows, [2.4, 5, 6.4, 2.8])


def _guards(document: Document, report: Hardening) -> None:
    document.add_heading("四、防锁定守护", 1)
    counts = "，".join(f"{label} {report.events[key]} 次" for key, label in EVENT_ZH.items() if report.events[key])
    page.text(document, f"{counts or '本次没有需要守护的变更'}。")
    if report.alarms:
        rows = [[one.host, one.role, EVENT_ZH[one.event], one.detail] for one in report.alarms]
        page.table(document, ["主机", "角色", "事件", "说明"], rows, [2.8, 2.4, 3, 8.4])


def _judges(document: Document, report: Hardening) -> None:
    document.add_heading("五、外部评判", 1)
    if not report.judges.pairs:
        page.text(document, "没有外部评判的结果。")
        return
    rows = [[pair.judge, pair.host, result_text(pair.before), result_text(pair.after)] for pair in report.judges.pairs]
    page.table(document, ["评判", "主机", "加固前", "加固后"], rows, [2.2, 2.8, 5.8, 5.8])
    kinds: dict[str, int] = {}
    for one in report.judges.remaining:
        kinds[one.answer.kind] = kinds.get(one.answer.kind, 0) + 1
    words = "，".join(f"{kind} {number} 种" for kind, number in kinds.items())
    page.text(document, f"加固后仍有的意见：{words or '无'}；逐条理由见 HTML 与 xlsx。")
