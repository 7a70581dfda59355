"""补丁实施报告: what became of each host and package, and that nothing is told that no row tells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner, Result

from panshi.errors import PanshiError
from panshi.patch import digest
from panshi.record import (
    RUN_FILE,
    Begin,
    ChangeRow,
    GuardRow,
    PatchRow,
    RecordWriter,
    Row,
    SignedRow,
    SkipRow,
    read_run,
)
from panshi.report.charts import gantt
from panshi.report.cli import app
from panshi.report.patch import NOT_DECLARED, Fate, Patching, State

from .patched import (
    DAY,
    HOSTS,
    REASON,
    broken,
    changes,
    done,
    events,
    good,
    package,
    plan,
    service,
    write,
)


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["patch", *(str(word) for word in words)])


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


def book(root: Path) -> dict[str, list[list[Any]]]:
    made = load_workbook(BytesIO(file(root, "xlsx").read_bytes()))
    return {sheet.title: [[cell.value for cell in line] for line in sheet.iter_rows(min_row=2)] for sheet in made}


def paper(root: Path) -> str:
    document = docx.Document(BytesIO(file(root, "docx").read_bytes()))
    cells = [cell.text for table in document.tables for line in table.rows for cell in line.cells]
    return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)


def told(*paths: Path) -> Patching:
    return Patching(tuple(read_run(path) for path in paths))


def states(report: Patching) -> list[State]:
    return [host.state for host in report.hosts]


def fates(report: Patching, host: str = "web1") -> list[Fate]:
    return [item.fate for item in report.items if item.host == host]


def test_run_that_went_well_is_counted_as_on_paper(tmp_path: Path) -> None:
    report = told(good(tmp_path, service()))
    assert states(report) == [State.DONE] * 3 and fates(report) == [Fate.UPDATED] * 2
    assert (report.patched, len(report.planned)) == (6, 6)
    assert [one.id for one in report.closed] == ["EX-2026-0001"] and report.unnumbered == 3
    assert (len(report.reboots), len(report.restarts), report.failures, report.untouched) == (3, 3, (), ())
    assert report.exempt == () and report.left_drained == ()
    (attempt,) = report.hosts[0].attempts
    assert (attempt.seconds, attempt.drained_seconds) == (70.0, 50.0)


@pytest.mark.parametrize(
    ("deadline", "words"),
    [("2026-11-21 23:59", "未逾期"), ("2026-11-21 22:04", "已逾期"), ("", "12.0 小时")],
)
def test_hours_since_the_notice_are_told_in_every_form(tmp_path: Path, deadline: str, words: str) -> None:
    about = {"id": "NOTICE-1", "source": "上级", "received": "2026-11-21 10:05", "deadline": deadline}
    good(tmp_path, document=plan(notice=about))
    for text in (page(tmp_path), str(book(tmp_path)["汇总"]), paper(tmp_path)):
        assert "NOTICE-1（上级），2026-11-21 10:05 收到，最后一次运行结束时过了 12.0 小时" in text and words in text


def test_canary_that_was_returned_leaves_the_rest_untouched(tmp_path: Path) -> None:
    report = told(broken(tmp_path))
    assert states(report) == [State.RETURNED, State.UNTOUCHED, State.UNTOUCHED]
    assert fates(report) == [Fate.RETURNED] * 2 and fates(report, "web2") == [Fate.UNTOUCHED] * 2
    (failure,) = report.failures
    assert failure.why == REASON and failure.returned == ("nginx:amd64 1.1 → 1.0", "openssl 1.1 → 1.0")
    assert report.advisories[0].open == HOSTS and report.closed == ()
    assert [(one.host, one.packages) for one in report.exempt] == [(host, ("nginx", "openssl")) for host in HOSTS]
    assert report.exempt[0].why.startswith("主机已退回：[PS-E6108]") and report.exempt[1].why == "主机没有轮到"


def test_host_that_is_not_well_after_its_return_has_failed(tmp_path: Path) -> None:
    rows = [
        *events("web1", "begun", "drained", "installed", "failed"),
        *changes("web1"),
        *changes("web1", "1.1", "1.0"),
    ]
    report = told(write(tmp_path, rows, {"web1": "failed"}, messages={"web1": "[PS-E6110] 须立即人工处理"}))
    assert states(report)[0] is State.FAILED and fates(report) == [Fate.RETURNED] * 2
    assert [host.name for host in report.left_drained] == ["web1"]


def test_killed_run_says_what_it_does_not_know(tmp_path: Path) -> None:
    rows = [*done("web1"), *events("web2", "begun", "drained", minute=2)]
    report = told(write(tmp_path, rows, end=False))
    assert states(report) == [State.DONE, State.INTERRUPTED, State.UNTOUCHED]
    assert fates(report, "web2") == [Fate.UNKNOWN] * 2 and fates(report, "web3") == [Fate.UNTOUCHED] * 2
    assert [host.name for host in report.left_drained] == ["web2"]
    assert report.failures[0].why == "运行在“摘除分流”之后中断，没有留下结果"
    assert report.hosts[1].attempts[0].drained_seconds is None, "nobody knows until when"
    assert report.services == ((report.runs[0], None, "运行中断，没有留下探测结果"),)


def test_killed_run_and_the_one_that_resumed_it_are_one_report(tmp_path: Path) -> None:
    killed = write(tmp_path, [*done("web1"), *events("web2", "begun", "drained", minute=2)], end=False)
    # The controller died before it was told: the versions are there, the rows are not.
    resumed = events("web2", "resumed", "drained", "restarted", "undrained", "done", minute=70)
    last = write(tmp_path, [*resumed, *done("web3", 71)], {"web2": "changed", "web3": "changed"}, hour=1)
    report = told(killed, last)
    assert states(report) == [State.DONE] * 3 and report.left_drained == ()
    assert fates(report, "web2") == [Fate.ALREADY] * 2 and report.patched == 6
    assert [(part.wave, part.run) for part in report.parts] == [
        ("先行", killed.name),
        ("一部分", killed.name),
        ("一部分", last.name),
        ("其余", last.name),
    ]
    text = page(tmp_path)
    assert killed.name in text and last.name in text and f"运行 {killed.name} 中断：没有结束行" in text
    assert text.count('<svg class="gantt"') == 4
    assert page(tmp_path, "--run", killed.name).replace(killed.name, "") != "", "the killed run can be named as well"


def test_second_run_that_finds_nothing_to_do_tells_the_same(tmp_path: Path) -> None:
    first = good(tmp_path)
    # A run that finds nothing to do sends every host work again, whatever an earlier one left.
    rows = [row for host in HOSTS for row in events(host, "undrained", minute=60)]
    again = write(tmp_path, rows, dict.fromkeys(HOSTS, "changed"), hour=1)
    report = told(first, again)
    assert states(report) == [State.DONE] * 3 and report.patched == 6 and report.failures == ()
    assert file(tmp_path, "html").parent.parent == again


def test_run_of_hosts_that_others_had_patched_claims_no_update(tmp_path: Path) -> None:
    rows = [row for host in HOSTS for row in events(host, "resumed", "done")]
    report = told(write(tmp_path, rows, dict.fromkeys(HOSTS, "unchanged")))
    assert fates(report) == [Fate.ALREADY] * 2 and report.reboots == () and report.patched == 6


@pytest.mark.parametrize(
    ("rows", "fate"),
    [
        ((), Fate.UNTOUCHED),
        (tuple(events("web1", "begun", "drained")), Fate.UNKNOWN),
        ((*events("web1", "begun", "drained", "installed"), *changes("web1")), Fate.UPDATED),
    ],
)
def test_unreachable_host_has_what_the_rows_tell(tmp_path: Path, rows: tuple[Row, ...], fate: Fate) -> None:
    path = write(tmp_path, rows, {"web1": "unreachable"}, messages={"web1": "No route to host"})
    report = told(path)
    assert states(report)[0] is State.UNREACHABLE and fates(report) == [fate] * 2
    assert report.failures[0].why == "No route to host"
    assert "主机不可达：No route to host" in page(tmp_path) or fate is Fate.UPDATED


def test_host_that_was_not_well_before_was_not_changed(tmp_path: Path) -> None:
    message = "[PS-E6116] 打补丁之前就不正常，没有做任何改动：探测没有通过"
    report = told(write(tmp_path, events("web1", "begun"), {"web1": "failed"}, messages={"web1": message}))
    assert states(report)[0] is State.FAILED and fates(report) == [Fate.UNTOUCHED] * 2


def test_wave_that_fails_after_its_hosts_are_done_is_told_as_a_failure_of_the_run(tmp_path: Path) -> None:
    message = "[PS-E6114] 打补丁之后基线变差：口令最小长度"
    report = told(write(tmp_path, done("web1"), {"web1": "failed"}, messages={"web1": message}))
    assert states(report) == [State.DONE, State.UNTOUCHED, State.UNTOUCHED]
    assert [(one.host, one.why) for one in report.failures] == [("web1", message)]


def test_done_host_that_a_later_run_cannot_reach_stays_done(tmp_path: Path) -> None:
    later = write(tmp_path, [], {"web1": "unreachable"}, hour=1, messages={"web1": "timed out"})
    report = told(good(tmp_path), later)
    assert states(report) == [State.DONE] * 3 and report.failures[0].why == "timed out"


def test_skipped_package_is_not_called_updated(tmp_path: Path) -> None:
    skip = SkipRow(host="web1", role="patch_host", resource="package:openssl", why="没有安装，不因补丁而安装")
    report = told(write(tmp_path, [*events("web1", "begun", "installed", "done"), changes("web1")[0], skip]))
    assert fates(report) == [Fate.UPDATED, Fate.UNTOUCHED]
    assert report.exempt[0].packages == ("openssl",) and report.exempt[0].why == skip.why


def test_package_that_came_along_is_told_and_not_counted_as_planned(tmp_path: Path) -> None:
    more = ChangeRow(host="web1", role="patch_host", resource="package:libnew", before="未安装", after="2.0")
    report = told(good(tmp_path, more))
    assert fates(report) == [Fate.UPDATED, Fate.UPDATED, Fate.ALONG] and len(report.planned) == 6


def test_parsed_rpm_names_and_several_versions_of_a_kernel(tmp_path: Path) -> None:
    document = plan()
    kernel = package("kernel", arch="x86_64", **{"from": "4.19-1", "to": "4.19-2"})
    document["hosts"]["web1"] = {**document["hosts"]["web1"], "packages": [kernel]}
    row = ChangeRow(host="web1", role="r", resource="package:kernel.x86_64", before="4.19-1", after="4.19-1,4.19-2")
    report = told(write(tmp_path, [*events("web1", "begun", "done"), row], document=document))
    assert fates(report) == [Fate.UPDATED]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], NOT_DECLARED),
        ([service(requests=0, failed=0, longest=0.0, failures=[])], "没有发出过请求，没有测得"),
    ],
)
def test_what_nobody_measured_is_no_zero(tmp_path: Path, rows: list[Row], words: str) -> None:
    good(tmp_path, *rows)
    text, sheet, document = page(tmp_path), book(tmp_path)["服务中断"], paper(tmp_path)
    assert words in text and words in document and "<b>—</b>客户端看到的中断" in text
    assert words in sheet[0] and not any(isinstance(cell, int | float) for cell in sheet[0])


def test_downtime_of_a_service_is_that_of_its_clients(tmp_path: Path) -> None:
    good(tmp_path, service())
    text = page(tmp_path)
    assert "<b>0 / 2 <small>次" in text and "共 600 次请求，最长 2.5 秒" in text and "Connection refused" in text
    assert book(tmp_path)["服务中断"][0][3:] == [1, 600, 2, 0, 2.5, "11-21 22:01:00 Connection refused"]
    assert "2.5 秒" in paper(tmp_path)


def test_exceptions_are_held_unasked_unpatched_and_declared_with_owner_and_date(tmp_path: Path) -> None:
    document = plan(
        unreachable=["old1"],
        exceptions=[
            {"host": "web2", "package": "mail", "owner": "李四", "due": "2026-12-31", "reason": "等应用适配"},
            {"host": "web3", "package": "nginx", "owner": "", "due": "", "reason": "缓"},
            {"host": "old1", "package": "", "owner": "王五", "due": "2027-01-15", "reason": "待报废"},
        ],
    )
    document["hosts"]["web1"] = {**document["hosts"]["web1"], "held": ["mysql-server"]}
    report = told(good(tmp_path, document=document))
    assert [(one.host, one.packages, one.why, one.owner, one.due) for one in report.exempt] == [
        ("web1", ("mysql-server",), "锁定的软件包，不更新", "", ""),
        ("old1", (), "制订计划时没有应答，不在计划内；待报废", "王五", "2027-01-15"),
        ("web2", ("mail",), "等应用适配", "李四", "2026-12-31"),
        ("web3", ("nginx",), "缓；没有从计划中删去，已更新", "", ""),
    ]
    assert book(tmp_path)["例外"][1] == [
        "old1",
        "整台主机",
        "制订计划时没有应答，不在计划内；待报废",
        "王五",
        "2027-01-15",
    ]


def last_quarter(root: Path, after: str, **other: Any) -> Path:
    row = ChangeRow(host="web1", role="patch_host", resource="package:openssl", before="0.9", after=after)
    return write(root, [row], hour=-2000, document=plan(run="20260801T090000Z-000000"), **other)


def drifted(root: Path) -> list[tuple[str, str, str, str]]:
    return [tuple(line[:4]) for line in book(root)["漂移"]]  # type: ignore[misc]


def test_package_changed_outside_of_panshi_is_drift(tmp_path: Path) -> None:
    older = last_quarter(tmp_path, "0.95")
    good(tmp_path)
    assert drifted(tmp_path) == [("web1", "openssl", "0.95", "1.0")]
    assert older.name in page(tmp_path) and "0.95" in paper(tmp_path)


def test_version_that_the_last_quarter_left_is_no_drift(tmp_path: Path) -> None:
    last_quarter(tmp_path, "1.0")
    good(tmp_path)
    assert "可比较的 1 个 × 主机，没有漂移" in page(tmp_path)


def test_what_a_rollback_has_taken_back_since_is_no_drift(tmp_path: Path) -> None:
    last_quarter(tmp_path, "2.0")
    row = ChangeRow(host="web1", role="rollback", resource="package:openssl", before="2.0", after="1.0")
    write(tmp_path, [row], hour=-1000, signed=False, job="rollback")
    good(tmp_path)
    assert "没有漂移" in page(tmp_path)


@pytest.mark.parametrize(("resumed", "words"), [(True, "可比较的 1 个 × 主机，没有漂移"), (False, "无从比较")])
def test_what_a_killed_run_installed_and_did_not_record_is_no_drift(tmp_path: Path, resumed: bool, words: str) -> None:
    last_quarter(tmp_path, "0.9")
    document = plan(run="20260901T090000Z-000000")
    packages = [package("openssl", arch="all", **{"from": "0.9", "to": "1.0"})]
    document["hosts"]["web1"] = {**document["hosts"]["web1"], "packages": packages}
    write(tmp_path, events("web1", "begun", "drained"), hour=-1501, end=False, document=document)
    if resumed:
        write(tmp_path, events("web1", "resumed", "done"), hour=-1500, document=document)
    good(tmp_path)
    assert words in page(tmp_path)


def test_name_with_an_architecture_is_compared_by_time_and_not_by_spelling(tmp_path: Path) -> None:
    for hour, name, after in ((-2000, "package:nginx", "0.8"), (-1000, "package:nginx:amd64", "0.9")):
        row = ChangeRow(host="web1", role="patch_host", resource=name, before="0.1", after=after)
        write(tmp_path, [row], hour=hour, document=plan(run=f"2026{hour}"))
    good(tmp_path)
    assert drifted(tmp_path) == [("web1", "nginx", "0.9", "1.0")]


def test_rehearsal_and_later_runs_are_nothing_to_compare_with(tmp_path: Path) -> None:
    last_quarter(tmp_path, "2.0", job="patch_apply-check")
    path = good(tmp_path)
    write(tmp_path, changes("web1", "1.1", "1.2"), hour=50, document=plan(run="20270201T090000Z-000000"))
    assert "无从比较" in page(tmp_path, "--run", path.name)


def tamper(path: Path, old: bytes, new: bytes) -> None:
    record = path / RUN_FILE
    assert old in record.read_bytes()
    record.write_bytes(record.read_bytes().replace(old, new, 1))


def test_damaged_earlier_record_is_named_and_not_used(tmp_path: Path) -> None:
    older = last_quarter(tmp_path, "0.95")
    tamper(older, b'"after":"0.95"', b'"after":"1.0"')
    good(tmp_path)
    text = page(tmp_path)
    assert f"没有用于比较：{older.name}" in text and "无从比较" in text


@pytest.mark.parametrize("which", [0, 1])
def test_changed_record_of_any_of_its_runs_gives_no_report(tmp_path: Path, which: int) -> None:
    killed = write(tmp_path, [*done("web1"), *events("web2", "begun")], end=False)
    last = write(tmp_path, [*done("web2"), *done("web3")], hour=1)
    tamper((killed, last)[which], b'"after":"1.1"', b'"after":"1.2"')
    result = command("--records", tmp_path)
    assert code(result) == "PS-E4003"
    assert not (last / "report").exists()


def test_plan_in_the_record_that_is_not_the_signed_one_is_said(tmp_path: Path) -> None:
    good(tmp_path, sha256="0" * 64)
    assert "不能作为按计划实施的证据" in page(tmp_path)
    assert any("不一致" in str(line[2]) for line in book(tmp_path)["汇总"]) and "不一致" in paper(tmp_path)
    assert "不一致" not in page(tmp_path, "--run", good(tmp_path, hour=3))


def test_run_that_still_goes_on_is_passed_over_and_refused_by_name(tmp_path: Path) -> None:
    path = good(tmp_path)
    with RecordWriter(tmp_path, "lab", "patch_apply", now=lambda: DAY + timedelta(hours=1)) as record:
        begin = Begin(run=record.run, estate="lab", job="patch_apply", operator="x", profile="linux-l3", level=3)
        record.write(begin, SignedRow(sha256=digest(plan()), document=plan()))
        result = command("--records", tmp_path, "--format", "html")
        assert path.name in result.stdout and record.run in result.stderr
        assert record.run not in Path(result.stdout.strip()).read_text(encoding="utf-8")
        assert code(command("--records", tmp_path, "--run", record.run)) == "PS-E4007"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--estate", "nowhere"], "PS-E4004"),
        (["--run", "20200101T000000Z-000000"], "PS-E4004"),
        (["--format", "pdf"], "PS-E4009"),
    ],
)
def test_wrong_words_are_one_clear_line(tmp_path: Path, words: list[str], expected: str) -> None:
    good(tmp_path)
    assert code(command("--records", tmp_path, *words)) == expected


def test_run_of_another_estate_is_refused(tmp_path: Path) -> None:
    path = good(tmp_path)
    assert code(command("--records", tmp_path, "--run", path.name, "--estate", "bureau")) == "PS-E4004"
    assert command("--records", tmp_path, "--run", path, "--estate", "lab", "--format", "html").exit_code == 0


@pytest.mark.parametrize("job", ["patch_apply", "harden"])
def test_run_without_a_signed_plan_is_refused(tmp_path: Path, job: str) -> None:
    path = write(tmp_path, changes("web1"), signed=False, job=job)
    assert code(command("--records", tmp_path, "--run", path)) == "PS-E6401"


def test_no_records_at_all_is_one_clear_line(tmp_path: Path) -> None:
    assert code(command("--records", tmp_path)) == "PS-E4004"


def test_page_tells_plan_waves_versions_notices_reboots_and_heads(tmp_path: Path) -> None:
    path = good(tmp_path, service())
    text = page(tmp_path)
    head = (path / RUN_FILE).read_text(encoding="utf-8").splitlines()[-1].partition('"hash":"')[2][:64]
    for words in (
        digest(plan()),
        "由记录中的计划重新算得，一致",
        "2026-11-21 22:00 至 2026-11-22 04:00",
        "张三@ops",
        head,
        "<b>3 / 3 <small>台",
        "<b>6 / 6 <small>个 × 主机",
        "EX-2026-0001 CVE-2026-0001 CNVD-2026-00002",
        "元数据中没有",
        "6.1.0-2",
        "nginx.service",
        "没有失败，也没有退回",
        "计划中的主机都轮到了",
        "没有例外",
        f"playbooks/rollback.yml -e run={path.name}",
    ):
        assert words in text, words
    assert text.count('<svg class="gantt"') == 3 and "安装 11-21 22:00:10 起 10 秒" in text
    assert "<script" not in text and "script-src 'none'" in text


def test_page_of_a_failed_run_says_what_failed_and_who_was_not_reached(tmp_path: Path) -> None:
    broken(tmp_path)
    text = page(tmp_path)
    for words in (REASON, "nginx:amd64 1.1 → 1.0", "再运行同一条命令就从这里继续", "<b>0 / 3 <small>台", "已退回"):
        assert words in text, words
    sheets = book(tmp_path)
    assert [(line[3], line[4]) for line in sheets["失败与退回"]] == [
        ("web1", "已退回"),
        ("web2", "没有轮到"),
        ("web3", "没有轮到"),
    ]
    assert "退回的软件包" in paper(tmp_path) and REASON in paper(tmp_path)


def test_book_has_a_line_per_package_and_event(tmp_path: Path) -> None:
    good(tmp_path, service())
    sheets = book(tmp_path)
    assert list(sheets) == ["汇总", "主机", "软件包", "公告", "时间", "服务中断", "失败与退回", "例外", "漂移"]
    first = ["web1", "nginx", "amd64", "1.0", "1.1", "1.1", "已更新", "Debian-Security:12", "是"]
    assert sheets["软件包"][0][:9] == first and sheets["软件包"][0][9] == "EX-2026-0001 CVE-2026-0001 CNVD-2026-00002"
    assert sheets["软件包"][1][9] == "元数据中没有"
    assert len(sheets["软件包"]) == 6 and len(sheets["时间"]) == 21
    assert sheets["主机"][0][:8] == ["先行", "web1", "Debian GNU/Linux 12 (bookworm)", "完成", 2, 2, 1, "50 秒"]
    summary = {line[0]: line[1] for line in sheets["汇总"]}
    assert summary["签字的摘要"] == digest(plan()) and summary["主机重启"] == 3


def test_document_has_the_facts_and_a_place_to_sign(tmp_path: Path) -> None:
    good(tmp_path)
    text = paper(tmp_path)
    for words in (digest(plan()), "3 台：完成 3", "计划 6，已是计划的版本 6", "元数据中没有", "批准", "6.1.0-2"):
        assert words in text, words


def test_what_a_host_answers_stays_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    rows: Sequence[Row] = [
        *events("web1", "begun", "restarted", "failed", details={"restarted": evil, "failed": evil}),
        ChangeRow(host="web1", role="r", resource=f"package:{evil}", before="=1+1", after=evil),
        SkipRow(host="web1", role="r", resource=evil, why=evil),
        GuardRow(host="web1", role="r", event="restored", detail=evil),
        service(failures=[{"time": "2026-11-21T14:00:00Z", "error": evil}]),
        PatchRow(host="web1", event=evil, time="2026-11-21T14:09:00Z", detail=evil),
    ]
    write(tmp_path, rows, {"web1": "failed"}, messages={"web1": evil + "\x07"})
    text = page(tmp_path)
    assert evil not in text and "&lt;script&gt;" in text
    made = load_workbook(BytesIO(file(tmp_path, "xlsx").read_bytes()))
    assert not any(cell.data_type == "f" for sheet in made for line in sheet.iter_rows() for cell in line)
    assert evil in paper(tmp_path)


def test_picture_of_one_moment_and_of_many_hours_has_few_ticks() -> None:
    report_time = datetime.fromisoformat("2026-11-21T14:00:00+00:00")
    moment = gantt([("a", [("installed", report_time, report_time, "安装")])])
    assert 'width="1.0"' in moment and "22:00:00" in moment
    long = gantt([("a" * 40, [("rebooted", report_time, datetime.fromisoformat("2026-11-23T01:00:00+00:00"), "重启")])])
    assert (
        long.count("<line") <= 9
        and "a" * 20 not in long.partition("<rect")[0].partition("aria-label")[2].partition(">")[2]
    )


def test_host_that_was_returned_and_is_done_by_a_second_run_is_done(tmp_path: Path) -> None:
    first, second = broken(tmp_path), good(tmp_path, hour=1)
    report = told(first, second)
    assert states(report) == [State.DONE] * 3 and fates(report) == [Fate.UPDATED] * 2
    assert [one.run for one in report.failures] == [first.name]
