"""Saves the Redis on this host: the server writes a snapshot of itself, whose measure is taken at the same moment."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from . import dumps, redis_mark
from .errors import BackupError
from .redis import Connection, Refused, connected, pairs
from .restic import Repository
from .sets import named
from .settings import Redis

_LOOK_SECONDS = 0.1
# What the server says while it saves or rewrites for itself: that passes.
_BUSY = ("in progress", "another child process")


def back_up(repository: Repository, about: Redis) -> dumps.Dump:
    """Save the server, and what it held.

    Args:
        repository: on this host.
        about: the server.

    Raises:
        BackupError: PS-E7485 it cannot be asked; PS-E7486 it could not save; PS-E741x of the repository.
    """
    with connected(about) as server:
        before = redis_mark.sampled(server, about.sample)
        with snapshot(server, about.seconds) as (keys, file):
            after = redis_mark.again(server, before)
            id = f"{named(dt.datetime.now(dt.timezone.utc))}-{dumps.REDIS}"
            size, sha256 = dumps.save(repository, file, id)
        mark = redis_mark.Mark(keys, redis_mark.same(before, after))
        version = server.about("server").get("redis_version", "")
    dump = dumps.Dump(id, dumps.REDIS, size, sha256, version, mark.as_json())
    dumps.note(repository, dump)
    return dump


@contextmanager
def snapshot(server: Connection, seconds: int) -> Iterator[tuple[dict[str, tuple[int, int]], IO[bytes]]]:
    """Let the server save itself, and give its numbers of keys at that moment, and the file.

    Nobody writes between the numbers and the beginning of the snapshot.

    Args:
        server: that is asked.
        seconds: that it may take.

    Raises:
        BackupError: PS-E7486.
    """
    deadline = time.monotonic() + seconds
    path = Path(server.setting("dir")) / server.setting("dbfilename")
    # One that is told never to save would start with this file the next time, which it does not do otherwise.
    foreign = not path.exists() and not server.setting("save")
    keys = _begun(server, deadline)
    _ended(server, deadline)
    try:
        with path.open("rb") as file:
            if foreign:
                path.unlink()
            yield keys, file
    except FileNotFoundError as error:
        raise _unsaved(f"没有留下 {path}") from error


def _begun(server: Connection, deadline: float) -> dict[str, tuple[int, int]]:
    """Begin a snapshot, once nothing else is being saved, and return the numbers of keys in it.

    A transaction would not do: in one, Redis 6.2 and later only put a snapshot off. What comes in one piece is carried
    out in one go, and that nobody has written in between is seen by the server's own count of changes.
    """
    while True:
        before, answer, after = server.all([("INFO",), ("BGSAVE",), ("INFO",)])
        for told in (before, after):
            if isinstance(told, Refused):
                raise told
        begun = not isinstance(answer, Refused)
        if begun and _state(before) == _state(after):
            return redis_mark.counted(before)
        if time.monotonic() > deadline or not (begun or any(word in answer.said.lower() for word in _BUSY)):
            raise _unsaved("总有写入" if begun else answer.said)
        time.sleep(_LOOK_SECONDS)


def _state(info: bytes) -> tuple[str, dict[str, tuple[int, int]]]:
    return pairs(info).get("rdb_changes_since_last_save", ""), redis_mark.counted(info)


def _ended(server: Connection, deadline: float) -> None:
    while True:
        about = server.about("persistence")
        if about["rdb_bgsave_in_progress"] == "0":
            break
        if time.monotonic() > deadline:
            raise _unsaved("没有按时做完")
        time.sleep(_LOOK_SECONDS)
    if about["rdb_last_bgsave_status"] != "ok":
        raise _unsaved("它自己的日志里有原因（内存不够，或磁盘满）")


def _unsaved(why: str) -> BackupError:
    return BackupError("PS-E7486", f"Redis 没有存成快照：{why[:200]}", "按原因处理后重做；已有的备份没有变")
