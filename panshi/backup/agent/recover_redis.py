"""Brings a Redis back: as a file beside everything, or into the running server, key by key."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from . import bring, dumps, redis_backup, redis_mark, scratch_redis
from .errors import BackupError
from .files import digest_of
from .lost import Lost
from .redis import Connection, Refused, connected
from .restic import Repository
from .settings import Redis

# Keys that are on their way at once.
_KEYS = 200


def recover(
    repository: Repository, lost: Lost, about: Redis | None, folder: Path, say: Callable[[str], object]
) -> dict[str, Any]:
    """Load the snapshot into a scratch server, hold it against its mark, and bring it to where it is wanted.

    Args:
        repository: that holds it.
        lost: what.
        about: the Redis on this host, None without one.
        folder: of this restore.
        say: is told what is being done.

    Raises:
        BackupError: nothing of what is there now was changed, or it says where the former state lies.
    """
    say("取回 Redis 的快照")
    found = dumps.newest(repository, dumps.REDIS, lost.until)
    file = folder / scratch_redis.SNAPSHOT
    dump = bring.dump(repository, found, file)
    mark = redis_mark.read_mark(dump.mark)
    say("载入临时 Redis")
    with scratch_redis.running(folder, lost.bounds) as instance:
        done = redis_mark.compare(mark, instance.server, time.time())
        if done.differ or done.counts:
            raise _different("取回的快照", "原处")
        into, aside, rows = (
            _replaced(instance.server, mark, lost, about, folder.name, say) if lost.replace else _beside(file, lost)
        )
    return {"what": "Redis", "into": into, "set": dump.id, "gtid": "", "aside": aside, "rows": rows}


def _beside(file: Path, lost: Lost) -> tuple[str, str, list[dict[str, Any]]]:
    target = lost.beside(file.parent.name) / file.name
    if target.exists():
        raise BackupError("PS-E7470", f"{target} 已经存在", "用 restore_into 换一个目录")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    target.chmod(0o600)
    if digest_of(target) != digest_of(file):
        raise _different(str(target), "原处")
    return str(target), "", [{"name": str(target), "rows": target.stat().st_size, "check": digest_of(target)}]


def _replaced(
    source: Connection,
    mark: redis_mark.Mark,
    lost: Lost,
    about: Redis | None,
    name: str,
    say: Callable[[str], object],
) -> tuple[str, str, list[dict[str, Any]]]:
    """Put what the running server holds aside, and give it the keys of another."""
    if about is None:
        raise BackupError("PS-E7403", "这台主机没有声明 Redis", "在清单的 backup_redis 中声明，或不用 restore_replace")
    with connected(about) as target:
        if target.about("replication").get("role") != "master":
            raise BackupError("PS-E7490", "这台主机的 Redis 是从库，不能写入", "在主库上恢复（restore_on），或先提升它")
        for database in mark.keys:
            target.ask("SELECT", database)
        say("把现有的内容另存")
        aside = lost.aside / f"{name}-redis.rdb"
        aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with redis_backup.snapshot(target, about.seconds) as (_, now), aside.open("wb") as file:
            aside.chmod(0o600)
            shutil.copyfileobj(now, file)
        say(f"写入 {mark.total} 个键")
        try:
            target.ask("FLUSHALL")
            for database in mark.keys:
                _moved(source, target, int(database))
        except BackupError as error:
            raise BackupError("PS-E7473", f"写入 Redis 失败：{error.message}", f"先前的内容在 {aside}") from error
        done = redis_mark.compare(mark, target, time.time())
        if done.differ or any(_wrong(*counts) for _, *counts in done.counts):
            raise _different("写入后的 Redis", str(aside))
        found = redis_mark.counted(target.ask("INFO", "keyspace"))
    rows = [{"name": f"db{one}", "rows": keys, "check": f"{expiring}"} for one, (keys, expiring) in found.items()]
    return "Redis", str(aside), rows


def _moved(source: Connection, target: Connection, database: int) -> None:
    """Bring the keys of a database over; those that have come to their end stay behind."""
    for server in (source, target):
        server.ask("SELECT", database)
    for names in _batches(source):
        told = iter(source.all([words for name in names for words in (("DUMP", name), ("PTTL", name))]))
        rows = [(name, content, left) for name, content, left in zip(names, told, told) if content is not None]
        for answer in target.all([("RESTORE", name, max(left, 0), content, "REPLACE") for name, content, left in rows]):
            if isinstance(answer, Refused):
                raise answer


def _batches(server: Connection) -> Iterator[list[bytes]]:
    cursor = b"0"
    while True:
        cursor, names = server.ask("SCAN", cursor, "COUNT", _KEYS)
        if names:
            yield names
        if cursor == b"0":
            return


def _wrong(wanted: Sequence[int], found: Sequence[int]) -> bool:
    """Return whether keys are missing or are too many: only such as expire may have come to their end meanwhile."""
    return wanted[0] - wanted[1] != found[0] - found[1] or found[1] > wanted[1]


def _different(what: str, former: str) -> BackupError:
    return BackupError("PS-E7488", f"{what}与来源不同", f"先前的内容在 {former}；改用另一份副本或更早的备份")
