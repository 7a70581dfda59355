"""The run record: what is written is read back, and what was changed is found."""

from __future__ import annotations

import fcntl
import json
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panshi.errors import PanshiError
from panshi.record import (
    RUN_FILE,
    Begin,
    EndRow,
    HostRow,
    RecordWriter,
    VerdictRow,
    is_running,
    list_runs,
    previous_run,
    read_run,
    safe_name,
    verify_run,
)
from panshi.verdict import Status

FACTS = {"schema": 1, "items": {"host.uname": {"cmd": "uname -srm", "rc": 0, "out": "Linux 6.1 x86_64\n"}}}


def begin(run: str, **other: object) -> Begin:
    values: dict[str, object] = {"estate": "lab", "job": "audit", "operator": "张三", "profile": "linux-l3", "level": 3}
    return Begin(run=run, **(values | other))  # type: ignore[arg-type]


def verdict(check: str = "linux-pw-minlen", status: Status = Status.FAIL, observed: str = "5 位") -> VerdictRow:
    return VerdictRow(
        host="web1",
        control="8.1.4.1 a)",
        check=check,
        title="口令最小长度",
        target="linux",
        mode="auto",
        status=status,
        observed=observed,
        evidence=["file:/etc/login.defs"],
    )


def write_run(root: Path, *, second: int = 0, end: bool = True, **other: object) -> Path:
    moment = datetime(2026, 11, 21, 3, 0, second, tzinfo=UTC)
    with RecordWriter(root, "lab", "audit", now=lambda: moment) as record:
        record.write(begin(record.run, **other))
        record.write_host(HostRow(host="web1", state="collected", seconds=0.8), FACTS)
        record.write(verdict(), verdict("linux-pw-history", Status.PASS))
        if end:
            record.write(EndRow(counts={"fail": 1, "pass": 1}, hosts={"collected": 1}, seconds=1.5, exit=1))
    return record.path


def rewrite(path: Path, lines: list[bytes]) -> None:
    (path / RUN_FILE).write_bytes(b"".join(lines))


def lines_of(path: Path) -> list[bytes]:
    return (path / RUN_FILE).read_bytes().splitlines(keepends=True)


def found(path: Path) -> str:
    return "\n".join(str(problem) for problem in verify_run(path))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    run = read_run(path)
    assert (run.begin.estate, run.begin.operator, run.begin_time) == ("lab", "张三", "2026-11-21T03:00:00Z")
    assert [row.state for row in run.hosts] == ["collected"]
    assert [row.status for row in run.verdicts] == [Status.FAIL, Status.PASS]
    assert run.facts("web1") == FACTS and run.facts("unknown") is None
    assert run.end is not None and run.end.exit == 1
    assert run.head == json.loads(lines_of(path)[-1])["hash"]
    assert verify_run(path) == []


def test_record_and_facts_are_private_to_the_operator(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    modes = {file.name: file.stat().st_mode & 0o777 for file in [path, *path.rglob("*")]}
    assert modes == {path.name: 0o700, RUN_FILE: 0o600, "facts": 0o700, "web1.json.gz": 0o600}


def test_facts_file_is_the_same_for_the_same_facts(tmp_path: Path) -> None:
    one, two = write_run(tmp_path, second=1), write_run(tmp_path, second=2)
    assert (one / "facts/web1.json.gz").read_bytes() == (two / "facts/web1.json.gz").read_bytes()
    assert (one / "facts/web1.json.gz").read_bytes()[4:8] == bytes(4), "the gzip header carries no time of writing"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = write_run(tmp_path_factory.mktemp("flip"))
    return path, (path / RUN_FILE).read_bytes()


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_changed_byte_of_any_line_is_found(sound: tuple[Path, bytes], data: st.DataObject) -> None:
    path, original = sound
    position = data.draw(st.integers(0, len(original) - 1))
    change = data.draw(st.integers(1, 255))
    changed = bytearray(original)
    changed[position] ^= change
    (path / RUN_FILE).write_bytes(changed)
    try:
        assert verify_run(path)
    finally:
        (path / RUN_FILE).write_bytes(original)


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=[]), max_size=40))
def test_any_text_survives_the_chain(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with RecordWriter(tmp_path_factory.mktemp("text"), text, "audit") as record:
        record.write(begin(record.run))
        record.write_host(HostRow(host=text, state="collected"), {"items": {"x": {"out": text}}})
        record.write(verdict(observed=text), EndRow(counts={}, hosts={}, seconds=0, exit=0))
    assert verify_run(record.path) == []
    run = read_run(record.path)
    assert run.verdicts[0].observed == text.encode("utf-8", "replace").decode()


def test_changed_line_is_named(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    lines = lines_of(path)
    lines[2] = lines[2].replace(b'"status":"fail"', b'"status":"pass"')
    rewrite(path, lines)
    assert "第 3 行（seq 2，verdict）：内容被改动" in found(path)


def test_changed_line_with_a_recomputed_hash_breaks_the_chain(tmp_path: Path) -> None:
    path, other = write_run(tmp_path), tmp_path / "other"
    with RecordWriter(other, "lab", "audit") as record:
        record.write(begin(path.name))
    lines = lines_of(path)
    rewrite(path, [lines_of(record.path)[0], *lines[1:]])
    assert "第 2 行（seq 1，host）：与上一行不相接" in found(path)


def test_second_spelling_of_the_same_line_is_found(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    lines = lines_of(path)
    lines[2] = lines[2].replace(b'"status":"fail"', b'"status":"pass","status":"fail"')
    rewrite(path, lines)
    assert "第 3 行（seq 2，verdict）：内容被改动" in found(path)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([0, 1, 3, 4], "第 3 行（seq 3，verdict）：与上一行不相接"),
        ([0, 1, 3, 2, 4], "与上一行不相接"),
        ([0, 0, 1, 2, 3, 4], "第 2 行（seq 0，begin）：出现第二个开始行"),
        ([1, 2, 3, 4], "开始行缺失"),
        ([0, 1, 2, 3, 4, 3], "结束行之后还有内容"),
        ([0, 1, 2, 3], "没有结束行，运行未完成"),
    ],
    ids=["missing", "reordered", "two-begins", "no-begin", "after-end", "no-end"],
)
def test_missing_moved_or_added_line_is_named(tmp_path: Path, order: list[int], expected: str) -> None:
    path = write_run(tmp_path)
    lines = lines_of(path)
    rewrite(path, [lines[i] for i in order])
    assert expected in found(path)


def test_cut_last_line_is_incomplete_and_not_corruption(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    lines = lines_of(path)
    rewrite(path, [*lines[:-1], lines[-1][:40]])
    problems = verify_run(path)
    assert problems and all(problem.incomplete for problem in problems)
    assert "第 5 行：最后一行未写完" in found(path)
    assert read_run(path).end is None and len(read_run(path).verdicts) == 2


def test_run_without_end_is_incomplete(tmp_path: Path) -> None:
    path = write_run(tmp_path, end=False)
    assert [(p.what, p.incomplete) for p in verify_run(path)] == [("没有结束行，运行未完成", True)]


def test_renamed_run_is_found(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    moved = path.rename(path.with_name("20270101T000000Z-abcdef"))
    assert "与文件夹名 20270101T000000Z-abcdef 不符" in found(moved)


def test_changed_missing_linked_and_foreign_facts_files_are_named(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    facts = path / "facts/web1.json.gz"
    data = facts.read_bytes()
    facts.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "facts/web1.json.gz：采集文件被改动" in found(path)
    with pytest.raises(PanshiError, match="PS-E4003"):
        read_run(path).facts("web1")
    facts.unlink()
    assert "facts/web1.json.gz：采集文件读不到" in found(path)
    (tmp_path / "elsewhere").write_bytes(data)
    facts.symlink_to(tmp_path / "elsewhere")
    assert "facts/web1.json.gz：不是本运行文件夹内的采集文件" in found(path)
    facts.unlink()
    facts.write_bytes(data)
    (path / "facts/extra.json.gz").write_bytes(data)
    assert found(path) == "facts/extra.json.gz：记录中没有登记这个文件"


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..", ".", "", "a/b", "a\0b", "-rf", "主机一", "x" * 300])
def test_host_name_never_leaves_the_run_folder(tmp_path: Path, name: str) -> None:
    root = tmp_path / "records"
    with RecordWriter(root, "lab", "audit") as record:
        record.write(begin(record.run))
        record.write_host(HostRow(host=name, state="collected"), FACTS)
        record.write(EndRow(counts={}, hosts={}, seconds=0, exit=0))
    assert [file for file in tmp_path.rglob("*") if file.is_file() and record.path not in file.parents] == []
    assert verify_run(record.path) == []
    assert read_run(record.path).facts(name) == FACTS


@pytest.mark.parametrize("name", ["facts/../../x.json.gz", "/etc/passwd", "facts/.x.json.gz", "facts/a/b.json.gz"])
def test_record_cannot_point_outside_its_folder(tmp_path: Path, name: str) -> None:
    with RecordWriter(tmp_path, "lab", "audit") as record:
        record.write(begin(record.run), HostRow(host="web1", state="collected", facts=name, sha256="0"))
        record.write(EndRow(counts={}, hosts={}, seconds=0, exit=0))
    assert f"{name}：不是本运行文件夹内的采集文件" in found(record.path)


def test_names_that_differ_stay_different() -> None:
    assert len({safe_name(name) for name in ("a/b", "a_b", "a\\b", "a b", "..", ".", "")}) == 7


def test_two_jobs_cannot_write_one_run(tmp_path: Path) -> None:
    run = "20261121T030000Z-abcdef"
    with RecordWriter(tmp_path, "lab", "audit", run=run) as record:
        record.write(begin(run))
        with pytest.raises(PanshiError, match="PS-E4002"), RecordWriter(tmp_path, "lab", "audit", run=run):
            pass
        with (record.path / RUN_FILE).open("ab") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert is_running(record.path)
        assert "作业仍在写入" in found(record.path)
    assert not is_running(record.path)


def test_real_full_disk_is_one_clear_error_and_the_chain_stays_valid(tmp_path: Path) -> None:
    root = tmp_path / "full"
    root.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", root], capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        with RecordWriter(root, "lab", "audit") as record:
            record.write(begin(record.run))
            with pytest.raises(PanshiError) as caught:
                for _ in range(1000):
                    record.write(verdict(observed="满" * 2000))
            assert caught.value.code == "PS-E4001" and "磁盘空间不足" in str(caught.value)
            assert "\n" not in str(caught.value)
            with pytest.raises(PanshiError, match="PS-E4001"):
                record.write(EndRow(counts={}, hosts={}, seconds=0, exit=0))
        assert [(p.what, p.incomplete) for p in verify_run(record.path)] == [("没有结束行，运行未完成", True)]
        assert len(read_run(record.path).verdicts) > 1
    finally:
        subprocess.run(["umount", root], check=True)


def test_real_size_limit_leaves_no_half_line(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path; from panshi.record import *\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n"
        "with RecordWriter(Path(sys.argv[1]), 'lab', 'audit') as record:\n"
        "    record.write(Begin(run=record.run, estate='lab', job='audit', operator='x', profile='p', level=3))\n"
        "    while True: record.write(HostRow(host='web1', state='collected'))\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True)
    assert "PS-E4001" in done.stderr
    (path,) = list_runs(tmp_path, "lab", "audit")
    assert (path / RUN_FILE).read_bytes().endswith(b"\n")
    assert [p.what for p in verify_run(path)] == ["没有结束行，运行未完成"]


def test_unwritable_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "lab").write_text("a file where a folder should be")
    with pytest.raises(PanshiError, match="PS-E4001"), RecordWriter(tmp_path, "lab", "audit"):
        pass


def test_missing_run_and_unknown_schema_are_clear_errors(tmp_path: Path) -> None:
    for ask in (read_run, verify_run):
        with pytest.raises(PanshiError, match="PS-E4004"):
            ask(tmp_path)
    with pytest.raises(PanshiError, match="PS-E4006"):
        read_run(write_run(tmp_path, schema=2))


def test_runs_are_listed_by_time_and_the_previous_is_the_last_sound_one(tmp_path: Path) -> None:
    good = write_run(tmp_path, second=1)
    write_run(tmp_path, second=2, level=2)
    write_run(tmp_path, second=3, profile="linux-l2")
    write_run(tmp_path, second=4, end=False)
    corrupt = write_run(tmp_path, second=5)
    rewrite(corrupt, [line.replace("口令".encode(), "密码".encode()) for line in lines_of(corrupt)])
    last = write_run(tmp_path, second=6)
    later = write_run(tmp_path, second=7)
    runs = list_runs(tmp_path, "lab", "audit")
    assert (runs[0], runs[-1], len(runs)) == (good, later, 7)
    older = previous_run(read_run(last))
    assert older is not None and older.path == good
    assert previous_run(read_run(good)) is None


def test_unknown_status_is_refused() -> None:
    with pytest.raises(ValueError, match="excellent"):
        verdict(status="excellent")  # type: ignore[arg-type]
