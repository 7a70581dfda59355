"""What the jobs of a host remove, and what they leave for the daily check."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from panshi.backup.agent import book, dumps, jobs
from panshi.backup.agent.errors import BackupError
from panshi.backup.agent.sets import named
from panshi.backup.agent.settings import Keep, Place, Settings

from .made import NOW, Shelf, ago, known, made


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> jobs.Host:
    place = Place("local", str(tmp_path), "")
    keep = Keep(days=7, weeks=30, months=2, years=0)
    settings = Settings("db1", (place,), tmp_path / "state", tmp_path / "scratch", None, {}, (), keep, 0)
    there = jobs.Host(settings)
    there.local = Shelf()  # type: ignore[assignment]
    monkeypatch.setattr(jobs, "_now", lambda: NOW)
    return there


def shelf(host: jobs.Host) -> Shelf:
    assert isinstance(host.local, Shelf)
    return host.local


def put_files(host: jobs.Host, name: str, *days: float) -> list[str]:
    return [shelf(host).put(book.FILES, f"name={name}", f"set={named(ago(days=day))}-{name}") for day in days]


def hold(host: jobs.Host, monkeypatch: pytest.MonkeyPatch, *sets: Any) -> dict[str, list[str]]:
    """Put sets on the shelf, and return their snapshots by set."""
    monkeypatch.setattr(book, "sets", lambda repository: known(sets))
    return {one.id: [shelf(host).put(kind, book.tag(one.id)) for kind in (book.STREAM, book.SET)] for one in sets}


def test_parsed_host_with_files_alone_forgets_what_is_old(host: jobs.Host, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(host, monkeypatch)
    # 2026-09-03, -10 and -17 are old; of October the first stays as well; the last 30 days all stay.
    months = put_files(host, "app", 80, 73, 66, 50, 45)
    put_files(host, "app", 29, 1)
    last = put_files(host, "gone", 400)
    assert host.keep() == {"removed": 3}
    assert shelf(host).forgotten == [months[1], months[2], months[4]] and last[0] not in shelf(host).forgotten


def test_parsed_last_backup_of_files_stays_whatever_its_age(host: jobs.Host, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(host, monkeypatch)
    host.settings = replace(host.settings, keep=Keep(0, 0, 0, 0))
    ids = put_files(host, "app", 900, 800)
    host.keep()
    assert shelf(host).forgotten == ids[:1]


def test_parsed_stream_and_note_of_an_old_set_go_together(host: jobs.Host, monkeypatch: pytest.MonkeyPatch) -> None:
    full, fresh = made(ago(days=200)), made(ago(days=1))
    ids = hold(host, monkeypatch, full, fresh)
    before = made(ago(days=8))
    ids |= hold(host, monkeypatch, full, before, fresh)
    host.keep()
    assert set(ids[full.id]) <= set(shelf(host).forgotten)
    assert not set(ids[before.id] + ids[fresh.id]) & set(shelf(host).forgotten)


def test_parsed_stream_without_a_note_goes_after_a_day(host: jobs.Host, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(host, monkeypatch, made(ago(days=1)))
    old = shelf(host).put(book.STREAM, f"set={named(ago(days=2))}-full")
    shelf(host).put(book.STREAM, f"set={named(ago(hours=1))}-full")
    host.keep()
    assert shelf(host).forgotten == [old]


def test_parsed_increment_whose_base_somebody_removed_does_not_stop_the_rest(
    host: jobs.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = made(ago(days=2))
    hold(host, monkeypatch, made(ago(days=1), base))
    old = put_files(host, "app", 90, 89, 1)
    host.keep()
    assert old[1] in shelf(host).forgotten


def put_dumps(host: jobs.Host, name: str, *days: float, noted: bool = True) -> list[str]:
    """Put dumps on the shelf, the oldest first; their snapshots: stream and note by turns."""
    kinds = (dumps.STREAM, dumps.NOTE) if noted else (dumps.STREAM,)
    ids = [f"{named(ago(days=day))}-{name}" for day in days]
    return [shelf(host).put(kind, f"name={name}", f"set={id}") for id in ids for kind in kinds]


def test_parsed_dumps_go_as_files_do_and_stream_and_note_together(
    host: jobs.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(host, monkeypatch)
    # Of October, the first stays for its month.
    ids = put_dumps(host, "redis", 50, 45, 29, 1)
    last = put_dumps(host, "sql-wiki", 400)
    host.keep()
    assert shelf(host).forgotten == ids[2:4] and not set(last) & set(shelf(host).forgotten)


def test_parsed_dump_that_did_not_come_to_its_end_goes_after_a_day(
    host: jobs.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(host, monkeypatch)
    old, _ = put_dumps(host, "redis", 2, 0.1, noted=False)
    host.keep()
    assert shelf(host).forgotten == [old]


def outcome(host: jobs.Host, job: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((host.settings.state / "status" / f"{job}.json").read_text())
    return read


def test_real_outcome_is_left_to_be_read(host: jobs.Host) -> None:
    host.run("files", lambda: {"sets": ["s"]})
    assert outcome(host, "files")["ok"] is True and outcome(host, "files")["sets"] == ["s"]


@pytest.mark.parametrize("error", [BackupError("PS-E7414", "满了", "腾出空间"), RuntimeError("nobody thought of it")])
def test_real_failure_is_left_to_be_read_and_ends_the_job(host: jobs.Host, error: Exception) -> None:
    def fail() -> dict[str, Any]:
        raise error

    host.run("files", lambda: {})
    with pytest.raises(type(error)):
        host.run("files", fail)
    assert outcome(host, "files")["ok"] is False
    assert outcome(host, "files")["code"] == getattr(error, "code", "")


def test_real_disk_with_too_little_room_stops_before_anything_is_written(host: jobs.Host) -> None:
    host.settings = replace(host.settings, free=1 << 60)
    shelf(host).exists = lambda: True  # type: ignore[attr-defined]
    with pytest.raises(BackupError) as caught:
        host.files()
    assert caught.value.code == "PS-E7414" and shelf(host).rows == []


def test_parsed_copy_that_fails_does_not_keep_the_others(host: jobs.Host, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = []

    class Elsewhere(Shelf):
        def __init__(self, place: Place, host: str) -> None:
            super().__init__()
            self.place = place

        def exists(self) -> bool:
            if self.place.name == "away":
                raise BackupError("PS-E7410", "away", "")
            return True

        def unlock(self) -> None:
            """Nobody else is at work."""

        def copy_from(self, other: object) -> None:
            reached.append(self.place.name)

    monkeypatch.setattr(jobs, "Repository", Elsewhere)
    places = (host.settings.local, Place("away", "", ""), Place("vault", "", ""))
    host.settings = replace(host.settings, places=places)
    with pytest.raises(BackupError) as caught:
        host.copy()
    assert caught.value.message == "away" and reached == ["vault"]


def test_parsed_times_are_told_in_utc() -> None:
    assert jobs._stamp(dt.datetime(2026, 11, 22, 3, tzinfo=dt.UTC)) == "2026-11-22T03:00:00Z"
