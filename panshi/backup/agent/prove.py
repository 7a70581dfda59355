"""The proof: what a backup gives when it is restored, held against what the source was."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from . import book, bring, files, prove_dumps, scratch
from .errors import BackupError
from .evidence import OBJECTS_ZH, Evidence
from .mark import Mark, Table, measure, objects, read_tables, tables_of
from .restic import Repository
from .server import SYSTEM, Server, listed, quoted
from .sets import BackupSet, moment

# Rows without their parent are looked for this long per constraint; what was not finished is said.
_CONSTRAINT_SECONDS = 60
_KEYS = (
    "SELECT constraint_schema, constraint_name, table_name, referenced_table_schema, referenced_table_name,"
    " GROUP_CONCAT(column_name ORDER BY ordinal_position SEPARATOR '\\n'),"
    " GROUP_CONCAT(referenced_column_name ORDER BY ordinal_position SEPARATOR '\\n')"
    " FROM information_schema.key_column_usage WHERE referenced_table_name IS NOT NULL"
    f" AND constraint_schema NOT IN ({listed(SYSTEM)}) GROUP BY 1, 2, 3, 4, 5"
)


class _Key(NamedTuple):
    """A row of ``_KEYS``."""

    database: str
    name: str
    table: str
    other_database: str
    other: str
    columns: str
    others: str


@dataclass(frozen=True)
class Wanted:
    """What is to be proven.

    Args:
        database: whether the host has one that is backed up.
        files: names of sets of files.
        redis: whether the host has one that is backed up.
        logical: small databases of which there are dumps.
        expect: tables that must be there, by database.
        newest: queries for the newest business rows.
        smoke: queries with the least number that each must give.
        last: tables that the last proof found, as ``database.table``.
        hours: age of the newest set that is still accepted.
        rpo: minutes between now and the end of what can be restored that are still accepted.
        bounds: of the scratch server.
        threads: tables that are measured, and queries that are asked, side by side.
    """

    database: bool
    files: tuple[str, ...]
    redis: bool
    logical: tuple[str, ...]
    expect: Mapping[str, Sequence[str]]
    newest: Mapping[str, str]
    smoke: Mapping[str, Mapping[str, Any]]
    last: tuple[str, ...]
    hours: int
    rpo: int
    bounds: scratch.Bounds
    threads: int


def prove(repository: Repository, wanted: Wanted, folder: Path, say: Callable[[str], object]) -> Evidence:
    """Restore and compare; what cannot be restored is a finding, and keeps nothing else from being tried.

    Args:
        repository: that is proven.
        wanted: what.
        folder: of this restore.
        say: is told what is being done.
    """
    evidence = Evidence()
    if wanted.database:
        _tried("", partial(_database, repository, wanted, folder, evidence, say), evidence)
    if wanted.redis:
        _tried("", partial(prove_dumps.redis, repository, wanted.hours, wanted.bounds, folder, evidence, say), evidence)
    for name in wanted.logical:
        words = (repository, name, wanted.hours, wanted.bounds, folder, evidence, say)
        _tried(f"逻辑导出 {name}：", partial(prove_dumps.logical, *words), evidence)
    for name in wanted.files:
        _tried(f"文件 {name}：", partial(_files, repository, name, folder, evidence, say), evidence)
    return evidence


def _tried(what: str, part: Callable[[], None], evidence: Evidence) -> None:
    try:
        part()
    except BackupError as error:
        evidence.find(error.code, f"{what}{error.message}")


def _database(
    repository: Repository, wanted: Wanted, folder: Path, evidence: Evidence, say: Callable[[str], object]
) -> None:
    now = dt.datetime.now(dt.timezone.utc)
    with evidence.step("打开与选定", restore=True):
        say("打开备份库，选定备份")
        needed = book.needed(repository)
    last = needed[-1]
    about = evidence.database
    about.update(
        set=last.id, chain=[one.id for one in needed], bytes=sum(one.bytes for one in needed), server=last.server
    )
    about.update(ended=last.ended, lag=last.lag)
    if now - moment(last.ended) > dt.timedelta(hours=wanted.hours):
        age = int((now - moment(last.ended)).total_seconds() // 3600)
        evidence.find("PS-E7451", f"最新的数据库备份是 {age} 小时前的，多于允许的 {wanted.hours} 小时")
    _present(last.mark, wanted, evidence)
    bring.room(folder, sum(one.bytes for one in needed))
    with evidence.step("取回与准备", restore=True):
        bring.data(repository, needed, folder, wanted.bounds.buffer, say)
        logs, archive = bring.logs(repository, last, folder, say)
    with ExitStack() as stack:
        with evidence.step("启动", restore=True):
            say("启动临时数据库")
            instance = stack.enter_context(scratch.running(folder, wanted.bounds))
        about["isolated"] = instance.isolated
        _hold(instance.server, last, logs, archive.gtid if archive else "", wanted, evidence, say)
        with evidence.step("重放到末尾", restore=True):
            reached = bring.position(instance.server, last.gtid)
            say("重放其余的二进制日志")
            bring.replay(instance.server, logs, reached, archive.gtid if archive else "")
        about["end"] = {"gtid": bring.position(instance.server, last.gtid), "archive": archive.id if archive else ""}
        _covered(wanted, evidence, now, archive.time if archive else moment(last.ended))
        with evidence.step("约束与冒烟", restore=False), ThreadPoolExecutor(wanted.threads) as pool:
            say("核对约束，运行冒烟查询")
            parts = [
                _newest(pool, instance.server, wanted, last, evidence),
                _constraints(pool, instance.server, evidence),
                _smoke(pool, instance.server, wanted, evidence),
            ]
            for said in parts:
                said()


def _present(mark: Mark, wanted: Wanted, evidence: Evidence) -> None:
    """What the program needs, and what the last proof found, must be in the backup at all."""
    there = {f"{one.database}.{one.name}" for one in mark.tables}
    expected = {f"{base}.{name}" for base, names in wanted.expect.items() for name in names}
    if not there:
        evidence.find("PS-E7450", "备份里没有任何业务表")
    for name in sorted(expected - there):
        evidence.find("PS-E7450", f"清单要求的表 {name} 不在备份里")
    for name in sorted(set(wanted.last) - there - expected):
        evidence.find("PS-E7450", f"表 {name} 上次验证时还在，这份备份里没有")
    for name in sorted(name for name in expected & there):
        if next(one.rows for one in mark.tables if f"{one.database}.{one.name}" == name) == 0:
            evidence.find("PS-E7450", f"清单要求的表 {name} 在备份里是空的")


def _hold(
    server: Server,
    last: BackupSet,
    logs: Sequence[Path],
    end: str,
    wanted: Wanted,
    evidence: Evidence,
    say: Callable[[str], object],
) -> None:
    """Bring the server to the position of the mark, and compare table by table."""
    mark, about = last.mark, evidence.database
    with evidence.step("重放到对照位置", restore=True):
        if mark.gtid != last.gtid:
            say(f"重放到对照位置 {mark.gtid}")
            bring.replay(server, logs, last.gtid, end, to=mark.gtid)
    reached = bring.position(server, last.gtid)
    about["mark"] = {"gtid": mark.gtid, "time": mark.time, "reached": reached}
    if reached != mark.gtid:
        evidence.find("PS-E7432", f"二进制日志只能恢复到 {reached}，到不了对照位置 {mark.gtid}")
    with evidence.step("逐表对照", restore=False):
        say(f"逐表对照（{len(mark.tables)} 张）")
        found = {(one.database, one.name): one for one in _measured(server, wanted.threads)}
        about["tables"] = [evidence.compare(one, found.get((one.database, one.name))) for one in mark.tables]
        for base, name in sorted(found.keys() - {(one.database, one.name) for one in mark.tables}):
            evidence.find("PS-E7452", f"恢复出的表 {base}.{name} 在来源中没有")
        restored = objects(server)
    about["objects"] = {name: [count, restored.get(name, 0)] for name, count in mark.objects.items()}
    for name, (count, have) in about["objects"].items():
        if count != have:
            evidence.find("PS-E7453", f"{OBJECTS_ZH[name]}：来源 {count} 个，恢复出 {have} 个")


def _measured(server: Server, threads: int) -> list[Table]:
    tables = tables_of(server)
    parts = [tables[number::threads] for number in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        done = pool.map(lambda part: read_tables(part, server.ask(*measure(part))) if part else (), parts)
        return [one for part in done for one in part]


def _covered(wanted: Wanted, evidence: Evidence, now: dt.datetime, covered: dt.datetime) -> None:
    """Say up to when everything can be restored: the last archive of binary logs, or the end of the backup."""
    seconds = max(0, int((now - covered).total_seconds()))
    evidence.database["rpo"] = seconds
    evidence.database["covered"] = f"{covered:%Y-%m-%dT%H:%M:%SZ}"
    if seconds > wanted.rpo * 60:
        evidence.find("PS-E7457", f"只能恢复到 {seconds // 60} 分钟之前，多于允许的 {wanted.rpo} 分钟")


# Each of the three asks at once, side by side with the others, and gives what writes down the answers in their order.
def _newest(pool: Executor, server: Server, wanted: Wanted, last: BackupSet, evidence: Evidence) -> Callable[[], None]:
    found = pool.map(partial(_or_empty, server), wanted.newest.values())

    def said() -> None:
        rows = evidence.database["newest"] = {}
        for name, restored in zip(wanted.newest, found):
            rows[name] = {"mark": last.mark.newest.get(name, ""), "restored": restored}
            if not restored:
                evidence.find("PS-E7457", f"{name}：恢复出的库里没有业务数据")

    return said


def _or_empty(server: Server, query: str) -> str:
    try:
        return server.one(query)
    except BackupError:
        return ""


def _constraints(pool: Executor, server: Server, evidence: Evidence) -> Callable[[], None]:
    keys = [_Key(*row) for row in server.ask(_KEYS)]
    found = pool.map(partial(_orphans, server), keys)

    def said() -> None:
        rows = evidence.database["constraints"] = []
        for key, orphans in zip(keys, found):
            rows.append({"name": f"{key.database}.{key.name}", "orphans": orphans})
            if orphans:
                evidence.find("PS-E7454", f"外键 {key.database}.{key.name}：{orphans} 行没有对应的主行")

    return said


def _orphans(server: Server, key: _Key) -> int | None:
    """Return how many rows have no parent; nothing where counting them took too long."""
    columns, others = key.columns.split("\n"), key.others.split("\n")
    on = " AND ".join(f"c.{quoted(one)} = p.{quoted(two)}" for one, two in zip(columns, others))
    there = " AND ".join(f"c.{quoted(one)} IS NOT NULL" for one in columns)
    query = (
        f"SELECT COUNT(*) FROM {quoted(key.database)}.{quoted(key.table)} c"
        f" LEFT JOIN {quoted(key.other_database)}.{quoted(key.other)} p"
        f" ON {on} WHERE {there} AND p.{quoted(others[0])} IS NULL"
    )
    try:
        return int(server.ask(f"SET max_statement_time={_CONSTRAINT_SECONDS}", query)[0][0])
    except BackupError:
        return None


def _smoke(pool: Executor, server: Server, wanted: Wanted, evidence: Evidence) -> Callable[[], None]:
    found = pool.map(partial(_answer, server), (one["query"] for one in wanted.smoke.values()))

    def said() -> None:
        rows = evidence.database["smoke"] = []
        for (name, one), answer in zip(wanted.smoke.items(), found):
            good = answer.lstrip("-").isdigit() and int(answer) >= int(one["least"])
            rows.append({"name": name, "found": answer[:200], "least": one["least"], "good": good})
            if not good:
                evidence.find("PS-E7455", f"冒烟查询“{name}”得到 {answer[:100]}，应不少于 {one['least']}")

    return said


def _answer(server: Server, query: str) -> str:
    try:
        return server.one(query)
    except BackupError as error:
        return error.message


def _files(repository: Repository, name: str, folder: Path, evidence: Evidence, say: Callable[[str], object]) -> None:
    found = repository.snapshots(book.FILES, f"name={name}")
    if not found:
        raise BackupError("PS-E7430", "备份库中没有它的备份", "先做一次备份；或用另一份副本")
    last = max(found, key=lambda one: one.tag("set"))
    target = folder / f"files-{name}"
    say(f"取回文件 {name}")
    with evidence.step(f"取回文件 {name}", restore=True):
        repository.restore(last, target)
    place = next((path for path in last.paths if path.endswith(f"/lists/{name}.json")), "")
    about = json.loads((target / place.lstrip("/")).read_text(encoding="utf-8"))
    with evidence.step(f"核对文件 {name}", restore=False):
        done = files.compare(target, {path: files.Listed(*row) for path, row in about["files"].items()})
    row = {
        "name": name,
        "set": last.tag("set"),
        "listed": len(about["files"]),
        "same": done.same,
        "moving": done.moving,
    }
    evidence.files.append({**row, "differ": list(done.differ[:20]), "missing": list(done.missing[:20])})
    for what, paths in (("内容不同", done.differ), ("没有恢复出来", done.missing)):
        if paths:
            evidence.find("PS-E7456", f"文件 {name}：{len(paths)} 个{what}，例如 {paths[0]}")
    if not about["files"]:
        evidence.find("PS-E7456", f"文件 {name}：备份里一个文件也没有")
