"""The review counts what is in the logs, and nothing that a log holds breaks it."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from panshi.logs.review import compared, earlier
from panshi.record import RUN_FILE, Begin, EndRow, LogReviewRow, RecordWriter, list_runs, read_run

NOW = time.time()
SUDO = "TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND="


def reviewed(reviewer: ModuleType, *messages: tuple[float, str, str, str]) -> dict[str, Any]:
    review = reviewer.Review(NOW - 7 * 86400, NOW, 5400)
    review.read(iter(messages), NOW, time.monotonic() + 60)
    told: dict[str, Any] = review.told()
    return told


def test_parsed_errors_are_folded_and_counted(reviewer: ModuleType) -> None:
    told = reviewed(
        reviewer,
        (NOW - 90, "3", "app", "connection 17 from 203.0.113.9:4711 refused, id 0xdeadbeef"),
        (NOW - 80, "3", "app", "connection 18 from 203.0.113.10:4712 refused, id 0xcafe0001"),
        (NOW - 70, "6", "app", "fine"),
    )
    assert told["errors"] == [[2, "app", "connection <数> from <地址> refused, id <十六进制>"]]
    assert told["severities"] == {"3": 2, "6": 1} and told["messages"] == 3


@pytest.mark.parametrize(
    ("program", "text", "wanted"),
    [
        ("sshd", "Failed password for root from 203.0.113.9 port 22 ssh2", ("root", "203.0.113.9")),
        (
            "sshd-session",
            "Failed password for invalid user oracle from 203.0.113.9 port 22 ssh2",
            ("oracle", "203.0.113.9"),
        ),
        ("sshd", "Failed none for invalid user x from 203.0.113.9 port 22 ssh2", None),
        ("sshd", "pam_unix(sshd:auth): authentication failure; logname= uid=0 rhost=203.0.113.9  user=root", None),
        (
            "su",
            "pam_unix(su:auth): authentication failure; logname=a uid=1 euid=0 tty=pts/0 ruser=a rhost=  user=root",
            ("root", "su"),
        ),
        ("app", "Failed password for nobody", None),
    ],
)
def test_parsed_failed_logins_once_each(reviewer: ModuleType, program: str, text: str, wanted: Any) -> None:
    assert reviewer.failed_login(program, text) == wanted


@pytest.mark.parametrize(
    ("program", "text", "wanted"),
    [
        ("sudo", f"     ops : {SUDO}/usr/bin/id --password x", ("ops", "sudo（root）/usr/bin/id")),
        ("sudo", f"   wang : user NOT in sudoers ; {SUDO}/bin/sh", ("wang", "sudo 被拒：user NOT in sudoers")),
        ("su", "(to root) wang on pts/1", ("wang", "su（root）")),
        ("su", "FAILED SU (to root) wang on pts/1", ("wang", "su 被拒（root）")),
        ("app", "(to root) wang on pts/1", None),
    ],
)  # fmt: skip
def test_parsed_privilege_without_arguments_that_may_be_secret(
    reviewer: ModuleType, program: str, text: str, wanted: Any
) -> None:
    assert reviewer.privilege_of(program, text) == wanted


def test_parsed_changed_accounts(reviewer: ModuleType) -> None:
    told = reviewed(
        reviewer,
        (NOW - 9, "6", "useradd", "new user: name=wang, UID=1005, GID=1005"),
        (NOW - 8, "6", "passwd", "pam_unix(passwd:chauthtok): password changed for wang"),
    )
    assert [text.split("：")[0] for _, text in told["accounts"]] == ["useradd", "passwd"]


def test_parsed_gap_is_found_and_a_quiet_end_is_one(reviewer: ModuleType) -> None:
    told = reviewed(reviewer, *((NOW - 86400 * 2 + at, "6", "a", "x") for at in (0, 60, 4 * 3600, 4 * 3600 + 60)))
    assert [minutes for *_, minutes in told["gaps"]] == [(2 * 86400 - 4 * 3600 - 60) // 60, (4 * 3600 - 60) // 60]


def test_parsed_journal_with_bytes_that_are_no_text(reviewer: ModuleType) -> None:
    stamp = str(int(NOW * 1e6))
    whole = json.dumps({"__REALTIME_TIMESTAMP": stamp, "PRIORITY": "3", "MESSAGE": [104, 105, 255, 0]}).encode()
    assert reviewer.journal_message(whole)[3].startswith("hi")
    for broken in (b"", b"\x00\xff", b"[]", b"{}", b'{"__REALTIME_TIMESTAMP": "x"}', b'{"MESSAGE": {}}'):
        assert reviewer.journal_message(broken) is None
    many = json.dumps({"__REALTIME_TIMESTAMP": stamp, "MESSAGE": ["one", "two"]}).encode()
    assert reviewer.journal_message(many)[3] == "one"


def test_real_binary_log_file_breaks_nothing(reviewer: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    good = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW - 60)).encode()
    line = good + b" web1 sshd[7]: Failed password for root from 203.0.113.9 port 22 ssh2\n"
    path.write_bytes(os.urandom(200_000) + b"\n" + line + b"\x00" * 5000 + b"\n" + line)
    (tmp_path / "cut.log.gz").write_bytes(b"\x1f\x8b\x08\x00 cut off")
    review = reviewer.Review(NOW - 3600, NOW, 5400)
    for one in (path, tmp_path / "cut.log.gz", tmp_path / "absent.log"):
        review.read(reviewer.file_messages(str(one), NOW), NOW, time.monotonic() + 60)
    assert review.told()["failed"] == [[2, "root", "203.0.113.9"]] and "absent.log 读不完" in review.told()["cut"]


def test_parsed_time_that_runs_out_is_said(reviewer: ModuleType) -> None:
    review = reviewer.Review(NOW - 3600, NOW, 5400)
    review.read(iter([(NOW - 60, "6", "a", "x")]), NOW, time.monotonic() - 1)
    assert "时间用尽" in review.told()["cut"]


def row(**change: Any) -> LogReviewRow:
    counted: dict[str, Any] = {
        "host": "web1", "since": "2026-11-15T00:00:00+00:00", "until": "2026-11-22T00:00:00+00:00", "sources": [],
        "messages": 9, "severities": {"3": 2, "6": 7}, "errors": [[2, "app", "known"]], "failed": [[4, "root", "x"]],
        "privilege": [], "accounts": [], "audit": {}, "gaps": [], "oldest": "", "cut": "",
    }  # fmt: skip
    return LogReviewRow(**{**counted, **change})


def test_parsed_review_is_held_against_the_one_before() -> None:
    now = row(failed=[[40, "root", "x"]], application_errors=[[3, "portal", "HTTP 502 GET /"]])
    found = {one[2]: one[3:] for one in compared([now, row(host="new1")], {"web1": row()})}
    assert found["失败登录"] == [4, 40] and found["错误"] == [2, 2]
    assert found["新的错误 portal：HTTP 502 GET /"] == [0, 3]
    assert not any("known" in name for name in found)
    assert compared([now], {}) == []


def recorded(root: Path, second: int, **change: Any) -> Path:
    moment = datetime(2026, 11, 22, 3, 0, second, tzinfo=UTC)
    with RecordWriter(root, "lab", "log_review", now=lambda: moment) as record:
        words: dict[str, Any] = {"job": "log_review", "operator": "张三", "profile": "", "level": 3}
        record.write(Begin(run=record.run, estate="lab", **words), row(**change))
        record.write(EndRow(counts={}, hosts={}, seconds=1, exit=0))
    return list_runs(root, "lab", "log_review")[-1] / RUN_FILE


def test_parsed_review_before_is_of_the_newest_whole_record_of_each_host(tmp_path: Path) -> None:
    for messages in (1, 2, 3):
        newest = recorded(tmp_path, messages, messages=messages)
    newest.write_text(newest.read_text(encoding="utf-8").replace('"messages":3', '"messages":4'), encoding="utf-8")
    assert earlier(tmp_path, "lab")["web1"].messages == 2


def test_parsed_record_from_before_there_were_application_logs_is_read(tmp_path: Path) -> None:
    path = recorded(tmp_path, 1)
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r'"application(s|_errors)":\[\],', "", text), encoding="utf-8")
    assert "applications" not in path.read_text(encoding="utf-8")
    assert read_run(path.parent).log_reviews[0].applications == ()
