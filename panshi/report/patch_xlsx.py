"""The workbook of 补丁实施报告: host by host and package by package, for those who check, fill in and sign."""

from __future__ import annotations

from typing import Any

from openpyxl import Workbook

from panshi.report.patch import FATE_KEY, FATE_ZH, NO_ADVISORY, PHASE_ZH, STATE_KEY, STATE_ZH, Patching, stretch
from panshi.report.sheet import A3, SIGNATURE, Table, new_book, packed
from panshi.report.text import clock, lasting


def render(report: Patching) -> bytes:
    """Return the workbook."""
    book = new_book(f"{report.estate} 补丁实施报告 {report.last.begin.run}")
    _summary(book, report)
    _hosts(book, report)
    _packages(book, report)
    _advisories(book, report)
    _times(book, report)
    _services(book, report)
    _failures(book, report)
    _exempt(book, report)
    _drift(book, report)
    return packed(book)


def _summary(book: Workbook, report: Patching) -> None:
    table = Table(book, "汇总", [("项目", 28), ("内容", 70), ("说明", 60)], "A2")
    genuine = "由记录中的计划重新算得，一致" if report.genuine else "与记录中的计划重新算得的不一致，请查明原因"
    rows: list[tuple[Any, ...]] = [
        ("环境", report.estate, "时间均为北京时间"),
        ("计划", report.made, ""),
        ("签字的摘要", report.sha256, genuine),
        ("窗口", report.window, ""),
        *([("安全通知", report.notice, "")] if report.notice else []),
        *(
            (f"运行 {run.begin.run}", f"{stretch(run)}，执行人 {run.begin.operator}", f"记录链头 {run.head}")
            for run in report.runs
        ),
        ("主机", len(report.hosts), "计划之内"),
        *((f"主机：{label}", report.states[state], "") for state, label in STATE_ZH.items()),
        ("没有待装更新的主机", len(report.unchanged), "、".join(report.unchanged)),
        ("制订计划时没有应答", len(report.unreachable), "、".join(report.unreachable)),
        ("软件包 × 主机：计划", len(report.planned), ""),
        ("软件包 × 主机：已是计划的版本", report.patched, ""),
        ("公告：已全部关闭", len(report.closed), f"共 {len(report.advisories)} 个"),
        ("没有公告号的安全更新 × 主机", report.unnumbered, NO_ADVISORY if report.unnumbered else ""),
        ("主机重启", len(report.reboots), "次"),
        ("服务重启", len(report.restarts), "次"),
        ("可能仍处于摘除状态", "、".join(host.name for host in report.left_drained) or "无", "记录中没有恢复分流"),
        ("没有用于比较的损坏记录", "、".join(report.damaged) or "无", ""),
        ("实施、复核、批准（签字、日期）", "", ""),
    ]  # fmt: skip
    for row in rows:
        table.append(row)


def _hosts(book: Workbook, report: Patching) -> None:
    columns = [("批次", 12), ("主机", 16), ("系统", 30), ("结果", 12), ("已更新", 9), ("计划", 9), ("重启", 9)]
    table = Table(book, "主机", [*columns, ("摘除时长", 14), ("原因", 70), *SIGNATURE], "C2", A3)
    for host in report.hosts:
        drained = [one.drained_seconds for one in host.attempts if one.drained_seconds is not None]
        reboots = sum(one is host for one, _ in report.reboots)
        row = [host.wave, host.name, host.os, STATE_ZH[host.state], host.patched]
        row += [len(host.planned["packages"]), reboots, lasting(sum(drained) if drained else None)]
        table.append([*row, host.why, "", "", ""], ink=STATE_KEY[host.state], at=3)
    table.close()


def _packages(book: Workbook, report: Patching) -> None:
    columns = [("主机", 16), ("软件包", 28), ("架构", 9), ("改前", 28), ("改后", 28), ("计划", 28), ("结果", 22)]
    table = Table(book, "软件包", [*columns, ("来源", 30), ("安全", 8), ("公告", 44), ("说明", 44)], "C2", A3)
    for item in report.items:
        row = [item.host, item.name, item.arch, item.before, item.after or "不明", item.to, FATE_ZH[item.fate]]
        if item.planned:
            row += [item.origin, "是" if item.security else "否", "\n".join(item.notices) or NO_ADVISORY]
        else:
            row += ["", "", ""]
        table.append([*row, item.why], ink=FATE_KEY[item.fate], at=6)
    table.close()


def _advisories(book: Workbook, report: Patching) -> None:
    columns = [
        ("公告", 24),
        ("类别", 18),
        ("CVE、CNVD", 40),
        ("软件包", 40),
        ("已关闭的主机", 40),
        ("仍未关闭的主机", 40),
    ]
    table = Table(book, "公告", columns, "B2", A3)
    for one in report.advisories:
        cells = ["\n".join(words) for words in (one.cves, one.packages, one.closed, one.open)]
        table.append([one.id, one.kind, cells[0] or NO_ADVISORY, *cells[1:]])
    table.close()


def _times(book: Workbook, report: Patching) -> None:
    columns = [
        ("批次", 12),
        ("主机", 16),
        ("运行", 28),
        ("阶段", 24),
        ("开始", 18),
        ("结束", 18),
        ("秒", 10),
        ("说明", 60),
    ]
    table = Table(book, "时间", columns, "C2", A3)
    for part in report.parts:
        for host, attempt in part.hosts:
            for one in attempt.phases:
                name = PHASE_ZH.get(one.event, one.event)
                row = [part.wave, host.name, part.run, name, clock(one.begin), clock(one.end)]
                table.append([*row, round(one.seconds), one.detail])
    table.close()


def _services(book: Workbook, report: Patching) -> None:
    columns = [("运行", 28), ("服务", 24), ("地址", 40), ("间隔（秒）", 10), ("请求", 10), ("不重试丢失", 12)]
    columns += [("重试仍丢失", 12), ("最长中断（秒）", 14), ("最先的失败", 70)]
    table = Table(book, "服务中断", columns, "C2", A3)
    for run, row, why in report.services:
        if row is None or why:
            table.append([run.begin.run, row.service if row else why, row.url if row else "", *[""] * 5, why])
            continue
        told = "\n".join(f"{clock(one['time'])} {one['error']}" for one in row.failures)
        figures = [row.interval, row.requests, row.failed, row.lost, row.longest]
        table.append([run.begin.run, row.service, row.url, *figures, told])
    table.close()


def _failures(book: Workbook, report: Patching) -> None:
    columns = [("运行", 28), ("时间", 18), ("批次", 12), ("主机", 16), ("结果", 12), ("原因", 90), ("退回的软件包", 60)]
    table = Table(book, "失败与退回", columns, "E2", A3)
    for one in report.failures:
        row = [one.run, clock(one.time) if one.time else "", one.wave, one.host, STATE_ZH[one.state], one.why]
        table.append([*row, "\n".join(one.returned) or "无"], ink=STATE_KEY[one.state], at=4)
    for host in report.untouched:
        table.append(["", "", host.wave, host.name, STATE_ZH[host.state], "没有动过", "无"])
    table.close()


def _exempt(book: Workbook, report: Patching) -> None:
    columns = [("主机", 16), ("软件包", 50), ("原因", 80), ("责任人", 16), ("计划完成日期", 16)]
    table = Table(book, "例外", columns, "B2", A3)
    for one in report.exempt:
        for package in one.packages or ("整台主机",):
            table.append([one.host, package, one.why, one.owner, one.due])
    table.close()


def _drift(book: Workbook, report: Patching) -> None:
    columns = [("主机", 16), ("软件包", 28), ("先前留下的版本", 30), ("这次改前的版本", 30), ("先前的运行", 28)]
    table = Table(book, "漂移", columns, "C2")
    for one in report.drift:
        table.append([one.host, one.package, one.left, one.found, one.run])
    if not report.drift:
        words = (
            f"可比较的 {report.compared} 个 × 主机，没有漂移" if report.compared else "先前的运行记录中没有这些软件包"
        )
        table.append([words, "", "", "", ""])
    table.close()
