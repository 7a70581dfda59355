"""``panshi report harden``: which runs are compared, and what the three formats say."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import pytest
from openpyxl import load_workbook

from panshi.judges.figures import Complaint, Figure, Judgement, save
from panshi.record import RUN_FILE

from .hardened import AFTER, BEFORE, audits, change, guard, plan, rows_of, story, write_job
from .small import row, write
from .test_report_command import code, report


def page(root: Path, *words: str) -> str:
    result = report("harden", "--records", root, "--format", "html", *words)
    assert result.exit_code == 0, result.exception
    return Path(result.stdout.strip()).read_text(encoding="utf-8")


def book(root: Path) -> dict[str, list[list[Any]]]:
    result = report("harden", "--records", root, "--format", "xlsx")
    assert result.exit_code == 0, result.exception
    made = load_workbook(BytesIO(Path(result.stdout.strip()).read_bytes()))
    return {sheet.title: [[cell.value for cell in line] for line in sheet.iter_rows(min_row=2)] for sheet in made}


def test_cover_names_three_runs_and_their_heads(tmp_path: Path) -> None:
    paths = story(tmp_path)
    text = page(tmp_path)
    for path in paths:
        last = (path / RUN_FILE).read_text(encoding="utf-8").splitlines()[-1]
        assert path.name in text and last.partition('"hash":"')[2][:64] in text


def test_defaults_are_the_nearest_audits_that_show_all_of_the_plan(tmp_path: Path) -> None:
    job, old, new = story(tmp_path)
    write(tmp_path, [row("pw-age", "pass")], second=BEFORE + 5)
    write(tmp_path, [row("pw-age", "pass")], second=AFTER - 5)
    write(tmp_path, rows_of(), second=AFTER + 5)
    text = page(tmp_path)
    assert old.name in text and new.name in text


def test_rehearsal_after_the_run_is_not_taken_for_it(tmp_path: Path) -> None:
    job, _, _ = story(tmp_path)
    write_job(tmp_path, [plan("pw-length")], second=AFTER + 9)
    assert job.name in page(tmp_path)


def test_named_audits_are_used(tmp_path: Path) -> None:
    story(tmp_path)
    later = write(tmp_path, rows_of(pw_length="pass pass"), second=AFTER + 5)
    assert later.name in page(tmp_path, "--after", later.name)


def test_job_without_an_audit_after_it_is_one_clear_error(tmp_path: Path) -> None:
    write_job(tmp_path, [plan("pw-length")])
    write(tmp_path, rows_of(), second=BEFORE)
    result = report("harden", "--records", tmp_path)
    assert code(result) == "PS-E4010" and "之后" in str(result.exception)


def test_audits_on_the_wrong_side_are_refused(tmp_path: Path) -> None:
    _, old, new = story(tmp_path)
    result = report("harden", "--records", tmp_path, "--before", new.name, "--after", old.name)
    assert code(result) == "PS-E4010" and "时间次序" in str(result.exception)


def test_changed_audit_gives_no_report(tmp_path: Path) -> None:
    job, old, _ = story(tmp_path)
    file = old / RUN_FILE
    file.write_bytes(file.read_bytes().replace(b'"status":"fail"', b'"status":"pass"', 1))
    assert code(report("harden", "--records", tmp_path, "--before", old.name)) == "PS-E4003"
    assert not (job / "report").exists()


def test_page_tells_before_after_left_cost_waived_skipped_and_guard(tmp_path: Path) -> None:
    story(tmp_path)
    text = page(tmp_path)
    for words in (
        "50.0% → 62.5%",
        "<b>1 / 2",
        "minlen = 6 → minlen = 10",
        "可能锁定账户",
        "lockout 代价",
        "判例条件：相关",
        "李四：改造期间",
        "由日志作业完成",
        "容器共享宿主机内核",
        "已验证第二条登录途径",
        "已解除定时恢复",
        "没有外部评判的结果",
        "playbooks/rollback.yml -e run=",
    ):
        assert words in text or words in text.replace("<b>", "").replace("</b>", ""), words
    assert "<script" not in text and "script-src 'none'" in text


def test_page_warns_of_restored_hosts_and_different_checks(tmp_path: Path) -> None:
    old, new = audits(tmp_path, rows_of(), rows_of())
    write_job(tmp_path, [plan("pw-length"), guard("restored", detail="sshd 探测失败，已撤回")])
    calm = page(tmp_path)
    assert "有 1 次失败或自动恢复" in calm and "sshd 探测失败，已撤回" in calm and "范围不同" not in calm
    narrow = write(tmp_path, [row("pw-length", "pass", host) for host in ("web1", "web2")], second=AFTER + 5)
    assert "检查项范围不同（前 4 项，后 1 项）" in page(tmp_path, "--after", narrow.name)


def test_what_a_host_answers_stays_text_in_page_and_book(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    audits(tmp_path, rows_of(), rows_of())
    write_job(
        tmp_path,
        [plan("pw-length"), change("web1", before=evil, after="=cmd|' /C calc'!A0"), guard("probe", detail=evil)],
    )
    assert evil not in page(tmp_path) and "&lt;script&gt;" in page(tmp_path)
    result = report("harden", "--records", tmp_path, "--format", "xlsx")
    made = load_workbook(BytesIO(Path(result.stdout.strip()).read_bytes()))
    assert not any(cell.data_type == "f" for sheet in made for line in sheet.iter_rows() for cell in line)


def test_book_has_a_line_per_step_with_room_to_sign(tmp_path: Path) -> None:
    story(tmp_path)
    sheets = book(tmp_path)
    lines = sheets["加固对照表"]
    assert [(line[3], line[11]) for line in lines] == [("web1", "已完成"), ("web2", "未完成")]
    assert lines[0][6:8] == ["/etc/security/pwquality.conf：minlen = 6 → minlen = 10", "不符合"]
    assert lines[0][9] == "符合" and lines[0][12:] == [None, None, None]
    assert [line[0] for line in sheets["留待与不做"]] == [
        "留待选项",
        "留待选项",
        "已豁免，不改",
        "不由加固完成",
        "跳过",
    ]
    assert sheets["留待与不做"][0][6] == "重要" and len(sheets["逐行前后"]) == 8 and len(sheets["变更明细"]) == 2
    assert [line[2] for line in sheets["防锁定守护"]][:2] == ["已验证第二条登录途径", "已设定时恢复"]


def test_document_has_a_place_to_sign_and_the_costs(tmp_path: Path) -> None:
    story(tmp_path)
    result = report("harden", "--records", tmp_path, "--format", "docx")
    assert result.exit_code == 0, result.exception
    document = docx.Document(BytesIO(Path(result.stdout.strip()).read_bytes()))
    cells = [cell.text for table in document.tables for line in table.rows for cell in line.cells]
    assert {"批准", "lockout 代价。判例条件：相关", "50.0%", "62.5%"} <= set(cells)


def test_outside_judges_around_the_run_are_told(tmp_path: Path) -> None:
    job, _, _ = story(tmp_path)
    for phase, second, index in (("before", "05", 59), ("after", "15", 81), ("after", "30", 12)):
        figure = Figure("lynis", "web1", "3.0.8", index=index, complaints=(Complaint("X-1", f"意见 {index}"),))
        other = Figure("lynis", "other-host", "3.0.8", index=99)
        run, time = f"20261121T0300{second}Z-aaaaaa", f"2026-11-21T03:00:{second}Z"
        save(tmp_path, Judgement(run, "lab", phase, time, (figure, other)))
    text = page(tmp_path)
    assert "指数 59" in text and "指数 81" in text and "指数 12" not in text and "other-host" not in text
    assert "意见 81" in text and "未登记" in text


@pytest.mark.parametrize("words", [["harden", "--format", "pdf"], ["harden", "--high-risk", "2019"]])
def test_wrong_words_are_one_clear_error(tmp_path: Path, words: list[str]) -> None:
    story(tmp_path)
    assert code(report(*words, "--records", tmp_path)) == "PS-E4009"
