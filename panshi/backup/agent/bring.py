"""From a repository to a folder in which a server can start: streams and binary logs, each held to its hash."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from . import book, dumps, scratch
from .dumps import Dump
from .errors import BackupError, last_line
from .files import digest_of
from .restic import Repository, Saved, Snapshot
from .server import Server, quoted
from .sets import BackupSet, Logs, following, moment, number, read_logs
from .sql import load

# Prepared data needs room for redo and undo, and the replay of logs writes once more.
_ROOM = 1.3


def room(folder: Path, bytes: int) -> None:
    """Refuse a restore of so many bytes for which there is no room.

    Raises:
        BackupError: PS-E7442.
    """
    need, free = int(bytes * _ROOM), shutil.disk_usage(folder).free
    if free < need:
        raise BackupError(
            "PS-E7442",
            f"恢复需要约 {need >> 20} MiB，{folder} 只剩 {free >> 20} MiB",
            "换一个目录（backup_scratch）或换一台主机",
        )


def data(
    repository: Repository, sets: Sequence[BackupSet], folder: Path, memory: int, say: Callable[[str], object]
) -> None:
    """Bring a chain of sets into ``folder/data``, ready for a server to start on.

    Args:
        repository: that holds them.
        sets: the full one first.
        folder: of the restore.
        memory: bytes that the preparation may use for pages.
        say: is told what is being done.

    Raises:
        BackupError: PS-E7434 a stream is not what was saved; PS-E7435 it is not there; PS-E7443 it cannot be prepared.
    """
    streams = book.by_set(repository, book.STREAM)
    for step, one in enumerate(sets):
        say(f"取回 {one.id}（{one.bytes >> 20} MiB）")
        if one.id not in streams:
            raise BackupError(
                "PS-E7435", f"备份 {one.id} 的数据不在备份库 {repository.place.name} 中", "改用另一份副本"
            )
        target = folder / ("data" if not step else f"incr{step}")
        target.mkdir(mode=0o700)
        book.same(one.as_json(), unpack(repository, streams[one.id], target, one.id), f"备份 {one.id}")
    for step in range(len(sets)):
        say("应用日志" if not step else f"应用增量 {sets[step].id}")
        more = [f"--incremental-dir={folder / f'incr{step}'}"] if step else []
        words = ["--prepare", f"--use-memory={memory}", f"--target-dir={folder / 'data'}", *more]
        _prepared(words, sets[step].id, folder)
        if step:
            shutil.rmtree(folder / f"incr{step}")


def dump(repository: Repository, found: tuple[Dump, Snapshot], target: Path) -> Dump:
    """Bring a dump into a file, held to its hash.

    Raises:
        BackupError: PS-E7442 there is no room; PS-E7434 it is not what was saved.
    """
    about, snapshot = found
    room(target.parent, about.bytes)
    with target.open("wb") as file:
        target.chmod(0o600)
        saved = repository.read(snapshot, file.write)
    book.same(asdict(about), saved, f"备份 {about.id}")
    return about


def sql(
    repository: Repository, database: str, until: dt.datetime | None, folder: Path, say: Callable[[str], object]
) -> tuple[Dump, Path]:
    """Bring the dump of a small database into a file: the last one that is older than a time, or the last one.

    Raises:
        BackupError: there is none, or as ``dump``.
    """
    scratch.empty(folder)
    say(f"取回 {database} 的导出")
    target = folder / "dump.sql"
    return dump(repository, dumps.newest(repository, dumps.name_of(database), until), target), target


@contextlib.contextmanager
def loaded(
    file: Path, database: str, collation: str, bounds: scratch.Bounds, folder: Path, say: Callable[[str], object]
) -> Iterator[scratch.Scratch]:
    """Give an empty scratch server into which a dump was loaded.

    Args:
        file: the dump.
        database: that it is of.
        collation: default one of the database.
        bounds: of the server.
        folder: of the restore.
        say: is told what is being done.

    Raises:
        BackupError: PS-E7440 it does not start; PS-E7443 it does not take the dump.
    """
    say("建立并启动临时数据库")
    scratch.new_data(folder)
    with scratch.running(folder, bounds) as instance, file.open("rb") as stream:
        say(f"载入 {database}")
        instance.server.ask(f"CREATE DATABASE {quoted(database)} COLLATE {collation}")
        if said := load(instance.server, database, stream):
            _no_room(said, folder)
            raise BackupError(
                "PS-E7443", f"{database} 的导出载入不了：{said}", "这份备份不可用：改用另一份副本或更早的"
            )
        yield instance


def unpack(repository: Repository, snapshot: Snapshot, target: Path, name: str) -> Saved:
    """Unpack a stream into a folder, and return what went by."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(["mbstream", "-x", "-C", str(target)], stdin=subprocess.PIPE, stderr=said)
        assert process.stdin is not None
        try:
            saved = repository.read(snapshot, _until_broken(process.stdin.write))
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            status = process.wait()
        if status:
            said.seek(0)
            words = said.read().decode(errors="replace")
            _no_room(words, target)
            raise BackupError(
                "PS-E7434",
                f"备份 {name} 解不开：{last_line(words)}",
                "这份备份不可用：改用另一份副本，并查明损坏的原因",
            )
    return saved


def _until_broken(write: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """The hash of what the repository gives is wanted even where the unpacker has given up."""

    def sink(piece: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            write(piece)

    return sink


def _no_room(words: str, folder: Path) -> None:
    """Tell a disk that has filled up meanwhile from a backup that is damaged.

    Raises:
        BackupError: PS-E7442.
    """
    if "No space left" in words or "Errcode: 28" in words or "errno: 28" in words:
        raise BackupError("PS-E7442", f"恢复到一半，{folder} 的磁盘满了", "换一个目录（backup_scratch）或换一台主机")


def _prepared(arguments: list[str], name: str, folder: Path) -> None:
    command = ["mariadb-backup", *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        _no_room(done.stderr, folder)
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line or "FATAL" in line or "Error" in line]
        reason = last_line("\n".join(lines) or done.stderr)
        raise BackupError(
            "PS-E7443", f"备份 {name} 不能恢复成数据库：{reason}", "这份备份不可用：改用另一份副本或更早的备份"
        )


def logs(
    repository: Repository, base: BackupSet, folder: Path, say: Callable[[str], object]
) -> tuple[list[Path], Logs | None]:
    """Bring the binary logs since a set into ``folder/logs``, in their order, without a gap.

    Args:
        repository: that holds them.
        base: from which the database goes on.
        folder: of the restore.
        say: is told what is being done.

    Returns:
        The files, and the last archive; none where nothing was archived since.

    Raises:
        BackupError: PS-E7432 one is missing; PS-E7434 one is not what was saved.
    """
    archives = [one for one in repository.snapshots(book.LOGS) if moment(one.tag("set")) >= base.began]
    place = folder / "logs"
    place.mkdir(mode=0o700)
    found: dict[str, tuple[Logs, Path]] = {}
    for snapshot in covering(archives):
        say(f"取回二进制日志 {snapshot.tag('first')} 至 {snapshot.tag('last')}")
        target = place / snapshot.tag("set")
        repository.restore(snapshot, target)
        inside = target / snapshot.paths[0].lstrip("/")
        about = inside / "binlog.json"
        if not about.is_file():
            raise BackupError("PS-E7433", f"二进制日志 {snapshot.tag('set')} 没有说明", "改用另一份副本")
        one = read_logs(json.loads(about.read_text(encoding="utf-8")))
        for name, size, digest in one.files:
            path = inside / name
            if not path.is_file():
                raise BackupError(
                    "PS-E7432", f"二进制日志 {name} 不在它的那一批里", "改用另一份副本；然后立即做一次完整备份"
                )
            book.same(
                {"bytes": size, "sha256": digest}, Saved(path.stat().st_size, digest_of(path)), f"二进制日志 {name}"
            )
        found[one.id] = (one, inside)
    order = following([one for one, _ in found.values()], base.gtid)
    newest = max(archives, key=lambda one: one.tag("set"), default=None)
    last = Logs(newest.tag("set"), (), newest.tag("gtid").replace("+", ",")) if newest else None
    return [found[id][1] / name for id, name in order], last


def covering(archives: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the fewest archives that hold all binary logs of all: each holds those since the set before it."""
    chosen: list[Snapshot] = []
    for one in sorted(archives, key=lambda one: one.tag("set"), reverse=True):
        if one.tag("first") and (not chosen or number(one.tag("first")) < number(chosen[-1].tag("first"))):
            chosen.append(one)
    return chosen


def replay(
    server: Server, files: Sequence[Path], after: str, end: str, *, to: str = "", until: dt.datetime | None = None
) -> None:
    """Let a scratch server carry out what binary logs hold.

    Args:
        server: the scratch server.
        files: binary logs in their order.
        after: position after which they are wanted.
        end: position at which they end; the program takes it for an error to be asked for what is after it.
        to: position up to which, its transaction included; empty: to the end.
        until: time before which; the transactions of this second are left out.

    Raises:
        BackupError: PS-E7445, with what went wrong.
    """
    if not files or after == end:
        return
    command = ["mariadb-binlog", f"--start-position={after}"] if after else ["mariadb-binlog"]
    command += [f"--stop-position={to}"] if to else []
    command += [f"--stop-datetime={until.astimezone():%Y-%m-%d %H:%M:%S}"] if until else []
    with tempfile.TemporaryFile() as said:
        reader = subprocess.Popen([*command, *map(str, files)], stdout=subprocess.PIPE, stderr=said)
        done = subprocess.run(
            ["mariadb", *server.options, "--binary-mode"], stdin=reader.stdout, capture_output=True, check=False
        )
        assert reader.stdout is not None
        reader.stdout.close()
        status = reader.wait()
        said.seek(0)
        words = said.read().decode(errors="replace")
    if done.returncode:
        raise BackupError(
            "PS-E7445", f"重放二进制日志失败：{last_line(done.stderr.decode(errors='replace'))}", "改用另一份副本"
        )
    if status:
        raise BackupError(
            "PS-E7445", f"二进制日志读不下去：{last_line(words)}", "改用另一份副本；然后立即做一次完整备份"
        )


def position(server: Server, base: str) -> str:
    """Return the position of a scratch server: by its own binary log, or the base's before anything was replayed."""
    return server.variable("gtid_binlog_pos") or base
