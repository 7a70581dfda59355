"""What products' own logs say is counted: errors of each format, refused requests and logins, nothing that is none."""

from __future__ import annotations

import gzip
import os
import time
from types import ModuleType
from typing import Any

import pytest

from .conftest import Room

NOW = time.time()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'203.0.113.9 - - [22/Nov/2026:01:02:03 +0000] "GET /a?x=1 HTTP/1.1" 502 9 "-" "x"', "HTTP 502 GET /a"),
        (b'203.0.113.9 - - [22/Nov/2026:01:02:03 +0000] "GET /ERROR HTTP/1.1" 200 9 "-" "x"', ""),
        (b"2026/11/22 01:02:03 [error] 7#7: *1 open() failed", "[error] 7#7: *1 open() failed"),
        (b"2026/11/22 01:02:03 [warn] 7#7: *1 upstream said ERROR", ""),
        (b"2026-11-22  1:02:03 0 [ERROR] InnoDB: corrupt page", "[ERROR] InnoDB: corrupt page"),
        (b"22-Nov-2026 01:02:03.123 SEVERE [main] Catalina.start failed", "SEVERE [main] Catalina.start failed"),
        (b"2026-11-22T01:02:03Z INFO main no error found", ""),
        (b"2026-11-22T01:02:03Z INFO com.example.ERROR.Handler fine", ""),
        (b"2026-11-22 01:02:03,123 FATAL [x] \xff\xfe broken", "FATAL [x] \ufffd\ufffd broken"),
    ],
)
def test_parsed_error_of_a_line(liner: ModuleType, line: bytes, error: str) -> None:
    assert liner.said_by(line + b"\n").error == error


def test_parsed_refused_requests_and_logins(liner: ModuleType) -> None:
    refused = b'203.0.113.9 - bob [22/Nov/2026:01:02:03 +0000] "GET /admin HTTP/1.1" 403 9 "-" "x"'
    assert liner.said_by(refused).refused and not liner.said_by(refused.replace(b" 403 ", b" 200 ")).refused
    denied = b"2026-11-22  1:02:03 9 [Warning] Access denied for user 'root'@'203.0.113.9' (using password: YES)"
    assert liner.said_by(denied).login == ("root", "203.0.113.9")


def read(liner: ModuleType, reviewer: ModuleType, room: Room, seconds: float = 60) -> Any:
    period = (NOW - 7 * 86400, NOW + 60)
    return liner.read(room.config, room.policy, period, time.monotonic() + seconds, reviewer.folded)


def stamp(days: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - days * 86400))


def test_real_archived_rotated_and_live_lines_of_the_period_are_counted_once(
    liner: ModuleType, reviewer: ModuleType, room: Room
) -> None:
    room.rotated(3, text=f"{stamp(9)} ERROR old\n{stamp(3)} ERROR order 17 failed\n  at line\n")
    room.rotated(20, text=f"{stamp(20)} ERROR older\n")
    assert room.keep() == []
    room.rotated(2, text=f"{stamp(2)} ERROR order 18 failed\n")
    room.live.write_text(f"{stamp(0)} INFO fine\n")
    found, cut = read(liner, reviewer, room)
    assert (found.lines, dict(found.errors), cut) == (4, {"ERROR order <数> failed": 2}, "")
    assert NOW - found.newest < 5


def test_real_damaged_archive_and_no_time_left_are_said(liner: ModuleType, reviewer: ModuleType, room: Room) -> None:
    whole = gzip.compress(os.urandom(1 << 16) + f"\n{stamp(0)} ERROR x\n".encode())
    (room.logs / "app.log.1.gz").write_bytes(whole[:-100])
    assert "读不完" in read(liner, reviewer, room)[1]
    room.live.write_text(f"{stamp(0)} INFO fine\n")
    assert "时间用尽" in read(liner, reviewer, room, seconds=-1)[1]


def test_real_review_tells_of_declared_logs(reviewer: ModuleType, room: Room) -> None:
    room.live.write_text(
        f"{stamp(0)} ERROR order 17 failed\n{stamp(0)} [Warning] Access denied for user 'root'@'203.0.113.9'\n"
    )
    review = reviewer.Review(NOW - 7 * 86400, NOW + 60, 5400)
    review.application(room.config, room.policy, time.monotonic() + 60)
    told = review.told()
    assert [one[:4] for one in told["applications"]] == [["app", 2, 1, 0]]
    assert told["application_errors"] == [[1, "app", "ERROR order <数> failed"]]
    assert told["failed"] == [[1, "root", "app：203.0.113.9"]]
