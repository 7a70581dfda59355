"""The program that keeps logs: nothing is removed before it is safe or within its term, and a loss is seen."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import time
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from .conftest import Room


class Statvfs(NamedTuple):
    """What a file system says of itself, as far as it is asked."""

    f_blocks: int
    f_bfree: int
    f_files: int
    f_ffree: int


def test_real_rotated_file_is_archived_whole_and_its_sum_fits(room: Room) -> None:
    source = room.rotated(1, lines=5000)
    content = source.read_bytes()
    room.live.write_text("2026-11-22T00:00:00Z now\n")
    assert room.keep() == []
    assert not source.exists() and room.live.exists()
    (name,) = room.kept()
    assert gzip.decompress((room.archive / "app" / name).read_bytes()) == content
    rows = [json.loads(line) for line in room.manifest().read_text().splitlines()]
    assert [row["event"] for row in rows] == ["begun", "archived"]
    assert rows[1]["lines"] == 5000 and rows[1]["bytes"] == len(content)
    assert room.verified() == []


def test_real_second_run_changes_nothing(room: Room) -> None:
    room.rotated(1)
    room.keep()
    before = room.manifest().read_bytes(), room.kept()
    assert room.keep() == [] and (room.manifest().read_bytes(), room.kept()) == before


def test_real_file_that_a_process_still_writes_is_left_and_named(room: Room) -> None:
    source = room.rotated(3)
    os.utime(source, (time.time() - 3 * 86400,) * 2)
    with source.open("a"):
        (said,) = room.keep()
        assert "仍被" in said and f"({os.getpid()})" in said and source.exists() and room.kept() == []
    assert room.keep() == [] and not source.exists()


def test_real_log_whose_name_ends_in_a_number_is_not_taken_for_a_rotated_one(room: Room) -> None:
    node = room.logs / "node.1"
    node.write_text("2026-11-22T00:00:00Z now\n")
    room.policy["paths"] = [str(node)]
    assert room.keep() == [] and node.exists() and room.keeper.live_files(room.policy) == [str(node)]


def test_real_reader_of_a_rotated_file_keeps_nothing_from_being_archived(room: Room) -> None:
    with room.rotated(1).open():
        assert room.keep() == [] and len(room.kept()) == 1


@pytest.mark.parametrize("name", ["app.log.1", "app.log.2.gz", "app.log-20250101", "app.log-20250101.gz"])
def test_real_files_of_the_policy_before_are_taken_over(room: Room, name: str) -> None:
    content = b"2025-01-01T00:00:00Z old\n"
    path = room.logs / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    room.policy["keep_days"] = 10**4
    assert room.keep() == [] and not path.exists()
    (kept,) = room.kept()
    assert gzip.decompress((room.archive / "app" / kept).read_bytes()) == content
    assert room.verified() == []


@pytest.mark.parametrize("days,there", [(365, True), (368, False)])
def test_real_archive_stays_its_term_and_no_longer_by_its_newest_line(room: Room, days: int, there: bool) -> None:
    source = room.rotated(days)
    # Its name and its time say today: the lines decide.
    source.rename(room.logs / f"app.log-{time.strftime('%Y%m%d')}-{int(time.time())}")
    room.keep()
    assert bool(room.kept()) == there
    assert room.verified() == []


def test_real_full_disk_while_compressing_loses_nothing(room: Room) -> None:
    room.archive.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", room.archive], capture_output=True
    ).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        source = room.logs / f"app.log-20261101-{int(time.time())}"
        source.write_bytes(os.urandom(1 << 20))
        content = source.read_bytes()
        (said,) = room.keep()
        assert "没有归档，原文还在" in said and source.read_bytes() == content
        assert room.kept() == [] and [one.name for one in (room.archive / "app").iterdir()] == ["manifest.jsonl"]
        source.write_bytes(b"2026-11-01T00:00:00Z small\n")
        assert room.keep() == [] and len(room.kept()) == 1 and room.verified() == []
    finally:
        subprocess.run(["umount", room.archive], check=True)


@pytest.mark.parametrize("stop", ["os.rename", "append", "os.unlink"])
def test_real_cut_off_anywhere_comes_to_the_same(room: Room, stop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cut(BaseException):
        """The power is gone."""

    def cut(*arguments: object) -> None:
        raise Cut

    source = room.rotated(1)
    content = source.read_bytes()
    with monkeypatch.context() as patch:
        if stop == "append":
            whole = room.keeper.append
            patch.setattr(room.keeper, "append", lambda at, row: whole(at, row) if row["event"] == "begun" else cut())
        else:
            real = os.unlink

            def unlink(path: str) -> None:
                return cut() if path == str(source) else real(path)

            patch.setattr(room.keeper.os, stop.partition(".")[2], unlink if stop == "os.unlink" else cut)
        with pytest.raises(Cut):
            room.keep()
    assert source.read_bytes() == content
    assert room.keep() == [] and not source.exists()
    (name,) = room.kept()
    assert gzip.decompress((room.archive / "app" / name).read_bytes()) == content
    assert room.verified() == []


def test_real_line_of_the_manifest_that_was_cut_off_is_written_anew(room: Room) -> None:
    room.rotated(1)
    room.keep()
    with room.manifest().open("a") as file:
        file.write('{"event": "archived", "fil')
    room.rotated(0.5)
    assert room.keep() == [] and len(room.kept()) == 2 and room.verified() == []


def archived(room: Room) -> Path:
    room.live.write_text("2026-11-22T00:00:00Z now\n")
    room.rotated(20)
    room.rotated(10)
    room.keep()
    return room.archive / "app" / room.kept()[0]


def test_real_deleted_archive_is_found(room: Room) -> None:
    archived(room).unlink()
    (said,) = room.verified()
    assert "被删除" in said


def test_real_flipped_byte_of_an_archive_is_found(room: Room) -> None:
    path = archived(room)
    path.chmod(0o640)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    path.chmod(0o440)
    (said,) = room.verified()
    assert "校验值不符" in said


def test_real_archive_that_nobody_has_listed_is_found(room: Room) -> None:
    (archived(room).parent / "app.log-20200101-1577836800.gz").write_bytes(b"x")
    (said,) = room.verified()
    assert "不在清单里" in said


def test_real_line_taken_out_of_the_manifest_is_found(room: Room) -> None:
    archived(room)
    lines = room.manifest().read_text().splitlines(keepends=True)
    room.manifest().write_text("".join(lines[:1] + lines[2:]))
    assert any("被改动或前面缺了行" in one for one in room.verified())


def test_real_changed_line_of_the_manifest_is_found(room: Room) -> None:
    archived(room)
    room.manifest().write_text(room.manifest().read_text().replace('"lines": 3', '"lines": 4', 1))
    assert any("被改动" in one for one in room.verified())


def test_real_mode_that_lets_others_write_is_found(room: Room) -> None:
    archived(room).chmod(0o666)
    assert any("属主或权限不对" in one for one in room.verified())


def test_real_oldest_line_is_that_of_the_archive_and_not_of_names(room: Room, keeper: ModuleType) -> None:
    source = room.rotated(100)
    source.rename(room.logs / f"app.log-{time.strftime('%Y%m%d')}-{int(time.time())}")
    room.keep()
    figures, _ = keeper.verify(room.config, room.policy)
    assert 99 < (time.time() - figures["oldest"]) / 86400 < 101
    assert figures["begun"] == figures["oldest"]


def test_emulated_little_space_takes_the_oldest_past_the_law_and_never_one_inside(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in (300, 250, 100, 10):
        room.rotated(days)
    room.keep()
    assert len(room.kept()) == 4
    free = iter([1.0, 5.0, 20.0])
    monkeypatch.setattr(room.keeper, "free_percent", lambda _: next(free))
    room.config["min_free_percent"] = 4
    assert room.keep() == []
    assert len(room.kept()) == 3
    monkeypatch.setattr(room.keeper, "free_percent", lambda _: 1.0)
    (said,) = room.keep()
    assert said.startswith("[PS-E7330]") and len(room.kept()) == 2
    assert room.verified() == []


@pytest.mark.parametrize(("free", "said"), [(3.0, ["PS-E7521"]), (5.0, [])])
def test_emulated_full_file_system_of_a_live_log_is_said_with_the_largest(
    room: Room, monkeypatch: pytest.MonkeyPatch, free: float, said: list[str]
) -> None:
    other = room.logs / "other.log"
    room.policy["paths"].append(str(other))
    room.live.write_text("x\n")
    other.write_text("x\n" * 1_000_000)
    real = os.stat

    def elsewhere(path: Any, **options: Any) -> Any:
        known = real(path, **options)
        away = str(path) in (str(room.live), str(other))
        return os.stat_result([*known[:2], known.st_dev + away, *known[3:]])

    room.archive.mkdir()
    monkeypatch.setattr(room.keeper.os, "stat", elsewhere)
    monkeypatch.setattr(room.keeper, "free_percent", lambda path: free if path == str(other) else 50.0)
    found = room.keeper.cramped({**room.config, "min_free_percent": 4})
    assert [one[1:9] for one in found] == said and all("other.log" in one and "2.0 MB" in one for one in found)


def test_emulated_file_system_without_room_for_files_is_full(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    known = os.statvfs(room.logs)
    monkeypatch.setattr(room.keeper.os, "statvfs", lambda _: Statvfs(known.f_blocks, known.f_blocks, 1000, 10))
    assert room.keeper.free_percent(str(room.logs)) == 1.0
    monkeypatch.setattr(room.keeper.os, "statvfs", lambda _: Statvfs(1000, 250, 0, 0))
    assert room.keeper.free_percent(str(room.logs)) == 25.0


def test_real_self_rotating_program_keeps_the_file_it_writes(room: Room) -> None:
    room.policy.update(style="self", paths=[str(room.logs / "access.*.txt")])
    old, busy, fresh = (room.logs / f"access.2026-11-{day}.txt" for day in (20, 21, 22))
    for path in (old, busy, fresh):
        path.write_text("2026-11-20T00:00:00Z x\n")
    for path in (old, busy):
        os.utime(path, (time.time() - 86400,) * 2)
    with busy.open("a"):
        assert room.keep() == []
    assert not old.exists() and busy.exists() and fresh.exists() and len(room.kept()) == 1


def test_real_temporary_files_go_when_old_and_not_open_and_nothing_else(room: Room) -> None:
    room.policy.update(style="temporary", paths=[str(room.logs / "*.tmp")], keep_days=0)
    for name in ("old.tmp", "open.tmp", "other.txt"):
        (room.logs / name).write_text("x")
    (room.logs / "link.tmp").symlink_to(room.logs / "other.txt")
    (room.logs / "folder.tmp").mkdir()
    with (room.logs / "open.tmp").open():
        assert room.keep() == []
    assert sorted(path.name for path in room.logs.iterdir()) == ["folder.tmp", "link.tmp", "open.tmp", "other.txt"]


def test_real_rotated_file_that_is_a_link_is_not_followed(room: Room, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (room.logs / f"app.log-20261101-{int(time.time())}").symlink_to(tmp_path / "secret")
    assert room.keep() == [] and room.kept() == [] and (tmp_path / "secret").exists()


def test_real_pattern_of_temporary_files_takes_no_declared_log(room: Room) -> None:
    room.live.write_text("x")
    (room.logs / "old.tmp").write_text("x")
    cleaned = {"name": "t", "style": "temporary", "paths": [str(room.logs / "*")], "keep_days": 0}
    room.config["logs"] = [cleaned, room.policy]
    assert room.keep() == []
    assert [path.name for path in room.logs.iterdir()] == ["app.log"]


def test_real_folder_that_was_replaced_by_a_link_costs_no_file_elsewhere(room: Room, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("x")
    (room.logs / "upload").symlink_to(tmp_path / "etc")
    room.policy.update(style="temporary", paths=[str(room.logs / "upload" / "*")], keep_days=0)
    (said,) = room.keep()
    assert "[PS-E7523]" in said and (tmp_path / "etc" / "passwd").exists()


@pytest.mark.parametrize(("owner", "kept"), [(0, 1), (1000, 0)])
def test_emulated_folder_that_is_a_link_of_somebody_is_not_archived(
    room: Room, monkeypatch: pytest.MonkeyPatch, owner: int, kept: int
) -> None:
    link = room.logs.with_name("link")
    link.symlink_to(room.logs)
    source = room.rotated(3)
    room.policy["paths"] = [str(link / "app.log")]
    real = os.lstat
    monkeypatch.setattr(room.keeper.os, "lstat", lambda path: Owned(real(path), owner))
    said = room.keep()
    assert ["PS-E7523" in one for one in said] == [True] * (1 - kept)
    assert len(room.kept()) == kept and source.exists() == (not kept)


class Owned:
    """What the file system says of a file, but for its owner."""

    def __init__(self, known: os.stat_result, owner: int) -> None:
        self.st_mode, self.st_uid = known.st_mode, owner


@pytest.mark.parametrize("days", [-30, 8, 4000])
def test_emulated_clock_that_has_jumped_deletes_nothing_at_once(
    room: Room, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    room.rotated(360)
    temporary = room.logs / "old.tmp"
    temporary.write_text("x")
    cleaned = {"name": "t", "style": "temporary", "paths": [str(temporary)], "keep_days": 0}
    room.config["logs"] = [room.policy]
    assert room.keep() == [] and len(room.kept()) == 1
    room.config["logs"] = [cleaned, room.policy]
    now = time.time() + days * 86400
    monkeypatch.setattr(room.keeper.time, "time", lambda: now)
    monkeypatch.setattr(room.keeper, "free_percent", lambda _: 1.0)
    room.config["min_free_percent"] = 4
    (said,) = room.keep()
    assert "[PS-E7522]" in said and len(room.kept()) == 1 and temporary.exists()
    room.config["min_free_percent"] = 0
    assert room.keep() == []
    assert (len(room.kept()), temporary.exists()) == ((0, False) if days > 0 else (1, True))
