"""补丁实施报告 as a Word document: what was done, what was not and why, for signature."""

from __future__ import annotations

from datetime import datetime

from docx.document import Document

from panshi.report import page
from panshi.report.patch import FATE_ZH, NO_ADVISORY, PHASE_ZH, STATE_ZH, Patching, started, stretch
from panshi.report.text import clock, lasting, names


def render(report: Patching) -> bytes:
    """Return the document."""
    run = report.last
    header = f"{report.estate} 补丁实施报告　{run.begin.run}"
    document = page.new_document(f"{report.estate} 补丁实施报告", header, datetime.fromisoformat(run.begin_time))
    page.title(document, "补丁实施报告")
    _summary(document, report)
    _times(document, report)
    _versions(document, report)
    _advisories(document, report)
    _services(document, report)
    _failures(document, report)
    _exempt(document, report)
    _drift(document, report)
    document.add_heading("八、签字", 1)
    signers = [[who, "", "", ""] for who in ("实施", "复核", "批准")]
    page.table(document, ["角色", "姓名", "签字", "日期"], signers, [4, 4, 5, 3.6])
    return page.packed(document)


def _summary(document: Document, report: Patching) -> None:
    states = "，".join(f"{label} {report.states[state]}" for state, label in STATE_ZH.items() if report.states[state])
    genuine = "" if report.genuine else "\n与记录中的计划重新算得的不一致，请查明原因"
    unnumbered = f"；{report.unnumbered} 个 × 主机的安全更新，{NO_ADVISORY}公告号" if report.unnumbered else ""
    page.facts(
        document,
        [
            ("环境", report.estate),
            ("计划", report.made),
            ("签字的摘要", report.sha256 + genuine),
            ("窗口", report.window),
            *([("安全通知", report.notice)] if report.notice else []),
            *(
                (
                    "运行",
                    f"{run.begin.run}，执行人 {run.begin.operator}\n{stretch(run)}\n记录链头 {run.head}",
                )
                for run in report.runs
            ),
            ("主机", f"{len(report.hosts)} 台：{states}"),
            ("软件包 × 主机", f"计划 {len(report.planned)}，已是计划的版本 {report.patched}"),
            ("公告", f"已全部关闭 {len(report.closed)} / {len(report.advisories)} 个{unnumbered}"),
            ("重启", f"主机 {len(report.reboots)} 次，服务 {len(report.restarts)} 次"),
        ],
    )
    if report.left_drained:
        stuck = names([host.name for host in report.left_drained])
        page.text(document, f"注意：记录中没有恢复分流，可能仍处于摘除状态：{stuck}。")
    page.text(document, "本文由运行记录生成，时间均为北京时间；每个软件包的版本另见 xlsx，时间线的图见 HTML。")


def _times(document: Document, report: Patching) -> None:
    document.add_heading("一、批次与时间", 1)
    rows = [
        [
            part.wave,
            host.name,
            clock(attempt.phases[0].begin),
            lasting(attempt.seconds),
            "，".join(f"{PHASE_ZH.get(one.event, one.event)} {lasting(one.seconds)}" for one in attempt.phases),
            STATE_ZH[attempt.state],
        ]
        for part in report.parts
        for host, attempt in part.hosts
    ]
    if rows:
        page.table(document, ["批次", "主机", "开始", "用时", "各段", "结果"], rows, [1.8, 2.6, 2.6, 2, 5.8, 1.8])
    else:
        page.text(document, "没有一台主机留下时间。")
    if report.untouched:
        left = names([host.name for host in report.untouched])
        page.text(document, f"没有轮到的主机：{left}。这些主机没有动过，再运行同一条命令就从这里继续。")
    if report.reboots or report.restarts:
        document.add_heading("重启", 2)
        rows = [
            [host.name, what, clock(one.end), lasting(one.seconds), one.detail]
            for what, found in (("主机", report.reboots), ("服务", report.restarts))
            for host, one in found
        ]
        page.table(document, ["主机", "重启", "完成于", "用时", "内核或服务"], rows, [2.8, 1.6, 3, 2.4, 6.8])


def _versions(document: Document, report: Patching) -> None:
    document.add_heading("二、版本", 1)
    hosts: dict[tuple[str, ...], list[str]] = {}
    for item in report.items:
        notices = ("\n".join(item.notices) or NO_ADVISORY) if item.planned else "—"
        key = (item.name, item.before, item.after or "不明", FATE_ZH[item.fate], notices)
        hosts.setdefault(key, []).append(item.host)
    rows = [[*key, names(found, 6)] for key, found in sorted(hosts.items())]
    if rows:
        head = ["软件包", "改前", "改后", "结果", "公告", "主机"]
        page.table(document, head, rows, [3, 3.2, 3.2, 1.7, 3, 2.5])
    else:
        page.text(document, "计划中没有软件包，只需要重启。")


def _advisories(document: Document, report: Patching) -> None:
    document.add_heading("三、公告", 1)
    if not report.advisories:
        page.text(document, f"计划中的软件包，软件源的{NO_ADVISORY}公告号。")
        return
    rows = [
        [one.id, "、".join(one.cves) or NO_ADVISORY, names(one.closed, 6) or "无", names(one.open, 6) or "无"]
        for one in report.advisories
    ]
    page.table(document, ["公告", "CVE、CNVD", "已关闭的主机", "仍未关闭的主机"], rows, [3.6, 5, 4, 4])


def _services(document: Document, report: Patching) -> None:
    document.add_heading("四、客户端看到的中断", 1)
    for run, row, why in report.services:
        if row is None or why:
            page.text(document, f"运行 {run.begin.run}：{f'{row.service}，' if row else ''}{why}。")
    rows = [
        [clock(started(run)), row.service, str(row.requests), str(row.failed), str(row.lost), lasting(row.longest)]
        for run, row, why in report.services
        if row is not None and not why
    ]
    if rows:
        head = ["运行开始", "服务", "请求", "不重试丢失", "重试仍丢失", "最长中断"]
        page.table(document, head, rows, [2.6, 4.6, 2, 2.5, 2.5, 2.4])


def _failures(document: Document, report: Patching) -> None:
    document.add_heading("五、失败与退回", 1)
    rows = [
        [one.host, STATE_ZH[one.state], clock(one.time) if one.time else "—", one.why, "\n".join(one.returned) or "无"]
        for one in report.failures
    ]
    if rows:
        page.table(document, ["主机", "结果", "时间", "原因", "退回的软件包"], rows, [2.4, 1.6, 2.4, 5.8, 4.4])
    else:
        page.text(document, "没有失败，也没有退回。")


def _exempt(document: Document, report: Patching) -> None:
    document.add_heading("六、例外", 1)
    rows = [[one.host, "、".join(one.packages) or "整台主机", one.why, one.owner, one.due] for one in report.exempt]
    if rows:
        head = ["主机", "软件包", "原因", "责任人", "计划完成日期"]
        page.table(document, head, rows, [2.4, 4.2, 5, 2.4, 2.6])
    else:
        page.text(document, "没有例外。")


def _drift(document: Document, report: Patching) -> None:
    document.add_heading("七、与先前运行相比的漂移", 1)
    if report.drift:
        rows = [[one.host, one.package, one.left, one.found, one.run] for one in report.drift]
        head = ["主机", "软件包", "先前留下的版本", "这次改前的版本", "先前的运行"]
        page.table(document, head, rows, [2.4, 3.2, 3.6, 3.6, 3.8])
    elif report.compared:
        page.text(document, f"可比较的 {report.compared} 个 × 主机，没有漂移。")
    else:
        page.text(document, "先前的运行记录中没有这些软件包，无从比较。")
    if report.damaged:
        page.text(document, f"这些先前的记录已损坏，没有用于比较：{'、'.join(report.damaged)}。")
