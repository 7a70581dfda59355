"""The gap analysis: every failing clause, in the order of doing, with what mending can break."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import docx as office

from panshi.report import docx
from panshi.report.model import build

from .small import mixed, row, run_of, waived


def words(data: bytes) -> str:
    document = office.Document(BytesIO(data))
    parts = [paragraph.text for paragraph in document.paragraphs]
    parts += [" | ".join(cell.text for cell in line.cells) for table in document.tables for line in table.rows]
    return "\n".join(parts)


def test_order_is_high_risk_first_then_low_disruption(tmp_path: Path) -> None:
    rows = [row("history", "fail"), row("lockout", "fail"), row("pw-length", "fail"), row("pw-age", "partial")]
    found = docx.gaps(build(run_of(tmp_path, rows)))
    assert [(gap.clause.id, gap.risk is not None, gap.disruption) for gap in found] == [
        ("8.1.4.1 b)", True, 0),
        ("8.1.4.1 a)", True, 2),
        ("8.1.4.10 a)", False, 0),
    ]
    assert [finding.check for finding in found[1].findings] == ["pw-age", "pw-length"]


def test_gap_tells_state_demand_mending_risk_and_hosts(tmp_path: Path) -> None:
    text = words(docx.render(build(run_of(tmp_path, mixed())), with_2021=True))
    for part in (
        "1. 8.1.4.1 b) 登录失败处理",
        "2. 8.1.4.1 a) 口令",
        "现状 | pw-length 现状（不符合，web1）",
        "差距 | pw-length 理由",
        "整改建议 | pw-length 整改方法",
        "整改风险 | 业务中断风险高；无须重启；操作失误可能锁定登录，须先备好第二条登录通道",
        "整改风险 | 业务中断风险低；须重启后生效",
        "涉及主机 | web1",
        "符合率（加权） | 58.3%",
        "疑似，须按条件核定",
        "主机应答超时 | 1 | web2",
        "2021 版分数上限",
    ):
        assert part in text, part


def test_waived_is_listed_and_not_among_the_work(tmp_path: Path) -> None:
    report = build(run_of(tmp_path, [waived("pw-age"), row("lockout", "pass")]))
    assert docx.gaps(report) == []
    text = words(docx.render(report))
    assert (
        "没有不符合或部分符合的条款需要整改" in text
        and "责任人 李四；改造期间；补偿措施：堡垒机；有效期至 2027-03-31" in text
    )


def test_emulated_hosts_are_named(tmp_path: Path) -> None:
    assert "其中仿真主机 2 台（web1、web2）" in words(
        docx.render(build(run_of(tmp_path, mixed(), host={"emulated": True})))
    )


def test_text_that_the_format_cannot_carry_does_not_break_it(tmp_path: Path) -> None:
    rows = [row("pw-length", "fail", "\x1b主机", observed="\x00<b>&", reason="\ufffe")]
    assert "�<b>&（不符合，�主机）" in words(docx.render(build(run_of(tmp_path, rows))))
