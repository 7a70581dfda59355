"""The verdict on a proof: each kind of damage is found and named, and none is reported as good."""

from __future__ import annotations

import fcntl
import gzip
import io
import json
import os
import signal
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

from .conftest import Room

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


def test_real_writer_that_gets_no_turn_between_two_signals_still_reopens(prover: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "scratch.log"
    writer = prover.Writer(str(path), "reopen", prover.Load(500, 0.5, 1))
    try:
        os.kill(writer.pid, signal.SIGSTOP)
        path.rename(tmp_path / "scratch.log.1")
        path.touch()
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT):
            os.kill(writer.pid, number)
        assert writer.settled() is True
    finally:
        writer.end()


def test_real_program_that_gets_no_turn_still_rotates_as_often_as_asked(prover: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "scratch.log"
    writer = prover.Writer(str(path), "self", prover.Load(500, 0.4, 3))
    assert writer.settled() is True
    assert writer.end() > 0 and len(list(tmp_path.glob("scratch.log.*"))) == 4


def test_real_writer_of_a_proof_that_was_killed_ends(prover: ModuleType, tmp_path: Path) -> None:
    told, tell = os.pipe()
    proof = os.fork()
    if proof == 0:
        try:
            writer = prover.Writer(str(tmp_path / "scratch.log"), "reopen", prover.Load(500, 60, 1))
            os.write(tell, b"%d\n" % writer.pid)
            signal.pause()
        finally:
            os._exit(1)
    os.close(tell)
    with os.fdopen(told) as file:
        pid = int(file.readline())
    assert alive(pid)
    os.kill(proof, signal.SIGKILL)
    os.waitpid(proof, 0)
    deadline = time.monotonic() + 20
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
        pytest.fail("it goes on writing")


def alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended may wait for its new parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# The first time somebody else has its state, the second time the log is empty, then it rotates.
LOGROTATE = """#!/bin/sh
echo x >>{folder}/asked
case $(wc -l <{folder}/asked) in
1) echo "error: state file /var/lib/logrotate/status is already locked"; exit 3;;
2) exit 0;;
*) mv {log} {log}-20261122-1795312800;;
esac
"""


def test_real_rotation_is_tried_again_until_there_was_one(prover: ModuleType, room: Room, logrotate: Path) -> None:
    room.live.write_text("a line\n")
    logrotate.write_text(LOGROTATE.format(folder=logrotate.parent, log=room.live))
    assert prover._force(["x"], room.policy) == ""
    assert (logrotate.parent / "asked").read_text() == "x\n" * 3


@pytest.mark.parametrize(("script", "said"), [("exit 0", "没有换文件"), ("echo bad line; exit 1", "bad line")])
def test_real_rotation_that_does_not_come_about_is_a_finding_and_not_counted(
    prover: ModuleType, room: Room, logrotate: Path, script: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prover, "_SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(prover, "_PAUSE", 0.01)
    logrotate.write_text(f"#!/bin/sh\n{script}\n")
    found: dict[str, Any] = {"wrong": [], "rotations": 0, "cpu": 0.0}
    prover._rotate_meanwhile(["x"], room.policy, prover.Load(1, 0.01, 3), found)
    assert found["rotations"] == 0 and len(found["wrong"]) == 1 and said in found["wrong"][0]


@pytest.fixture
def logrotate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, to be written by the test."""
    path = tmp_path / "bin" / "logrotate"
    path.parent.mkdir()
    path.touch(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return path


def test_real_program_that_rotates_itself_is_proven_by_the_files_it_made(prover: ModuleType, room: Room) -> None:
    left = room.archive / ".log-proof-of-one-that-was-killed"
    left.mkdir(parents=True)
    policy = {**room.policy, "style": "self", "kind": "self", "managed": True, "paths": [str(room.logs / "a.*")]}
    found = prover.prove(room.config, {**policy, "mode": "0640"}, prover.Load(500, 2.4, 2))
    assert (found["way"], found["rotations"], found["lost"], found["doubled"]) == ("scratch", 2, 0, 0)
    assert found["reopened"] and found["packed"] == 3 and not left.exists()


def test_real_timer_and_proof_wait_for_each_other(
    keeper: ModuleType, prover: ModuleType, room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What either does it does with the archive's folder locked, so that the other one waits."""
    locked: list[bool] = []

    def look(*_: Any) -> list[str]:
        folder = os.open(room.archive, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            locked.append(True)
        finally:
            os.close(folder)
        return []

    room.archive.mkdir()
    (tmp_path / "config").write_text(json.dumps(room.config))
    monkeypatch.setattr(keeper, "CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(keeper, "_rotate", look)
    monkeypatch.setattr(keeper, "guard", look)
    monkeypatch.setattr(prover, "_rotation", look)
    assert keeper.main(["rotate"]) == 0 and len(locked) == 2
    prover.prove(room.config, {**room.policy, "mode": "0640"}, prover.Load(1, 0.1, 1))
    assert len(locked) == 3
    assert keeper.main(["keep"]) == 0 and len(locked) == 3


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
