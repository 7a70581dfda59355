"""数据库审查报告: what was found, what can be done about it, what is not known; and who reads which record."""

from __future__ import annotations

from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path

import docx
import pytest
from typer.testing import CliRunner, Result

from panshi.database.model import Limits
from panshi.database.past import last_reviews
from panshi.database.review import review
from panshi.errors import PanshiError
from panshi.record import RUN_FILE, Begin, DatabaseRow, EndRow, HostRow, RecordWriter
from panshi.report.cli import app

from .small import DAY, NOW, Small


def row(*, at: int = NOW, host: str = "db1", data: int = 1 << 30) -> DatabaseRow:
    server = Small(host=host).table(keys={"PRIMARY!": "id", "a": "a", "ab": "a,b"}, data=data).table("log", {})
    server.more["at"] = at
    server.foreign("log", "fk", "x", "orders").more["orphans"] = [["shop", "log", "fk", 7, ""]]
    before = row(at=NOW - 10 * DAY) if at == NOW and host == "db1" else None
    return review(server.made(), [], ["db2"], before, Limits())


def write(root: Path, *rows: DatabaseRow, job: str = "db_review", end: bool = True, failed: str = "") -> Path:
    with RecordWriter(root, "bureau", job) as record:
        begin = Begin(run=record.run, estate="bureau", job=job, operator="李四@ops", profile="linux-l3", level=3)
        record.write(begin, *rows)
        if failed:
            record.write(HostRow(host="db9", state="failed", message=failed))
        if end:
            record.write(EndRow(counts={}, hosts={}, seconds=3.0, exit=0))
        return record.path


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["database", *(str(word) for word in words)])


def both(root: Path) -> list[str]:
    result = command("--records", root)
    assert result.exit_code == 0, result.exception
    page, paper = (Path(line) for line in result.stdout.split())
    document = docx.Document(BytesIO(paper.read_bytes()))
    cells = [cell.text for table in document.tables for line in table.rows for cell in line.cells]
    return [page.read_text(encoding="utf-8"), "\n".join([one.text for one in document.paragraphs] + cells)]


def test_findings_proposals_and_gaps_are_told_in_both_forms(tmp_path: Path) -> None:
    path = write(tmp_path, row(), failed="[PS-E7500] 本机 root 得不到数据库的回答")
    head = (path / RUN_FILE).read_text(encoding="utf-8").splitlines()[-1].partition('"hash":"')[2][:64]
    for text in both(tmp_path):
        for words in (
            *(path.name, head, "李四@ops", "shop.orders.a", "多余的索引", "没有主键", "7 行没有对应的主行", "PS-E7500"),
            *("LOCK=NONE", "风险", "撤回", "从库 db2 没有读到", "没有用到的索引无从判定", "1.0 GiB", "每天"),
        ):
            assert words in text, words
        assert "http://" not in text


def test_first_review_says_that_there_is_no_growth_to_tell(tmp_path: Path) -> None:
    write(tmp_path, row(host="db3"))
    for text in both(tmp_path):
        assert "无从比较" in text


def test_run_that_was_cut_off_or_has_no_result_is_told_as_such(tmp_path: Path) -> None:
    write(tmp_path, end=False)
    page, _ = both(tmp_path)
    assert "运行中断" in page and "没有一个数据库的结果" in page


def test_what_a_host_answers_stays_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\x07"
    found = row()
    write(tmp_path, replace(found, findings=[{**found.findings[0], "text": evil, "object": evil}], gaps=[evil]))
    page, paper = both(tmp_path)
    assert "<script" not in page and "<script>alert(1)</script>\ufffd" in paper


def test_changed_foreign_and_odd_records_are_refused(tmp_path: Path) -> None:
    def code(result: Result) -> str:
        assert isinstance(result.exception, PanshiError), result.output
        return result.exception.code

    path = write(tmp_path, row())
    place = path / RUN_FILE
    place.write_bytes(place.read_bytes().replace(b"shop.orders", b"shop.sredro"))
    assert code(command("--run", path)) == "PS-E4003"
    assert code(command("--run", write(tmp_path, job="restore"))) == "PS-E4211"
    odd = write(tmp_path, replace(row(), findings=[{"kind": "new"}]))
    assert code(command("--run", odd)) == "PS-E7510"


def test_last_review_is_of_a_whole_and_unchanged_record(tmp_path: Path) -> None:
    good = write(tmp_path, row(at=NOW - DAY), row(host="db3"))
    assert asdict(last_reviews(tmp_path, "bureau")["db1"]) == asdict(row(at=NOW - DAY))
    write(tmp_path, row(data=5), end=False)
    damaged = write(tmp_path, row(data=6))
    place = damaged / RUN_FILE
    place.write_bytes(place.read_bytes().replace(b"shop.orders", b"shop.sredro"))
    known = last_reviews(tmp_path, "bureau")
    assert set(known) == {"db1", "db3"} and known["db1"].at == NOW - DAY
    assert set(last_reviews(tmp_path, "bureau", good.name)) == {"db1", "db3"}
    for run in (damaged.name, "20260101T000000Z-000000"):
        with pytest.raises(PanshiError) as error:
            last_reviews(tmp_path, "bureau", run)
        assert error.value.code == "PS-E7504"
