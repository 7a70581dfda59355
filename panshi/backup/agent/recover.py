"""Brings a table or a database back, as of now or as of a second in the past."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import book, bring, logical, scratch, sql
from .errors import BackupError
from .lost import Lost
from .mark import measure, read_tables, tables_of
from .restic import Repository
from .server import Server, quoted
from .sets import moment


@dataclass(frozen=True)
class Source:
    """A scratch server on which is what is wanted; of which backup, and at which position (empty without one)."""

    server: Server
    set: str
    gtid: str


def recover(
    repository: Repository, lost: Lost, target: Server, folder: Path, say: Callable[[str], object]
) -> dict[str, Any]:
    """Bring it back, and compare what has arrived with what was restored.

    Args:
        repository: that holds it.
        lost: what.
        target: server that takes it.
        folder: of this restore.
        say: is told what is being done.

    Raises:
        BackupError: PS-E7476 the target replicates; else nothing of what is there now was changed, or it says where
            the former state lies.
    """
    if replica := target.replica():
        raise BackupError(
            "PS-E7476",
            f"这台主机的数据库是 {replica['Master_Host']}:{replica['Master_Port']} 的从库，写在它上面的到不了主库",
            "在主库上恢复：-e restore_on=<主库>，用两台都读得到的副本（restore_place）",
        )
    into = lost.into or (lost.database if lost.replace else f"{lost.database}_restored")
    if not lost.replace and target.collation(into):
        raise BackupError(
            "PS-E7470", f"数据库 {into} 已经存在", "用 restore_into 换一个名字，或用 restore_replace=true 就地恢复"
        )
    with (_dumped if lost.logical else _replayed)(repository, lost, folder, say) as found:
        wanted = [one for one in tables_of(found.server) if one[0] == lost.database and lost.table in ("", one[1])]
        if not wanted:
            name = f"{lost.database}.{lost.table}" if lost.table else lost.database
            raise BackupError("PS-E7472", f"那个时候没有 {name}", "核对名称与时间")
        source = read_tables(wanted, found.server.ask(*measure(wanted)))
        aside = _put_aside(target, lost, into, folder.name, say) if lost.replace else ""
        say(f"写入 {into}（{len(wanted)} 张表）")
        collation = found.server.collation(lost.database)
        target.ask(f"CREATE DATABASE IF NOT EXISTS {quoted(into)} COLLATE {collation}")
        _load(found.server, target, lost, into, aside)
        arrived = [(into, name, engine) for _, name, engine in wanted]
        there = read_tables(arrived, target.ask(*measure(arrived)))
    pairs = list(zip(source, there))
    differ = [one.name for one, other in pairs if (one.rows, one.checksum) != (other.rows, other.checksum)]
    if differ:
        raise BackupError(
            "PS-E7473", f"写入 {into} 后与恢复出的不同：{'、'.join(differ[:5])}", f"先前的内容在 {aside or '原处'}"
        )
    return {
        "what": f"{lost.database}.{lost.table}" if lost.table else lost.database,
        "into": into,
        "set": found.set,
        "gtid": found.gtid,
        "aside": aside,
        "rows": [{"name": one.name, "rows": one.rows, "check": one.checksum} for one in there],
    }


@contextmanager
def _replayed(repository: Repository, lost: Lost, folder: Path, say: Callable[[str], object]) -> Iterator[Source]:
    """Give the backup of the whole server, replayed to the second that is wanted."""
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
        yield Source(instance.server, last.id, bring.position(instance.server, last.gtid))


@contextmanager
def _dumped(repository: Repository, lost: Lost, folder: Path, say: Callable[[str], object]) -> Iterator[Source]:
    """Give the last dump of a small database that is not later than what is wanted."""
    dump, file = bring.sql(repository, lost.database, lost.until, folder, say)
    collation = logical.read_mark(dump.mark).collation
    with bring.loaded(file, lost.database, collation, lost.bounds, folder, say) as instance:
        yield Source(instance.server, dump.id, "")


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
        sql.dump(target, into, lost.table, lambda stream: shutil.copyfileobj(stream, file))
    return str(path)


def _load(source: Server, target: Server, lost: Lost, into: str, aside: str) -> None:
    def write(stream: IO[bytes]) -> None:
        if said := sql.load(target, into, stream):
            raise BackupError("PS-E7473", f"写入 {into} 失败：{said}", f"先前的内容在 {aside or '原处'}")

    sql.dump(source, lost.database, lost.table, write)
