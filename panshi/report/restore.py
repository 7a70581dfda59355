"""备份恢复验证报告: what the restores of one run have proven, host by host, and what they have not (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from panshi.errors import PanshiError
from panshi.record import RestoreRow, Run
from panshi.report.patch import started
from panshi.report.text import clock, lasting

# Earlier proofs of a host that are shown beside this one.
EARLIER = 12
# Findings of a comparison: with any other one the restore itself was not carried to its end.
_COMPARISON = ("PS-E745", "PS-E7488")
# The agent keeps no more paths than these of files that differ or are missing (``panshi/backup/agent/prove.py``).
_PATHS = 20
NOT_REACHED = "没有走到这一步"
OBJECTS_ZH = {
    "views": "视图",
    "routines": "存储过程与函数",
    "triggers": "触发器",
    "events": "定时事件",
    "foreign_keys": "外键",
    "accounts": "账户",
}


class State(StrEnum):
    """What became of the backups of a host."""

    PROVEN = "proven"
    FOUND = "found"
    NOTHING = "nothing"


STATE_ZH = {State.PROVEN: "已证明能恢复", State.FOUND: "没有得到证明", State.NOTHING: "没有结果"}
STATE_KEY = {State.PROVEN: "pass", State.FOUND: "fail", State.NOTHING: "error"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the source and what was restored of it (None: nothing)."""

    database: str
    name: str
    engine: str
    rows: tuple[int, int | None]
    checksum: tuple[str, str | None]
    same: bool

    @property
    def fate(self) -> str:
        """Return how the two compare; only InnoDB's content belongs to one position for certain."""
        if self.same:
            return "相同"
        if self.rows[1] is None:
            return "没有恢复出来"
        return "不同" if self.engine == "InnoDB" else "不同，不算发现"


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a backup; what is None was not reached.

    Args:
        set: the backup, of which ``chain`` are the sets that it needs and ``bytes`` their streams together.
        ended: until when it was made.
        lag: seconds that the replica was behind that it was taken from, -1 on a primary.
        isolated: whether the scratch server had a network namespace of its own.
        mark: position of the comparison, the second at which it was taken, and the position that was reached.
        end: last position, and the archive of binary logs that it came from.
        covered: up to when everything can be restored.
    """

    set: str
    chain: tuple[str, ...]
    bytes: int
    server: str
    ended: datetime
    lag: int
    isolated: bool | None
    mark: tuple[str, str, str] | None
    end: tuple[str, str] | None
    covered: datetime | None
    tables: tuple[Table, ...] | None
    objects: tuple[tuple[str, int, int], ...] | None
    constraints: tuple[tuple[str, int | None], ...] | None
    newest: tuple[tuple[str, str, str], ...] | None
    smoke: tuple[tuple[str, str, int, bool], ...] | None

    @property
    def databases(self) -> dict[str, list[Table]]:
        """Return the tables by database, those that differ first."""
        grouped: dict[str, list[Table]] = {}
        for one in sorted(self.tables or (), key=lambda one: (one.database, one.same, one.name)):
            grouped.setdefault(one.database, []).append(one)
        return grouped


@dataclass(frozen=True, slots=True)
class Files:
    """A set of files against the list that was made with it; ``differ`` and ``missing`` are the first paths."""

    name: str
    set: str
    listed: int
    same: int
    moving: int
    differ: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def counts(self) -> tuple[str, str]:
        """Return the numbers of files that differ and that are missing: the record holds only the first paths."""
        bad = self.listed - self.same - self.moving
        if len(self.differ) < _PATHS:
            return str(len(self.differ)), str(bad - len(self.differ))
        if len(self.missing) < _PATHS:
            return str(bad - len(self.missing)), str(len(self.missing))
        return f"至少 {_PATHS}", f"至少 {_PATHS}（两者共 {bad}）"


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump against the mark that was taken with it: keys of a Redis, or tables of a small database.

    Args:
        name: ``redis``, or ``sql-<database>``.
        set: the backup.
        bytes: of it.
        server: version of the source.
        isolated: whether the scratch server had a network namespace of its own.
        counted: keys or tables of the source.
        same: those that were compared and are the same.
        differ: those that were compared and are not.
        unsaid: those that were to be compared and changed or expired meanwhile.
    """

    name: str
    set: str
    bytes: int
    server: str
    isolated: bool
    counted: int
    same: int
    differ: int
    unsaid: int

    @property
    def label(self) -> str:
        """Return what it is of, for people."""
        return "Redis" if self.name == "redis" else f"数据库 {self.name.partition('-')[2]}"

    @property
    def unit(self) -> str:
        """Return what is counted."""
        return "键" if self.name == "redis" else "表"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a proof; ``restore``: an emergency would take this time as well."""

    name: str
    seconds: float
    restore: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """One host in one run; without a result only ``why`` there is none.

    ``rto`` is None where the restore did not come to its end, ``rpo`` where it was not measured. ``at`` is when.
    """

    run: str
    host: str
    state: State
    why: str
    at: datetime
    on: str = ""
    place: str = ""
    seconds: float = 0.0
    rto: float | None = None
    rpo: int | None = None
    spent: float = 0.0
    findings: tuple[tuple[str, str], ...] = ()
    steps: tuple[Step, ...] = ()
    database: Database | None = None
    files: tuple[Files, ...] = ()
    dumps: tuple[Dump, ...] = ()

    @property
    def age(self) -> float | None:
        """Return the age of the database's backup in seconds."""
        return max(0.0, (self.at - self.database.ended).total_seconds()) if self.database else None

    @property
    def ratio(self) -> float | None:
        """Return how many times the restore the whole proof took."""
        return self.seconds / self.rto if self.rto else None

    @property
    def rest(self) -> float:
        """Return the seconds that belong to no step."""
        return max(0.0, self.seconds - sum(one.seconds for one in self.steps))

    @property
    def tables(self) -> tuple[int, int] | None:
        """Return how many tables are the same, of how many; None when none were compared."""
        known = self.database.tables if self.database else None
        return None if known is None else (sum(one.same for one in known), len(known))

    @property
    def rows(self) -> int | None:
        """Return the rows that were restored."""
        known = self.database.tables if self.database else None
        return None if known is None else sum(one.rows[1] or 0 for one in known)

    @property
    def listed(self) -> tuple[int, int] | None:
        """Return how many files are the same, of how many; None when none were compared."""
        return (sum(one.same for one in self.files), sum(one.listed for one in self.files)) if self.files else None


@dataclass(frozen=True, slots=True)
class Proving:
    """All of a report.

    Args:
        run: that is reported.
        proofs: of its hosts, in their order.
        earlier: up to twelve of each host, the oldest first.
        damaged: earlier runs whose record was changed or cannot be read, which were left out.
    """

    run: Run
    proofs: tuple[Proof, ...]
    earlier: Mapping[str, tuple[Proof, ...]]
    damaged: tuple[str, ...]

    def of(self, state: str) -> list[Proof]:
        """Return the hosts of a state."""
        return [one for one in self.proofs if one.state == state]

    @property
    def results(self) -> list[Proof]:
        """Return the hosts that have a result."""
        return [one for one in self.proofs if one.state != State.NOTHING]

    def before(self, proof: Proof) -> Proof | None:
        """Return the last earlier run in which the backups of a host were proven."""
        known = self.earlier.get(proof.host, ())
        return next((one for one in reversed(known) if one.state is State.PROVEN), None)


def proving(run: Run, earlier: Mapping[str, Sequence[tuple[Run, RestoreRow]]], damaged: Sequence[str]) -> Proving:
    """Return the report of a run.

    Args:
        run: of the job ``restore_verify``.
        earlier: rows of earlier runs by host, the oldest first.
        damaged: earlier runs that cannot be used.

    Raises:
        PanshiError: PS-E4212, a row of this run is not what this version writes; an earlier one is left out.
    """
    useless = list(damaged)

    def usable(found: Sequence[tuple[Run, RestoreRow]]) -> Iterator[Proof]:
        for one, row in found:
            try:
                yield _proof(one, row)
            except PanshiError:
                useless.append(one.begin.run)

    before = {host: tuple(usable(found)) for host, found in earlier.items()}
    rows = {row.host: row for row in run.restores}
    names = dict.fromkeys([*(str(host["name"]) for host in run.begin.hosts), *rows])
    said = {row.host: row.message for row in run.hosts}
    return Proving(
        run,
        tuple(
            _proof(run, rows[name])
            if name in rows
            else Proof(run.begin.run, name, State.NOTHING, _why(run, said.get(name, "")), started(run))
            for name in names
        ),
        before,
        tuple(sorted(set(useless))),
    )


def _why(run: Run, said: str) -> str:
    if said:
        return said
    return "没有留下恢复的结果" if run.end else "运行中断，没有留下结果"


def _proof(run: Run, row: RestoreRow) -> Proof:
    try:
        database = _database(row.database) if row.database else None
        findings = tuple((str(one["code"]), str(one["message"])) for one in row.findings)
        whole = all(code.startswith(_COMPARISON) for code, _ in findings)
        rpo = int(row.rpo) if row.rpo >= 0 else None
        covered = database.covered if database else None
        return Proof(
            run=run.begin.run,
            host=row.host,
            state=State.PROVEN if row.proven and not findings else State.FOUND,
            why="",
            at=covered + timedelta(seconds=rpo) if covered and rpo is not None else started(run),
            on=str(row.on),
            place=str(row.place),
            seconds=float(row.seconds),
            rto=float(row.rto) if whole else None,
            rpo=rpo,
            spent=float(row.rto),
            findings=findings,
            steps=tuple(Step(str(one["name"]), float(one["seconds"]), bool(one["restore"])) for one in row.steps),
            database=database,
            files=tuple(_files(one) for one in row.files),
            dumps=tuple(_dump(one) for one in row.dumps),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise PanshiError(
            "PS-E4212",
            f"运行 {run.begin.run} 中主机 {row.host} 的恢复结果不是本版本的形状：{error!r}"[:300],
            "用写入该记录的磐石版本出报告",
        ) from error


def _database(raw: Mapping[str, Any]) -> Database:
    mark, end = raw.get("mark"), raw.get("end")
    covered = raw.get("covered")
    return Database(
        set=str(raw["set"]),
        chain=tuple(str(one) for one in raw["chain"]),
        bytes=int(raw["bytes"]),
        server=str(raw["server"]),
        ended=_moment(raw["ended"]),
        lag=int(raw["lag"]),
        isolated=bool(raw["isolated"]) if "isolated" in raw else None,
        mark=(str(mark["gtid"]), clock(_moment(mark["time"])), str(mark["reached"])) if mark else None,
        end=(str(end["gtid"]), str(end["archive"])) if end else None,
        covered=_moment(covered) if covered else None,
        tables=tuple(_table(one) for one in raw["tables"]) if "tables" in raw else None,
        objects=tuple(
            (label, int(raw["objects"][name][0]), int(raw["objects"][name][1]))
            for name, label in OBJECTS_ZH.items()
            if name in raw["objects"]
        )
        if "objects" in raw
        else None,
        constraints=tuple(
            (str(one["name"]), None if one["orphans"] is None else int(one["orphans"])) for one in raw["constraints"]
        )
        if "constraints" in raw
        else None,
        newest=tuple((str(name), str(one["mark"]), str(one["restored"])) for name, one in raw["newest"].items())
        if "newest" in raw
        else None,
        smoke=tuple((str(one["name"]), str(one["found"]), int(one["least"]), bool(one["good"])) for one in raw["smoke"])
        if "smoke" in raw
        else None,
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} without a zone")
    return moment


def _table(raw: Mapping[str, Any]) -> Table:
    database, _, name = str(raw["table"]).partition(".")
    (source, restored), (sums, found) = raw["rows"], raw["checksum"]
    return Table(
        database,
        name,
        str(raw["engine"]),
        (int(source), None if restored is None else int(restored)),
        (str(sums), None if found is None else str(found)),
        bool(raw["same"]),
    )


def _files(raw: Mapping[str, Any]) -> Files:
    numbers = (int(raw["listed"]), int(raw["same"]), int(raw["moving"]))
    paths = [tuple(str(path) for path in raw[key]) for key in ("differ", "missing")]
    return Files(str(raw["name"]), str(raw["set"]), *numbers, *paths)


def _dump(raw: Mapping[str, Any]) -> Dump:
    numbers = (int(raw[name]) for name in ("counted", "same", "differ", "unsaid"))
    isolated = bool(raw["isolated"])
    return Dump(str(raw["name"]), str(raw["set"]), int(raw["bytes"]), str(raw["server"]), isolated, *numbers)


def gaps(proof: Proof) -> Iterator[str]:
    """Yield what a run has not proven about a host, in Chinese, whatever else it has."""
    if proof.state is State.NOTHING:
        yield "没有做成恢复，什么也没有证明。"
        return
    yield f"只读了备份库 {proof.place} 里最新的一份；其他副本、更早的备份没有读。"
    if proof.on == proof.host:
        yield "在来源主机自己身上恢复：这台主机不在时能否在别处恢复，没有证明。"
    database = proof.database
    if database is None:
        if proof.state is State.PROVEN:
            yield "没有声明数据库，只验证了文件。"
        else:
            yield "没有数据库的结果：没有声明数据库，或在选定备份之前就失败（见发现）。"
    else:
        yield from _database_gaps(database)
    yield from _dump_gaps(proof.dumps)
    if not proof.files:
        yield (
            "没有声明要备份的文件。"
            if proof.state is State.PROVEN
            else "没有文件的结果：没有声明，或没有取回（见发现）。"
        )
    if moving := sum(one.moving for one in proof.files):
        yield f"{moving} 个文件在列清单与备份之间被改过，内容没有可对照的散列值。"


def _dump_gaps(dumps: Sequence[Dump]) -> Iterator[str]:
    for one in dumps:
        left = one.counted - one.same - one.differ
        if left and one.name == "redis":
            why = "不在样本里、已到期、太长或期间被改"
            yield f"Redis 的 {one.counted} 个键都数过，其中 {left} 个没有对照内容（{why}）。"
        elif left:
            yield f"{one.label} 有 {left} 张表在导出期间被改过，只知道恢复出来了，内容没有可对照的。"
        if not one.isolated:
            yield f"{one.label} 的临时服务没有自己的网络命名空间（例如在容器里）：它不监听端口，但没有从网络上隔断。"


def _database_gaps(database: Database) -> Iterator[str]:
    if database.end is not None:
        yield "对照位置之后重放的内容没有来源可以逐表对照，只有约束、最新业务数据与冒烟查询。"
    if database.isolated is False:
        yield "临时数据库没有自己的网络命名空间（例如在容器里）：它不监听任何端口，但没有从网络上隔断。"
    if database.lag > 0:
        yield f"备份取自从库，当时落后主库 {database.lag} 秒；对照的是从库。"
    loose = [one for one in database.tables or () if one.engine != "InnoDB"]
    if loose:
        yield f"{len(loose)} 张表不是 InnoDB，内容不一定属于同一位置，不同不算发现。"
    unread = [name for name, orphans in database.constraints or () if orphans is None]
    if unread:
        yield f"{len(unread)} 个外键没有在限时内查完：{'、'.join(unread[:5])}。"
    if database.objects is not None:
        yield "视图、存储过程、触发器、定时事件、外键、账户只比较了个数。"
    for rows, words in ((database.newest, "业务数据时间的查询"), (database.smoke, "冒烟查询")):
        if rows is None:
            yield f"{words}{NOT_REACHED}。"
        elif not rows:
            yield f"没有声明{words}。"


def sized(number: int) -> str:
    """Return a number of bytes for people."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"


def aged(seconds: float | None) -> str:
    """Return an age in the unit in which people think of it."""
    if seconds is None or seconds < 3600:
        return lasting(None if seconds is None else round(seconds))
    return f"{seconds / 3600:.1f} 小时" if seconds < 72 * 3600 else f"{seconds / 86400:.1f} 天"


def changed(now: float | None, before: float | None) -> str:
    """Return a difference in percent, or nothing where there is none to tell."""
    return f"{(now - before) / before:+.0%}" if now is not None and before else ""
