"""The proof of dumps: each is loaded into a server of its own, and held against what its source was."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from . import bring, dumps, redis_mark, scratch, scratch_redis
from . import logical as marks
from .evidence import OBJECTS_ZH, Evidence
from .restic import Repository


def redis(
    repository: Repository,
    hours: int,
    bounds: scratch.Bounds,
    folder: Path,
    evidence: Evidence,
    say: Callable[[str], object],
) -> None:
    """Load the newest snapshot of a Redis, count its keys, and compare those that were read at the source.

    Args:
        repository: that is proven.
        hours: age of the snapshot that is still accepted.
        bounds: of the scratch server.
        folder: of this restore.
        evidence: is told what was seen.
        say: is told what is being done.

    Raises:
        BackupError: there is no snapshot, or it cannot be loaded.
    """
    scratch.empty(folder)
    with evidence.step("取回 Redis", restore=True):
        say("取回 Redis 的快照")
        dump = bring.dump(repository, dumps.newest(repository, dumps.REDIS), folder / scratch_redis.SNAPSHOT)
    _dated(dump, hours, evidence)
    mark = redis_mark.read_mark(dump.mark)
    with ExitStack() as stack:
        with evidence.step("载入 Redis", restore=True):
            say("载入临时 Redis")
            instance = stack.enter_context(scratch_redis.running(folder, bounds))
        with evidence.step("核对 Redis", restore=False):
            say(f"核对 {mark.total} 个键")
            done = redis_mark.compare(mark, instance.server, time.time())
    for name, (keys, expiring), (found, found_expiring) in done.counts:
        evidence.find(
            "PS-E7488",
            f"Redis 库 {name}：来源 {keys} 个键（{expiring} 个有期限），恢复出 {found} 个（{found_expiring} 个有期限）",
        )
    if done.differ:
        evidence.find("PS-E7488", f"Redis：对照的 {len(mark.sample)} 个键里有 {done.differ} 个的内容与来源不同")
    if not mark.total:
        evidence.find("PS-E7450", "Redis 的快照里一个键也没有")
    evidence.dumps.append(
        {
            "name": dumps.REDIS,
            "set": dump.id,
            "bytes": dump.bytes,
            "server": dump.server,
            "isolated": instance.isolated,
            "counted": mark.total,
            "same": done.same,
            "differ": done.differ,
            "unsaid": done.expired,
        }
    )


def logical(
    repository: Repository,
    database: str,
    hours: int,
    bounds: scratch.Bounds,
    folder: Path,
    evidence: Evidence,
    say: Callable[[str], object],
) -> None:
    """Load the newest dump of a small database into an empty server, and compare it table by table.

    Args:
        repository: that is proven.
        database: its name.
        hours: age of the dump that is still accepted.
        bounds: of the scratch server.
        folder: of this restore.
        evidence: is told what was seen.
        say: is told what is being done.

    Raises:
        BackupError: there is no dump, or it cannot be loaded.
    """
    name = dumps.name_of(database)
    with ExitStack() as stack:
        with evidence.step(f"取回 {name}", restore=True):
            dump, file = bring.sql(repository, database, None, folder, say)
        _dated(dump, hours, evidence)
        mark = marks.read_mark(dump.mark)
        with evidence.step(f"载入 {name}", restore=True):
            instance = stack.enter_context(bring.loaded(file, database, mark.collation, bounds, folder, say))
        with evidence.step(f"核对 {name}", restore=False):
            say(f"逐表对照（{len(mark.tables)} 张）")
            found = {one.name: one for one in marks.measured(instance.server, database)}
            restored = marks.objects(instance.server, database)
    rows = [evidence.compare(one, found.get(one.name)) for one in mark.tables]
    for one in sorted(set(mark.moving) - found.keys()):
        evidence.find("PS-E7452", f"表 {database}.{one} 没有恢复出来")
    for what, count in mark.objects.items():
        if restored[what] != count:
            evidence.find("PS-E7453", f"{database} 的{OBJECTS_ZH[what]}：来源 {count} 个，恢复出 {restored[what]} 个")
    if not found:
        evidence.find("PS-E7450", f"{database} 的导出里一张表也没有")
    evidence.dumps.append(
        {
            "name": name,
            "set": dump.id,
            "bytes": dump.bytes,
            "server": dump.server,
            "isolated": instance.isolated,
            "counted": len(mark.tables) + len(mark.moving),
            "same": sum(row["same"] for row in rows),
            "differ": sum(not row["same"] for row in rows),
            "unsaid": len(mark.moving),
        }
    )


def _dated(dump: dumps.Dump, hours: int, evidence: Evidence) -> None:
    age = dt.datetime.now(dt.timezone.utc) - dump.time
    if age > dt.timedelta(hours=hours):
        old = int(age.total_seconds() // 3600)
        evidence.find("PS-E7451", f"最新的 {dump.name} 备份是 {old} 小时前的，多于允许的 {hours} 小时")
