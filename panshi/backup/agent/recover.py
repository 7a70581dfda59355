"""Brings back what somebody has lost: a table, a database, files; as of now or as of a second in the past."""

from __future__ import annotations

import datetime as dt
import gzip
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import book, bring, scratch
from .errors import BackupError, last_line
from .files import digest_of
from .mark import measure, read_tables, tables_of
from .restic import Repository
from .server import Server, quoted, text
from .sets import moment


@dataclass(frozen=True)
class Lost:
    """What is wanted back.

    Args:
        database: name of a database; empty: files are wanted.
        table: one table of it; empty: all.
        files: paths, of which the newest backup that is not later than ``at`` is taken.
        at: the state at the end of this second, ISO 8601 with a zone; empty: the newest that there is.
        into: database or folder that takes it; empty: a new one beside what is there.
        replace: in place, after what is there now was put aside.
        aside: folder for what was there.
        bounds: of the scratch server.
    """

    database: str
    table: str
    files: tuple[str, ...]
    at: str
    into: str
    replace: bool
    aside: Path
    bounds: scratch.Bounds

    @property
    def until(self) -> dt.datetime | None:
        """The end of the second that is wanted."""
        return dt.datetime.fromisoformat(self.at) + dt.timedelta(seconds=1) if self.at else None


def recover(
    repository: Repository, lost: Lost, target: Server, folder: Path, say: Callable[[str], object]
) -> dict[str, Any]:
    """Bring it back, and compare what has arrived with what was restored.

    Args:
        repository: that holds it.
        lost: what.
        target: server that takes a database.
        folder: of this restore.
        say: is told what is being done.

    Raises:
        BackupError: nothing of what is there now was changed, or it says where the former state lies.
    """
    if lost.database:
        return _database(repository, lost, target, folder, say)
    return _files(repository, lost, folder, say)


def _database(
    repository: Repository, lost: Lost, target: Server, folder: Path, say: Callable[[str], object]
) -> dict[str, Any]:
    into = lost.into or (lost.database if lost.replace else f"{lost.database}_restored")
    if not lost.replace and target.one(f"SHOW DATABASES LIKE {text(into)}"):
        raise BackupError(
            "PS-E7470", f"数据库 {into} 已经存在", "用 restore_into 换一个名字，或用 restore_replace=true 就地恢复"
        )
    needed = book.needed(repository, lost.until)
    last = needed[-1]
    bring.room(folder, sum(one.bytes for one in needed))
    logs, archive = bring.logs(repository, last, folder, say)
    covered = archive.time if archive else moment(last.ended)
    if lost.until and lost.until > covered:
        raise BackupError(
            "PS-E7471",
            f"备份只到 {covered.astimezone():%Y-%m-%d %H:%M:%S}，恢复不到 {lost.at}",
            "来源主机还在时先归档（panshi-backup binlog），或给更早的时间",
        )
    bring.data(repository, needed, folder, lost.bounds.buffer, say)
    with scratch.running(folder, lost.bounds) as instance:
        say("重放二进制日志")
        bring.replay(instance.server, logs, last.gtid, archive.gtid if archive else "", until=lost.until)
        wanted = [one for one in tables_of(instance.server) if one[0] == lost.database and lost.table in ("", one[1])]
        if not wanted:
            name = f"{lost.database}.{lost.table}" if lost.table else lost.database
            raise BackupError("PS-E7472", f"那个时候没有 {name}", "核对名称与时间")
        source = read_tables(wanted, instance.server.ask(*measure(wanted)))
        aside = _put_aside(target, lost, into, folder.name, say) if lost.replace else ""
        say(f"写入 {into}（{len(wanted)} 张表）")
        target.ask(f"CREATE DATABASE IF NOT EXISTS {quoted(into)}")
        _load(instance.server, target, lost, into, aside)
        arrived = [(into, name, engine) for _, name, engine in wanted]
        found = read_tables(arrived, target.ask(*measure(arrived)))
        reached = bring.position(instance.server, last.gtid)
    pairs = list(zip(source, found))
    differ = [one.name for one, other in pairs if (one.rows, one.checksum) != (other.rows, other.checksum)]
    if differ:
        raise BackupError(
            "PS-E7473", f"写入 {into} 后与恢复出的不同：{'、'.join(differ[:5])}", f"先前的内容在 {aside or '原处'}"
        )
    return {
        "what": f"{lost.database}.{lost.table}" if lost.table else lost.database,
        "into": into,
        "set": last.id,
        "gtid": reached,
        "aside": aside,
        "rows": [{"name": one.name, "rows": one.rows, "check": one.checksum} for one in found],
    }


def _put_aside(target: Server, lost: Lost, into: str, name: str, say: Callable[[str], object]) -> str:
    """Dump what is there now."""
    there = [one for one in tables_of(target) if one[0] == into and lost.table in ("", one[1])]
    if not there:
        return ""
    say("把现有的内容另存")
    lost.aside.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = lost.aside / f"{name}-{into}.sql.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        path.chmod(0o600)
        _dump(target, into, lost.table, lambda stream: shutil.copyfileobj(stream, file))
    return str(path)


def _load(source: Server, target: Server, lost: Lost, into: str, aside: str) -> None:
    def write(stream: IO[bytes]) -> None:
        command = ["mariadb", *target.options, "--binary-mode", into]
        done = subprocess.run(command, stdin=stream, capture_output=True, check=False)
        if done.returncode:
            said = last_line(done.stderr.decode(errors="replace"))
            raise BackupError("PS-E7473", f"写入 {into} 失败：{said}", f"先前的内容在 {aside or '原处'}")

    _dump(source, lost.database, lost.table, write)


def _dump(server: Server, database: str, table: str, take: Callable[[IO[bytes]], None]) -> None:
    """Give the dump of a database or table to somebody.

    Raises:
        BackupError: PS-E7420, the dump was not carried to its end.
    """
    command = ["mariadb-dump", *server.options, "--single-transaction", "--quick", "--hex-blob", "--skip-comments"]
    command += ["--add-drop-trigger", database, table] if table else ["--routines", "--events", database]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        assert process.stdout is not None
        try:
            take(process.stdout)
        finally:
            process.stdout.close()
            status = process.wait()
        if status:
            said.seek(0)
            words = said.read().decode(errors="replace")
            raise BackupError("PS-E7420", f"导出 {database} 失败：{last_line(words)}", "按提示处理后重做")


def _files(repository: Repository, lost: Lost, folder: Path, say: Callable[[str], object]) -> dict[str, Any]:
    until = lost.until
    found = [
        one
        for one in repository.snapshots(book.FILES)
        if any(path == kept or path.startswith(f"{kept.rstrip('/')}/") for path in lost.files for kept in one.paths)
        and (until is None or moment(one.tag("set").partition("-")[0]) < until)
    ]
    if not found:
        raise BackupError("PS-E7430", f"没有 {lost.files[0]} 的备份", "核对路径与时间；或用另一份副本")
    last = max(found, key=lambda one: one.tag("set"))
    say(f"取回 {last.tag('set')}")
    got = folder / "files"
    repository.restore(last, got, include=lost.files)
    arrived = [path for path in got.rglob("*") if path.is_file() and not path.is_symlink()]
    if not arrived:
        raise BackupError("PS-E7472", f"那个时候没有 {lost.files[0]}", "核对路径与时间")
    root = Path("/") if lost.replace else Path(lost.into or lost.aside.parent / "restored" / folder.name)
    aside = ""
    if lost.replace:
        aside = str(lost.aside / folder.name)
        for path in lost.files:
            if Path(path).exists():
                say(f"把现有的 {path} 另存")
                kept = Path(aside) / path.lstrip("/")
                kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _copied(path, kept, "原处")
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    say(f"写入 {root}")
    for path in lost.files:
        # What leads to it keeps its own owner and mode: of these folders only the names are in the backup.
        if (got / path.lstrip("/")).exists():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            _copied(str(got / path.lstrip("/")), place, aside or "原处")
    rows = []
    for file in arrived:
        name = file.relative_to(got)
        if digest_of(root / name) != digest_of(file):
            raise BackupError("PS-E7473", f"写入 {root / name} 后内容不同", f"先前的内容在 {aside or '原处'}")
        rows.append({"name": f"/{name}", "rows": file.stat().st_size, "check": digest_of(file)})
    return {
        "what": "、".join(lost.files),
        "into": str(root),
        "set": last.tag("set"),
        "gtid": "",
        "aside": aside,
        "rows": rows,
    }


def _copied(source: str, target: Path, former: str) -> None:
    """Copy a file or a folder with everything that belongs to it.

    Raises:
        BackupError: PS-E7473, with where what was there before lies.
    """
    done = subprocess.run(["cp", "-a", "-T", "--", source, str(target)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError("PS-E7473", f"写入 {target} 失败：{last_line(done.stderr)}", f"先前的内容在 {former}")
