"""Dumps count once they are whole, and the newest one that is old enough is the one."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from types import SimpleNamespace

import pytest

from panshi.backup.agent import dumps
from panshi.backup.agent.errors import BackupError
from panshi.backup.agent.restic import Snapshot

from .made import Shelf

DAYS = ("20261120T023000Z", "20261121T023000Z", "20261122T023000Z")


@dataclass
class Noted(Shelf):
    """A shelf whose notes can be read."""

    place = SimpleNamespace(name="second")
    broken: str = ""

    def text(self, snapshot: Snapshot) -> str:
        one = dumps.Dump(snapshot.tag("set"), snapshot.tag("name"), 7, "x", "7.0", {})
        return self.broken or json.dumps(asdict(one))


def shelf(*kept: str, noted: tuple[str, ...] = DAYS) -> Noted:
    there = Noted()
    for kind, days in ((dumps.STREAM, kept), (dumps.NOTE, noted)):
        for day in days:
            there.put(kind, "name=redis", f"set={day}-redis")
    return there


def newest(there: Noted, until: dt.datetime | None = None) -> str:
    return dumps.newest(there, "redis", until)[0].id  # type: ignore[arg-type]


def test_parsed_newest_one_that_is_old_enough() -> None:
    there = shelf(*DAYS)
    assert newest(there) == f"{DAYS[2]}-redis"
    assert newest(there, dt.datetime(2026, 11, 22, 2, 30, tzinfo=dt.UTC)) == f"{DAYS[1]}-redis"
    assert newest(there, dt.datetime(2026, 11, 22, 2, 30, 1, tzinfo=dt.UTC)) == f"{DAYS[2]}-redis"
    assert dumps.names(there) == {"redis": f"{DAYS[2]}-redis"}  # type: ignore[arg-type]


def test_parsed_stream_without_a_note_is_no_dump() -> None:
    assert newest(shelf(*DAYS, noted=DAYS[:2])) == f"{DAYS[1]}-redis"


@pytest.mark.parametrize(
    ("there", "code"),
    [(shelf(), "PS-E7435"), (shelf(noted=()), "PS-E7430"), (shelf(*DAYS[:2]), "PS-E7435")],
    ids=["no stream at all", "nothing", "the newest one's stream is gone"],
)
def test_parsed_dump_that_is_not_there_is_named(there: Noted, code: str) -> None:
    with pytest.raises(BackupError) as caught:
        newest(there)
    assert caught.value.code == code


@pytest.mark.parametrize("text", ["worthless", "{}", "[]"])
def test_parsed_note_that_is_none_is_named(text: str) -> None:
    there = shelf(*DAYS)
    there.broken = text
    with pytest.raises(BackupError) as caught:
        newest(there)
    assert caught.value.code == "PS-E7433"


def test_parsed_dump_before_the_first_one_is_named() -> None:
    with pytest.raises(BackupError) as caught:
        newest(shelf(*DAYS), dt.datetime(2026, 11, 1, tzinfo=dt.UTC))
    assert caught.value.code == "PS-E7430"
