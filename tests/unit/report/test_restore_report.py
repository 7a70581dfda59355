"""备份恢复验证报告: what was proven, and above all that nothing is told as proven that was not."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import docx
import pytest
from typer.testing import CliRunner, Result

from panshi.errors import PanshiError
from panshi.record import RUN_FILE
from panshi.report.charts import steps_chart
from panshi.report.cli import app

from .restored import database, dump, files, proof, table, write

LOST = ("PS-E7452", "表 shop.orders 没有恢复出来")


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["restore", *(str(word) for word in words)])


def code(result: Result) -> str:
    assert isinstance(result.exception, PanshiError), result.output
    assert "\n" not in str(result.exception)
    return result.exception.code


def file(root: Path, kind: str, *words: str | Path) -> Path:
    result = command("--records", root, "--format", kind, *words)
    assert result.exit_code == 0, result.exception
    return Path(result.stdout.strip())


def page(root: Path, *words: str | Path) -> str:
    return file(root, "html", *words).read_text(encoding="utf-8")


def paper(root: Path) -> str:
    document = docx.Document(BytesIO(file(root, "docx").read_bytes()))
    cells = [cell.text for one in document.tables for line in one.rows for cell in line.cells]
    return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)


def told(text: str, *words: str) -> None:
    for one in words:
        assert one in text, one


def test_proven_run_is_told_with_its_figures(tmp_path: Path) -> None:
    path = write(tmp_path, proof())
    text = page(tmp_path)
    head = (path / RUN_FILE).read_text(encoding="utf-8").splitlines()[-1].partition('"hash":"')[2][:64]
    told(text, path.name, head, "张三@ops", "2026-11-22 10:00:00（北京时间）", "1 / 1 台主机的备份已证明能恢复")
    told(text, "<b>30 秒</b>RTO", "<b>1 分 30 秒</b>RPO", "能恢复到 11-22 10:03:30", "整个验证 45 秒，是恢复的 1.50 倍")
    told(text, "<b>2.0 小时</b>备份的年龄", "<b>3 / 3</b>表与来源相同", "恢复出 20,542 行")
    told(text, "<b>6 / 7</b>文件相同", "1 个文件在列清单与备份之间被改过", "没有发现。")
    told(
        text, "20261121T000000Z-full", "共 2 份，1.5 GiB", "0-1-120", "0-1-180", "有自己的网络命名空间，到不了任何网络"
    )
    told(text, "140000", "视图 1 / 1", "1 个外键，1 个成立", "重放到末尾 2026-11-22 10:03:29", "得到 20000")
    told(text, "这是它的第一次验证，无从比较", "<td>复核</td>")
    assert "没有得到证明的备份不能当作备份" not in text and "<script" not in text and "http://" not in text
    told(paper(tmp_path), path.name, head, "3 / 3", "30 秒", "shop.orders", "20,000", "没有发现。", "复核", "offsite")


def test_dumps_are_told_with_what_was_compared_and_what_was_not(tmp_path: Path) -> None:
    wiki = dump("sql-wiki", counted=9, same=8, unsaid=1, isolated=False)
    write(tmp_path, proof(dumps=[dump("redis"), wiki]))
    text = page(tmp_path)
    told(text, "20261122T023000Z-redis", "3.0 MiB", "1,200 键", "1,000", "数据库 wiki", "9 表")
    told(text, "Redis 的 1200 个键都数过，其中 200 个没有对照内容", "数据库 wiki 有 1 张表在导出期间被改过")
    told(text, "数据库 wiki 的临时服务没有自己的网络命名空间")
    told(paper(tmp_path), "Redis 与小数据库的导出", "20261122T023000Z-sql-wiki", "1,200 键")


def test_dump_that_differs_is_a_finding_and_the_restore_came_to_its_end(tmp_path: Path) -> None:
    write(tmp_path, proof("db1", ("PS-E7488", "有 3 个键不同"), dumps=[dump("redis", differ=3)]), messages={"db1": "x"})
    text = page(tmp_path)
    told(text, "0 / 1 台主机", "有 3 个键不同", "<b>30 秒</b>RTO")


def test_finding_is_first_and_nothing_of_it_is_told_as_proven(tmp_path: Path) -> None:
    broken = database(tables=[table("shop.customers", 500), table("shop.orders", 20000, restored=None)])
    write(tmp_path, proof("db1", LOST, database=broken), messages={"db1": "没有得到证明"})
    text = page(tmp_path)
    told(text, "0 / 1 台主机", "没有得到证明的备份不能当作备份：db1（没有得到证明）", LOST[0], LOST[1], "没有恢复出来")
    told(text, "<b>1 / 2</b>表与来源相同", "<b>30 秒</b>RTO")
    assert "已证明</b>" not in text
    assert text.index("<td>orders</td>") < text.index("<td>customers</td>"), "what differs comes first"
    told(paper(tmp_path), LOST[0], LOST[1], "没有得到证明 1 台", "已证明能恢复 0 台")


def test_restore_that_did_not_come_to_its_end_has_no_rto_and_says_what_was_not_reached(tmp_path: Path) -> None:
    begun = {
        key: value for key, value in database().items() if key in ("set", "chain", "bytes", "server", "ended", "lag")
    }
    steps = [{"name": "取回与准备", "seconds": 3.0, "restore": True}]
    found = ("PS-E7434", "备份 20261122T000000Z-incr 与做备份时不同")
    write(tmp_path, proof("db1", found, database=begun, steps=steps, files=[], rto=3.0, rpo=-1, seconds=5.0))
    text = page(tmp_path)
    told(text, "<b>—</b>RTO", "恢复没有走完，不能当作 RTO；已用 3 秒", "<b>—</b>RPO", "没有测得", "没有启动起来")
    told(text, "逐表对照没有走到这一步", "冒烟查询没有走到这一步", "没有文件的结果：没有声明，或没有取回")
    told(text, "没有对照过表", "没有对照过文件")
    told(paper(tmp_path), "没有走到这一步", found[1])


def test_run_that_was_cut_off_knows_nothing_of_the_rest(tmp_path: Path) -> None:
    write(tmp_path, proof(), hosts=("db1", "db2"), end=False)
    text = page(tmp_path)
    told(
        text,
        "运行中断：没有结束行",
        "1 / 2 台主机",
        "db2（没有结果）",
        "运行中断，没有留下结果",
        "没有做成恢复，什么也没有证明",
    )
    told(paper(tmp_path), "运行中断，没有留下结果", "没有结果 1 台")


def test_host_without_a_result_says_why_and_run_without_any_is_reported(tmp_path: Path) -> None:
    why = "[PS-E7448] 恢复中途被结束，没有结果。查明原因（journalctl -u panshi-restore）后重做"
    write(tmp_path, messages={"db1": why})
    text = page(tmp_path)
    told(text, "0 / 1 台主机", why, "没有结果", "没有一台主机留下用时", "没有一台主机有数据库的结果")
    told(paper(tmp_path), why)


def test_changed_record_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, proof("db1", LOST))
    place = path / RUN_FILE
    place.write_bytes(place.read_bytes().replace(b'"proven":false', b'"proven":true'))
    assert code(command("--records", tmp_path)) == "PS-E4003"
    assert not (path / "report").exists()


def test_run_of_another_job_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, job="restore")
    assert code(command("--run", path)) == "PS-E4211"
    assert code(command("--run", write(tmp_path, proof()), "--format", "xlsx")) == "PS-E4009"
    assert code(command("--records", tmp_path / "none")) == "PS-E4004"


@pytest.mark.parametrize(
    "part", [{"ended": "yesterday"}, {"ended": "2026-11-22"}, {"tables": [{}]}, {"objects": {"views": []}}]
)
def test_row_of_another_shape_is_one_line(tmp_path: Path, part: dict[str, object]) -> None:
    write(tmp_path, proof(database=database(**part)))
    assert code(command("--records", tmp_path)) == "PS-E4212"


def test_what_a_host_answers_stays_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\x07"
    bad = database(
        server=evil,
        tables=[table(f"{evil}.{evil}", 1, restored=2)],
        smoke=[{"name": evil, "found": evil, "least": 1, "good": False}],
    )
    steps = [{"name": evil, "seconds": 1.0, "restore": True}]
    write(tmp_path, proof(evil, ("PS-E7452", evil), database=bad, steps=steps, files=[files(name=evil, differ=[evil])]))
    text = page(tmp_path)
    assert "<script" not in text and "&lt;script&gt;" in text
    told(paper(tmp_path), "<script>alert(1)</script>\ufffd")


def test_previous_proven_run_of_the_host_is_compared(tmp_path: Path) -> None:
    old = write(
        tmp_path, proof(rto=20.0, database=database(bytes=1 << 30, tables=[table("shop.orders", 16000)])), days=30
    )
    write(tmp_path, proof("db1", LOST, rto=25.0), days=10)
    write(tmp_path, proof("db2"), days=5)
    write(tmp_path, proof())
    text = page(tmp_path)
    told(text, f"上一次已证明：11-22 10:05:00（{old.name}", "RTO 20 秒 → 30 秒 +50%")
    told(text, "备份 1.0 GiB → 1.5 GiB +50%", "表 1 → 3", "行 16,000 → 20,542 +28%", '<svg class="trend"')
    assert text.count("<circle") == 3


def test_earlier_record_that_was_changed_is_named_and_left_out(tmp_path: Path) -> None:
    old = write(tmp_path, proof(rto=20.0), days=30)
    place = old / RUN_FILE
    place.write_bytes(place.read_bytes().replace(b'"rto":20.0', b'"rto":90.0'))
    odd = write(tmp_path, proof(database={"set": "1"}), days=20)
    write(tmp_path, proof())
    text = page(tmp_path)
    told(text, f"没有用于比较：{old.name}、{odd.name}", "这是它的第一次验证")


def test_no_more_than_twelve_earlier_proofs_are_shown(tmp_path: Path) -> None:
    for days in range(1, 16):
        write(tmp_path, proof(), days=days)
    write(tmp_path, proof())
    assert page(tmp_path).count("<circle") == 13


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"isolated": False}, "它不监听任何端口，但没有从网络上隔断"),
        ({"lag": 4}, "备份取自从库，当时落后主库 4 秒"),
        ({"smoke": []}, "没有声明冒烟查询"),
        ({"newest": {}}, "没有声明业务数据时间的查询"),
        ({"constraints": [{"name": "shop.k", "orphans": None}]}, "1 个外键没有在限时内查完：shop.k"),
        ({"tables": [table("shop.log", 5, restored=6, engine="Aria")]}, "1 张表不是 InnoDB"),
    ],
)
def test_what_was_not_proven_is_said_even_of_a_proven_backup(
    tmp_path: Path, more: dict[str, object], words: str
) -> None:
    write(tmp_path, proof(database=database(**more)))
    told(page(tmp_path), words)
    told(paper(tmp_path), words)


def test_own_host_other_copies_and_missing_declarations_are_said(tmp_path: Path) -> None:
    write(tmp_path, proof(on="db1", database={}, rpo=-1, files=[]))
    text = page(tmp_path)
    told(
        text,
        "只读了备份库 offsite 里最新的一份",
        "在来源主机自己身上恢复",
        "没有声明数据库，只验证了文件",
        "没有声明要备份的文件",
    )


@pytest.mark.parametrize(
    ("differ", "missing", "bad", "counts"),
    [
        (2, 1, 3, ("2", "1")),
        (20, 0, 30, ("30", "0")),
        (3, 20, 50, ("3", "47")),
        (20, 20, 50, ("至少 20", "至少 20（两者共 50）")),
    ],
)
def test_numbers_of_bad_files_are_not_those_of_the_paths_that_were_kept(
    tmp_path: Path, differ: int, missing: int, bad: int, counts: tuple[str, str]
) -> None:
    row = files(listed=100, same=99 - bad, moving=1, differ=["/a"] * differ, missing=["/b"] * missing)
    write(tmp_path, proof("db1", ("PS-E7456", "文件不同"), files=[row]))
    told(page(tmp_path), *(f'<td class="n">{one}</td>' for one in counts))


def test_same_tables_of_a_long_list_are_folded_away(tmp_path: Path) -> None:
    many = [table(f"shop.t{number:03}", number) for number in range(40)] + [table("shop.zz", 9, restored=8)]
    write(tmp_path, proof("db1", LOST, database=database(tables=many)))
    text = page(tmp_path)
    told(text, "<summary>相同的 40 张表</summary>", "40 / 41 张表相同")
    assert text.index("<td>zz</td>") < text.index("<summary>相同的") < text.index("<td>t000</td>")
    told(paper(tmp_path), "其余 11 张表相同")


def test_bars_are_on_one_scale_and_carry_their_words() -> None:
    text = steps_chart(
        [("a", [("启动", 10.0, "启动 10 秒")]), ("b", [("启动", 5.0, "启动 5 秒"), ("其余", 5.0, "其余")])]
    )
    assert text.count('width="850.0"') == 1 and text.count('width="425.0"') == 2 and "启动 5 秒" in text
