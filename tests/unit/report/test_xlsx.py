"""The workbook: all rows, readable, and no formula that a host wrote."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from panshi.record import previous_run
from panshi.report import xlsx
from panshi.report.model import build
from panshi.report.sheet import CELL_LIMIT

from .small import mixed, row, run_of, waived, write

SHEETS = ["汇总", "附录D 结果记录", "高风险隐患", "漂移", "证据索引", "豁免"]


def book_of(tmp_path: Path, rows: list[Any], **other: Any) -> Any:
    run = run_of(tmp_path, rows, second=9, **other)
    return load_workbook(BytesIO(xlsx.render(build(run, previous_run(run)), with_2021=True)))


def values(sheet: Any) -> list[list[Any]]:
    return [[cell.value for cell in line] for line in sheet.iter_rows(min_row=2)]


def test_sheets_are_fixed_filtered_and_as_wide_as_their_words(tmp_path: Path) -> None:
    book = book_of(tmp_path, mixed())
    assert book.sheetnames == SHEETS
    for sheet in book:
        assert sheet.freeze_panes and sheet.column_dimensions["A"].width > 10
        assert sheet.title == "汇总" or sheet.auto_filter.ref == sheet.dimensions
        assert all(cell.alignment.wrap_text for line in sheet.iter_rows() for cell in line)


def test_every_row_of_the_run_is_a_line_of_appendix_d(tmp_path: Path) -> None:
    lines = values(book_of(tmp_path, mixed())["附录D 结果记录"])
    assert len(lines) == 8
    assert lines[0][:4] == ["web1", "Debian 12", "安全计算环境\n身份鉴别", "8.1.4.1 a)"]
    assert lines[0][5] == "部分符合" and lines[0][8:11] == [
        "不符合",
        "pw-length 现状\npw-length 理由",
        "pw-length 要求",
    ]


def test_summary_carries_the_figures(tmp_path: Path) -> None:
    found = {line[0]: line[1] for line in values(book_of(tmp_path, mixed())["汇总"])}
    assert (found["结果行"], found["符合率（严格）"], found["符合率（加权）"]) == (8, "50.0%", "58.3%")
    assert (found["检查行：不符合"], found["条款 × 主机：待核查"], found["疑似重大风险隐患触发项"]) == (2, 1, 1)
    assert found["2021 版分数上限（未核实）"] == f"{100 - 2.75 * 100 / 211:.2f}"


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", '=HYPERLINK("http://x")'])
def test_what_a_host_answers_is_never_a_formula(tmp_path: Path, text: str) -> None:
    facts = {"items": {text: {"cmd": text, "rc": 0, "out": text}}}
    rows = [row("pw-length", "fail", text, observed=text, reason="", expected=text, evidence=[text])]
    write(tmp_path, [row("pw-length", "pass", text, observed=text)])
    book = book_of(tmp_path, rows, facts=facts)
    hits = [cell for sheet in book for line in sheet.iter_rows() for cell in line if cell.value == text]
    assert len({cell.parent.title for cell in hits}) >= 4
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in hits)
    assert not any(cell.data_type == "f" for sheet in book for line in sheet.iter_rows() for cell in line)


def test_text_that_the_format_cannot_carry_does_not_break_it(tmp_path: Path) -> None:
    rows = [row("pw-length", "fail", observed="\x00\x1b[31m\ufffe", expected="长" * 40_000)]
    line = values(book_of(tmp_path, rows)["附录D 结果记录"])[0]
    assert line[9].startswith("��[31m�") and len(line[10]) == CELL_LIMIT


def test_evidence_index_names_file_hash_and_users(tmp_path: Path) -> None:
    facts = {"items": {"sshd.effective": {"cmd": "sshd -T", "rc": 0, "out": "x", "at": "2026-11-21T03:00:01Z"}}}
    rows = [row("pw-length", "fail", evidence=["sshd.effective"]), row("lockout", "pass", evidence=["sshd.effective"])]
    (line,) = values(book_of(tmp_path, rows, facts=facts)["证据索引"])
    assert line[:4] == ["web1", "sshd.effective", "sshd -T", 0] and line[5] == "pw-length、lockout"
    assert line[6] == "facts/web1.json.gz" and len(line[7]) == 64


def test_waivers_and_drift_have_their_sheets(tmp_path: Path) -> None:
    write(tmp_path, [row("pw-age", "pass")])
    book = book_of(tmp_path, [waived("pw-age")])
    assert [line[3:6] for line in values(book["豁免"])] == [["生效", "不符合", "李四"], ["未用到", None, "李四"]]
    assert values(book["漂移"])[0][:6] == ["其他状态变化", "web1", "8.1.4.1 a)", "pw-age 标题", "符合", "已豁免"]
