"""A workbook in the shape of appendix D of the evaluation report: 对象 × 条款 × 结果记录 × 证据."""

from __future__ import annotations

from typing import Any

from openpyxl import Workbook

from panshi.record import VerdictRow
from panshi.report import score
from panshi.report.evidence import collect
from panshi.report.model import BUCKETS, MODE_ZH, RESULT_ZH, STATE_ZH, Report, bucket, summary
from panshi.report.sheet import A3, Table, new_book, packed
from panshi.report.text import LEVEL_ZH, beijing, names, waiver_text
from panshi.verdict import STATUS_ZH


def render(report: Report, *, with_2021: bool = False) -> bytes:
    """Return the workbook.

    Args:
        report: a verified, complete run.
        with_2021: also print the 2021 score.

    Raises:
        PanshiError: PS-E4003 when a host's facts are not the recorded ones.
    """
    book = new_book(f"{report.run.begin.estate} 等级保护核查结果 {report.run.begin.run}")
    _summary(book, report, with_2021)
    _records(book, report)
    _risks(book, report)
    _drift(book, report)
    _evidence(book, report)
    _waivers(book, report)
    return packed(book)


def _summary(book: Workbook, report: Report, with_2021: bool) -> None:
    run, begin = report.run, report.run.begin
    assert run.end is not None
    strict, weighted = score.rate(report.clauses, strict=True), score.rate(report.clauses, strict=False)
    table = Table(book, "汇总", [("项目", 40), ("数值", 36), ("说明", 90)], "A2")
    hosts = "，".join(f"{STATE_ZH.get(state, state)} {number}" for state, number in run.end.hosts.items() if number)
    emulated = [host.name for host in report.hosts if host.row.emulated]
    rows: list[tuple[Any, Any, Any]] = [
        ("环境 / 作业", f"{begin.estate} / {begin.job}", ""),
        ("运行编号", begin.run, ""),
        ("开始时间", beijing(run.begin_time), ""),
        ("核查基线", begin.profile_title or begin.profile, f"GB/T 22239-2019，{LEVEL_ZH[begin.level]}"),
        ("记录链头", run.head, "SHA-256；用 panshi report --verify 可核对；出具时已校验通过"),
        ("主机", len(report.hosts), hosts),
        ("其中仿真主机", len(emulated), names(emulated) or "无"),
        ("检查项", len(begin.checks), ""),
        ("结果行", len(run.verdicts), "等于 检查项 × 主机，已核对"),
        ("符合率（严格）", score.percent(strict.value), "部分符合计 0；只计已判定条款"),
        ("符合率（加权）", score.percent(weighted.value), "部分符合计 0.5；公开的 2025 版问答没有说明取哪种，故并列"),
        ("已判定条款", f"{strict.settled} / {strict.applicable}", "后者为至少适用于一台主机的条款数"),
        (
            "严格符合率可能范围",
            f"{score.percent(strict.low)}～{score.percent(strict.high)}",
            "待核查项全部不符合～全部符合",
        ),
        ("加权符合率可能范围", f"{score.percent(weighted.low)}～{score.percent(weighted.high)}", "同上"),
        *(
            (
                f"按已判定自动项估算的 2025 版结论（{title}）",
                score.conclusion_2025(one.value, len(report.major)),
                "只覆盖本次技术对象，不代替测评结论",
            )
            for title, one in (("严格", strict), ("加权", weighted))
        ),
        (f"疑似高风险（{report.year} 版判例）", len(report.risks), "疑似，须按条件核定"),
        ("疑似重大风险隐患触发项", len(report.major), "2025 版；疑似，须按条件核定"),
        *((f"检查行：{label}", report.counts[key], "") for key, label in BUCKETS.items()),
        *((f"条款 × 主机：{label}", report.results[key], "") for key, label in RESULT_ZH.items()),
        *(
            (f"未能判定：{len(group.hosts)} 台主机", group.rows, f"{group.reason}（{names(group.hosts)}）")
            for group in report.errors
        ),
    ]
    if with_2021:
        old = score.score_2021(report)
        rows.append(("2021 版分数上限（未核实）", f"{float(old.total):.2f}", "只扣本次已判定条款的分，其余按符合计"))
    for row in rows:
        table.append(row)
    for (area, point), clauses in report.points.items():
        one = score.percent(score.rate(clauses, strict=False).value)
        table.append([f"控制点：{area} / {point}", f"加权 {one}", summary(clauses)])
    for host in report.hosts:
        one = score.percent(score.host_rate(host.cells, strict=False).value)
        counts = "、".join(f"{label} {host.counts[key]}" for key, label in BUCKETS.items() if host.counts[key])
        table.append([f"主机：{host.name}{'（仿真）' if host.row.emulated else ''}", f"加权 {one}", counts])


def _records(book: Workbook, report: Report) -> None:
    columns = [
        ("测评对象", 14), ("系统", 17), ("层面与控制点", 14), ("条款", 11), ("条款要求", 30), ("条款结果", 13),
        ("检查项", 27), ("方式", 10), ("判定", 11), ("结果记录", 44), ("要求", 28), ("证据", 30), ("豁免", 22),
        ("计入条款", 9),
    ]  # fmt: skip
    table = Table(book, "附录D 结果记录", columns, "E2", A3)
    controls = report.run.begin.controls
    for host in report.hosts:
        labels = {cell.control: cell.label for cell in host.cells}
        system = f"{host.row.os}{'（仿真）' if host.row.emulated else ''}"
        for row in host.rows:
            control = controls[row.control]
            place = f"{control['area']}\n{control['control_point']}"
            check = f"{row.title}\n{row.check}"
            label = labels.get(row.control, "仅参考项")
            values = [host.name, system, place, row.control, control["requirement"], label, check]
            values += [MODE_ZH.get(row.mode, row.mode), BUCKETS[bucket(row)], _record(row), row.expected]
            values += ["\n".join(row.evidence), waiver_text(row.waiver), "是" if row.scored else "否"]
            table.append(values, ink=bucket(row), at=8)
    table.close()


def _record(row: VerdictRow) -> str:
    return "\n".join(text for text in (row.observed, row.reason) if text)


def _risks(book: Workbook, report: Report) -> None:
    columns = [
        ("条款", 12), ("名称", 26), (f"{report.year} 版判例条件", 44), ("判例", 12), ("触发项", 10), ("相关触发项", 12),
        ("可降级情形", 34), ("核定", 22), ("主机数", 9), ("主机", 40), ("现状", 60),
    ]  # fmt: skip
    table = Table(book, "高风险隐患", columns, "C2")
    for risk in report.risks:
        seen = "\n".join(f"{f.title}：{f.observed}（{names(f.hosts, 6)}）" for f in risk.clause.findings)
        title = str(risk.clause.snapshot["title"])
        table.append(
            [
                risk.clause.id, title, risk.condition, risk.case, risk.trigger, risk.related, risk.downgrade,
                "疑似，须按条件核定", len(risk.hosts), "、".join(risk.hosts), seen,
            ]
        )  # fmt: skip
    table.close()


def _drift(book: Workbook, report: Report) -> None:
    columns = [
        ("变化", 14),
        ("主机", 18),
        ("条款", 12),
        ("检查项", 30),
        ("上次判定", 12),
        ("本次判定", 12),
        ("上次观测", 44),
        ("本次观测", 44),
    ]
    table = Table(book, "漂移", columns, "A2")
    if report.previous is None:
        table.append(["没有可比的上次运行", *[""] * 7])
    for title, changes in report.drift.groups.items():
        for change in changes:
            before, after = change.before, change.after
            table.append(
                [
                    title, change.row.host, change.row.control, change.row.title,
                    STATUS_ZH[before.status] if before else "无", STATUS_ZH[after.status] if after else "无",
                    before.observed if before else "", after.observed if after else "",
                ]
            )  # fmt: skip
    table.close()


def _evidence(book: Workbook, report: Report) -> None:
    columns = [
        ("主机", 18),
        ("证据项", 40),
        ("命令", 60),
        ("返回码", 9),
        ("采集时间（UTC）", 22),
        ("被引用检查项", 50),
        ("采集文件", 34),
        ("采集文件 SHA-256", 68),
    ]
    table = Table(book, "证据索引", columns, "C2")
    for host in report.hosts:
        users: dict[str, list[str]] = {}
        for row in host.rows:
            for name in row.evidence:
                users.setdefault(name, []).append(row.check)
        for item in collect(report.run.facts(host.name), host.rows):
            code = "未采集到" if item.rc is None else item.rc
            table.append(
                [
                    host.name,
                    item.id,
                    item.cmd,
                    code,
                    item.at,
                    "、".join(users[item.id]),
                    host.row.facts,
                    host.row.sha256,
                ]
            )
    table.close()


def _waivers(book: Workbook, report: Report) -> None:
    columns = [
        ("主机", 18),
        ("条款", 12),
        ("检查项", 30),
        ("状态", 10),
        ("检查本身的结论", 15),
        ("责任人", 18),
        ("理由", 44),
        ("补偿措施", 40),
        ("有效期至", 13),
        ("单号", 18),
    ]
    table = Table(book, "豁免", columns, "A2")
    for row in report.waived:
        waiver = row.waiver or {}
        state = "已过期" if waiver["expired"] else "生效"
        table.append(
            [
                row.host, row.control, row.title, state, STATUS_ZH[waiver["status"]], waiver["owner"], waiver["reason"],
                waiver.get("compensation", ""), waiver["expires"], waiver.get("ticket", ""),
            ]
        )  # fmt: skip
    for waiver in report.unused_waivers:
        table.append(
            [
                "、".join(waiver["hosts"]), waiver["selector"], "", "未用到", "", waiver["owner"], waiver["reason"],
                waiver.get("compensation", ""), waiver["expires"], waiver.get("ticket", ""),
            ]
        )  # fmt: skip
    table.close()
