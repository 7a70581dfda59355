"""The time that a line says it was written at, for the styles of the products."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

NOW = calendar.timegm((2026, 11, 22, 2, 0, 0))
WANTED = calendar.timegm((2026, 11, 21, 1, 2, 3))


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "line",
    [
        b"2026-11-21T01:02:03.456789+00:00 web1 sshd[1]: x",
        b"2026-11-21T09:02:03+08:00 web1 app: x",
        b"2026-11-21 01:02:03,123 INFO main x",
        b"2026-11-21  1:02:03 0 [Note] mariadbd: ready",
        b"2026/11/21 01:02:03 [error] 12#12: *3 open() failed",
        b'203.0.113.9 - - [21/Nov/2026:09:02:03 +0800] "GET / HTTP/1.1" 200',
        b"21-Nov-2026 01:02:03.123 INFO [main] org.apache.catalina.startup.Catalina.start",
        b"# Time: 261121  1:02:03",
        b"Nov 21 01:02:03 web1 cron[2]: x",
        b"type=LOGIN msg=audit(1795222923.123:45): pid=1",
    ],
)
def test_parsed_styles_of_products(keeper: ModuleType, line: bytes) -> None:
    assert keeper.line_time(line, NOW) == WANTED


@pytest.mark.parametrize(
    "line",
    [b"", b"\x00\xff\xfe binary", b"at org.example.Main(Main.java:12)", b"9999-99-99 99:99:99", b"Foo 21 01:02:03 x"],
)
def test_parsed_lines_without_a_time(keeper: ModuleType, line: bytes) -> None:
    assert keeper.line_time(line, NOW) is None


def test_parsed_december_is_last_year_in_january(keeper: ModuleType) -> None:
    january = calendar.timegm((2027, 1, 3, 0, 0, 0))
    assert keeper.line_time(b"Dec 31 23:00:00 web1 x: y", january) == calendar.timegm((2026, 12, 31, 23, 0, 0))
