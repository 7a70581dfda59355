"""The verdict on a proof: each kind of damage is found and named, and none is reported as good."""

from __future__ import annotations

import gzip
import io
import time
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import openpyxl
import pytest

from panshi.logs.document import proof_document, review_document, write
from panshi.logs.proof import lines_of, row_of, totals
from panshi.record import LogProofRow, LogReviewRow

DAY = 86400
NOW = 1795312800.0
GOOD = {
    "way": "scratch", "said": "", "lines": 9000, "lost": 0, "doubled": 0, "rotations": 3, "reopened": True, "packed": 3,
    "cpu": 0.01, "wrong": [], "seconds": 4.2, "archives": 9, "bytes": 1,
    "oldest": NOW - 366 * DAY, "begun": NOW - 500 * DAY, "head": "a" * 64, "head_known": True, "immutable": False,
}  # fmt: skip


def row(before: LogProofRow | None = None, policy: dict[str, Any] | None = None, **change: Any) -> LogProofRow:
    of = {"name": "app", "kind": "reopen", "style": "reopen", "environment": "production", "paths": ["/x"], "since": ""}
    of |= {"legal_days": 180, "keep_days": 366, **(policy or {})}
    return row_of("web1", of, {**GOOD, **change}, NOW, before)


def test_parsed_good_proof_is_good() -> None:
    assert row().status == "pass" and row().retention == "kept" and row().days == 366 and list(row().findings) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lost": 1}, "PS-E7336"),
        ({"doubled": 1}, "PS-E7337"),
        ({"reopened": False}, "PS-E7331"),
        ({"lines": 0}, "PS-E7335"),
        ({"packed": 0}, "没有压缩归档"),
        ({"wrong": ["归档 x 的校验值不符"]}, "校验值不符"),
        ({"oldest": NOW - 90 * DAY}, "PS-E7339"),
        ({"oldest": None}, "PS-E7339"),
    ],
)
def test_parsed_each_damage_is_found(change: dict[str, Any], code: str) -> None:
    found = row(**change)
    assert found.status == "fail" and any(code in one for one in found.findings)
    assert "不符合" in lines_of([found])[0]


def test_parsed_young_log_of_which_nothing_is_gone_is_said_to_be_young() -> None:
    found = row(oldest=NOW - 20 * DAY, begun=NOW - 20 * DAY)
    assert (found.status, found.retention, found.days) == ("partial", "growing", 20)


@pytest.mark.parametrize(("legal", "retention", "status"), [(180, "legal", "partial"), (0, "short", "fail")])
def test_parsed_declared_term_that_is_not_reached_is_no_pass(legal: int, retention: str, status: str) -> None:
    found = row(policy={"legal_days": legal}, oldest=NOW - 200 * DAY)
    assert (found.status, found.retention) == (status, retention)


def test_parsed_what_was_there_at_the_last_proof_must_be_there_still() -> None:
    before = row(oldest=NOW - 60 * DAY, begun=NOW - 60 * DAY)
    found = row(before, oldest=NOW - 20 * DAY, begun=NOW - 20 * DAY)
    assert found.retention == "short" and found.status == "fail"


def test_parsed_manifest_that_was_written_anew_is_found() -> None:
    found = row(row(), head="b" * 64, head_known=False)
    assert found.status == "fail" and any("PS-E7338" in one for one in found.findings)


def test_parsed_since_of_the_declaration_must_be_reached() -> None:
    policy = {"since": "2026-09-01"}
    assert row(policy=policy, oldest=NOW - 20 * DAY, begun=NOW - 20 * DAY).retention == "short"


def test_parsed_loss_of_copytruncate_is_counted_apart_and_never_a_pass() -> None:
    found = row(policy={"style": "copytruncate", "kind": "tomcat"}, lost=7)
    assert found.status == "partial" and found.lost == 7
    assert totals([found, row()])["lost"] == 0 and totals([found, row()])["lost_said"] == 7


def numbered(path: Path, *numbers: int) -> str:
    text = "".join(f"2026-11-22T00:00:00Z INFO main proof {number:09d} words\n" for number in numbers).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return str(path)


@pytest.mark.parametrize(
    ("old", "new", "lost", "doubled"),
    [
        (range(0, 50), range(50, 100), 0, 0),
        ([*range(0, 20), *range(21, 50)], range(50, 100), 1, 0),
        (range(0, 51), range(50, 100), 0, 1),
        ([], range(50, 100), 50, 0),
    ],
    ids=["whole", "a line is removed", "a line is doubled", "a file is gone"],
)
def test_real_lines_are_counted_one_by_one(
    prover: ModuleType, tmp_path: Path, old: Any, new: Any, lost: int, doubled: int
) -> None:
    found: dict[str, Any] = {}
    paths = [numbered(tmp_path / "a.gz", *old), numbered(tmp_path / "a", *new)]
    prover.count(found, paths, "proof ", range(100))
    assert found == {"lines": 100, "lost": lost, "doubled": doubled}


NGINX = """# of somebody
/var/log/nginx/access.log
"/var/log/nginx/error.log" {
    daily
    rotate 9999
    postrotate
        [ ! -e /run/nginx.pid ] || kill -USR1 "$(cat /run/nginx.pid)"
    endscript
}

/var/log/other {
    copytruncate
    olddir /var/log/old
}
"""


def test_parsed_scratch_log_has_the_directives_of_the_real_one_and_none_of_its_scripts(prover: ModuleType) -> None:
    body = prover.stanza(NGINX, ["/var/log/nginx/error.log"])
    text = prover.scratch_config(body, "/s/scratch.log", "kill -USR1 7")
    assert (
        text.startswith("/s/scratch.log {") and "rotate 9999" in text and "kill -USR1 7" in text and "nginx" not in text
    )
    body = prover.stanza(NGINX, ["/var/log/other"])
    text = prover.scratch_config(body, "/s/scratch.log", "kill -USR1 7")
    assert "copytruncate" in text and "postrotate" not in text and "olddir" not in text
    assert prover.stanza(NGINX, ["/var/log/none"]) is None


def test_parsed_scratch_log_may_be_rotated_several_times_a_day(prover: ModuleType) -> None:
    text = prover.scratch_config("    weekly\n    dateext\n", "/s/scratch.log", "true")
    assert "dateformat -%Y%m%d-%s" in text and "dateformat" not in prover.scratch_config("    weekly\n", "/s", "true")


def test_real_writer_that_does_not_reopen_is_seen(prover: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "scratch.log"
    writer = prover.Writer(str(path), "reopen", prover.Load(500, 0.5, 1))
    try:
        path.rename(tmp_path / "scratch.log.1")
        path.touch()
        time.sleep(0.3)
        assert writer.settled() is False
    finally:
        assert writer.end() > 0


def test_real_documents_are_whole_and_never_a_formula(tmp_path: Path) -> None:
    review = LogReviewRow(
        host="=cmd()", since="2026-11-15T00:00:00+00:00", until="2026-11-22T00:00:00+00:00", sources=["journal"],
        messages=3, severities={"3": 1}, errors=[[1, "app", "=1+1 \x00<script>"]], failed=[[2, "root", "203.0.113.9"]],
        privilege=[], accounts=[], audit={}, gaps=[], oldest="", cut="",
    )  # fmt: skip
    made = datetime.now(UTC)
    for document in (
        proof_document("lab", "r", made, [row(lost=2)], []),
        review_document("lab", "r", made, [review], ["x"], {"=cmd()": review}),
    ):
        book, page, sums = write(document, tmp_path / document.title)
        assert len(sums.read_text().splitlines()) == 2
        html = page.read_text(encoding="utf-8")
        assert document.title in html and "<script>" not in html.replace("<script></script>", "")
        sheets = openpyxl.load_workbook(io.BytesIO(book.read_bytes()))
        assert all(cell.data_type != "f" for sheet in sheets for line in sheet.iter_rows() for cell in line)
        assert sheets.worksheets[1].cell(1, sheets.worksheets[1].max_column).value == "日期"
