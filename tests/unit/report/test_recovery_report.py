"""恢复记录: what has come back, and what of the former content is where."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import pytest
from typer.testing import CliRunner, Result

from panshi.errors import PanshiError
from panshi.record import RUN_FILE, RecoveryRow
from panshi.report.cli import app

from .restored import write


def row(**more: Any) -> RecoveryRow:
    """Return the row of a table that came back in place."""
    values: dict[str, Any] = {
        "host": "db1",
        "on": "db1",
        "place": "local",
        "run": "20261122T020000Z-abcdef-0001",
        "what": "shop.orders",
        "at": "2026-11-22T00:59:58+00:00",
        "into": "shop",
        "aside": "/var/lib/panshi/backup/aside/x-shop.sql.gz",
        "set": "20261122T000000Z-incr",
        "seconds": 12.0,
        "rows": [{"name": "orders", "rows": 20600, "check": "3145926535"}],
        "code": "",
        "message": "",
    }
    return RecoveryRow(**values | more)


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["recovery", *(str(word) for word in words)])


def code(result: Result) -> str:
    assert isinstance(result.exception, PanshiError), result.output
    return result.exception.code


def both(root: Path) -> list[str]:
    result = command("--records", root)
    assert result.exit_code == 0, result.exception
    page, paper = (Path(line) for line in result.stdout.split())
    document = docx.Document(BytesIO(paper.read_bytes()))
    cells = [cell.text for table in document.tables for line in table.rows for cell in line.cells]
    return [page.read_text(encoding="utf-8"), "\n".join([one.text for one in document.paragraphs] + cells)]


def test_what_has_come_back_is_told_in_both_forms(tmp_path: Path) -> None:
    path = write(tmp_path, row(), job="restore")
    head = (path / RUN_FILE).read_text(encoding="utf-8").splitlines()[-1].partition('"hash":"')[2][:64]
    for text in both(tmp_path):
        for words in (path.name, head, "张三@ops", "shop.orders", "2026-11-22 08:59:58（北京时间）", "20,600"):
            assert words in text, words
        for words in ("3145926535", "20261122T000000Z-incr", "aside/x-shop.sql.gz", "12 秒", "已恢复", "业务确认"):
            assert words in text, words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("PS-E7473", "目标里可能已有一部分"),
        ("PS-E7420", "目标里可能已有一部分"),
        ("PS-E7430", "没有写入，原有的内容没有动过"),
    ],
)
def test_failure_says_why_and_what_became_of_what_was_there(tmp_path: Path, error: str, words: str) -> None:
    lost = row(code=error, message="写入 shop 失败", rows=[], into="", aside="", set="")
    write(tmp_path, lost, job="restore", messages={"db1": "x"})
    for text in both(tmp_path):
        assert error in text and "写入 shop 失败" in text and words in text and "没有恢复成" in text
        assert "已恢复" not in text


def test_files_are_counted_in_bytes_and_a_cut_list_says_so(tmp_path: Path) -> None:
    rows = [{"name": f"/srv/{number}", "rows": 7, "check": "ab"} for number in range(1000)]
    write(tmp_path, row(what="/srv", at="", aside="", rows=rows), job="restore")
    page, paper = both(tmp_path)
    assert "共 7,000 字节" in page and "到达的多于记录所留的 1000 项" in page and "最新" in page
    assert "另有 900 项见 HTML" in paper and "没有动过原有的内容" in paper


def test_what_a_host_answers_stays_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\x07"
    write(tmp_path, row(host=evil, into=evil, rows=[{"name": evil, "rows": 1, "check": evil}]), job="restore")
    page, _ = both(tmp_path)
    assert "<script" not in page and "&lt;script&gt;" in page


def test_wrong_changed_or_empty_run_is_one_line(tmp_path: Path) -> None:
    assert code(command("--run", write(tmp_path, job="restore_verify"))) == "PS-E4211"
    assert code(command("--run", write(tmp_path, job="restore"))) == "PS-E4211"
    assert code(command("--run", write(tmp_path, row(rows=[{"name": "a"}]), job="restore"))) == "PS-E4212"
    path = write(tmp_path, row(), job="restore")
    place = path / RUN_FILE
    place.write_bytes(place.read_bytes().replace(b'"rows":20600', b'"rows":20601'))
    assert code(command("--run", path)) == "PS-E4003"
