"""A Redis of its own for a restored snapshot: as ``scratch``, on a local socket alone."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import scratch
from .errors import BackupError, last_line
from .redis import Connection, connected
from .settings import Redis

SNAPSHOT = "dump.rdb"
_START_SECONDS = 900
_USER = "redis"
# A replica keeps the keys that have come to their end since the backup: so all of them can be counted. There is no
# primary at port 0, nor does it reach one.
_CONFIGURATION = """\
port 0
unixsocket {folder}/sock
unixsocketperm 700
dir {folder}
dbfilename {name}
pidfile {folder}/pid
logfile {folder}/redis.log
save ""
appendonly no
daemonize no
replicaof 127.0.0.1 0
replica-serve-stale-data yes
"""


@dataclass(frozen=True)
class Scratch:
    """A Redis that has loaded a snapshot.

    Args:
        server: an open connection to it.
        isolated: whether it has a network namespace of its own. In a container it has not: it listens nowhere.
    """

    server: Connection
    isolated: bool


@contextmanager
def running(folder: Path, bounds: scratch.Bounds) -> Iterator[Scratch]:
    """Start a Redis on ``folder/dump.rdb`` and end it.

    Args:
        folder: of the restore.
        bounds: what it may use.

    Raises:
        BackupError: PS-E7487 it does not load the snapshot; PS-E7441 there is no program.
    """
    program = _program()
    (folder / "redis.conf").write_text(_CONFIGURATION.format(folder=folder, name=SNAPSHOT), encoding="utf-8")
    owner = pwd.getpwnam(_USER)
    scratch.give(folder, owner.pw_uid, owner.pw_gid)
    scratch.start(folder.name, _USER, bounds, [program, str(folder / "redis.conf")], {})
    try:
        _wait(folder)
        with connected(Redis(socket=str(folder / "sock"))) as server:
            yield Scratch(server, scratch.isolated(folder))
    finally:
        scratch.stop(folder.name)


def _wait(folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _loaded(folder):
        if not scratch.alive(folder.name) or time.monotonic() > deadline:
            log = folder / "redis.log"
            said = log.read_text(errors="replace") if log.is_file() else scratch.journal(folder.name)
            raise BackupError(
                "PS-E7487", f"Redis 的快照载入不了：{_reason(said)}", "这份备份不能用：改用另一份副本或更早的备份"
            )
        time.sleep(0.1)


def _loaded(folder: Path) -> bool:
    try:
        with connected(Redis(socket=str(folder / "sock"))) as server:
            return server.about("persistence").get("loading") == "0"
    except BackupError:
        return False


def _reason(said: str) -> str:
    """Return the line that says why, which Redis marks as a warning; its last line is often only a farewell."""
    lines = [line.partition(" # ")[2] for line in said.splitlines() if " # " in line]
    telling = [line for line in lines if any(word in line.lower() for word in ("rdb", "error", "short", "memory"))]
    return last_line("\n".join(telling or lines) or said)


def _program() -> str:
    for path in ("/usr/bin/redis-server", "/usr/sbin/redis-server", "/usr/local/bin/redis-server"):
        if os.access(path, os.X_OK):
            return path
    raise BackupError("PS-E7441", "这台主机没有 redis-server", "安装与来源同一大版本的 Redis，或换一台主机验证")
