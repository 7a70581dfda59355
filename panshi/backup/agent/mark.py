"""What a database held at one position of its binary log: the measure of every later restore."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .errors import BackupError
from .server import SYSTEM, Server, listed, quoted

_TABLES = (
    "SELECT table_schema, table_name, COALESCE(engine, '') FROM information_schema.tables"
    f" WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ({listed(SYSTEM)}) ORDER BY 1, 2"
)
# What a restore must bring beside tables.
_OBJECTS = {
    "views": f"SELECT COUNT(*) FROM information_schema.views WHERE table_schema NOT IN ({listed(SYSTEM)})",
    "triggers": f"SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema NOT IN ({listed(SYSTEM)})",
    "routines": f"SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema NOT IN ({listed(SYSTEM)})",
    "events": f"SELECT COUNT(*) FROM information_schema.events WHERE event_schema NOT IN ({listed(SYSTEM)})",
    "foreign_keys": "SELECT COUNT(*) FROM information_schema.referential_constraints"
    f" WHERE constraint_schema NOT IN ({listed(SYSTEM)})",
    "accounts": "SELECT COUNT(*) FROM mysql.global_priv",
}


@dataclass(frozen=True)
class Table:
    """A table as it was.

    Args:
        database: of it.
        name: of it.
        engine: of it; only InnoDB's content belongs to one position for certain.
        rows: their number.
        checksum: what ``CHECKSUM TABLE`` gives.
    """

    database: str
    name: str
    engine: str
    rows: int
    checksum: str

    @property
    def transactional(self) -> bool:
        """Whether what was read belongs to the mark's position."""
        return self.engine == "InnoDB"


@dataclass(frozen=True)
class Mark:
    """A database at one position.

    Args:
        gtid: the position.
        time: when it was taken, UTC.
        tables: all but the system's.
        objects: numbers of what else there is.
        newest: time of the newest business row by name, as the database gives it.
    """

    gtid: str
    time: str
    tables: tuple[Table, ...]
    objects: Mapping[str, int]
    newest: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)


def read_mark(raw: Mapping[str, Any]) -> Mark:
    """Return the mark that ``as_json`` gave."""
    tables = tuple(Table(**one) for one in raw["tables"])
    return Mark(raw["gtid"], raw["time"], tables, dict(raw["objects"]), dict(raw["newest"]))


def take(server: Server, newest: Mapping[str, str]) -> Mark:
    """Measure a running server without a lock: all in one transaction, which sees one state of InnoDB's tables.

    ``CHECKSUM TABLE`` reads by the transaction's snapshot too, and the position of that snapshot is what
    ``binlog_snapshot_*`` say in its session.

    Args:
        server: that is measured; it writes a binary log.
        newest: queries for the newest business rows.

    Raises:
        BackupError: PS-E7420 from the server; PS-E7421 it writes no binary log, or tables came and went meanwhile.
    """
    tables = [(row[0], row[1], row[2]) for row in server.ask(_TABLES)]
    inside = ["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET SESSION max_statement_time=0"]
    inside += ["START TRANSACTION WITH CONSISTENT SNAPSHOT", "SHOW STATUS LIKE 'binlog_snapshot%'"]
    inside += measure(tables)
    rows = server.ask(*inside, "COMMIT")
    place = {row[0]: row[1] for row in rows[:2] if len(row) == 2}
    file, position = place.get("Binlog_snapshot_file", ""), place.get("Binlog_snapshot_position", "")
    if not file or not position.isdigit():
        raise BackupError(
            "PS-E7421", "数据库没有写二进制日志，备份不能恢复到时间点", "开启 log_bin（从库另需 log_slave_updates）"
        )
    gtid = server.one(f"SELECT BINLOG_GTID_POS('{file}', {position})")
    time = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    return Mark(gtid, time, read_tables(tables, rows[2:]), objects(server), _asked(server, newest))


def objects(server: Server) -> dict[str, int]:
    """Return the numbers of what there is beside tables."""
    return {name: int(server.one(query)) for name, query in _OBJECTS.items()}


def tables_of(server: Server) -> list[tuple[str, str, str]]:
    """Return database, name and engine of all tables but the system's."""
    return [(row[0], row[1], row[2]) for row in server.ask(_TABLES)]


def measure(tables: list[tuple[str, str, str]]) -> list[str]:
    """Return the statements that measure tables: two rows each."""
    names = [f"{quoted(database)}.{quoted(name)}" for database, name, _ in tables]
    return [statement for name in names for statement in (f"CHECKSUM TABLE {name}", f"SELECT COUNT(*) FROM {name}")]


def read_tables(tables: list[tuple[str, str, str]], rows: list[list[str]]) -> tuple[Table, ...]:
    """Return what the statements of ``measure`` gave."""
    if len(rows) != 2 * len(tables) or any(len(row) != 2 for row in rows[::2]):
        raise BackupError("PS-E7421", "测量期间有表被建立或删除", "避开表结构变更的时间重做")
    pairs = zip(tables, rows[::2], rows[1::2])
    return tuple(Table(base, name, engine, int(count[0]), sums[1]) for (base, name, engine), sums, count in pairs)


def _asked(server: Server, newest: Mapping[str, str]) -> dict[str, str]:
    """Ask for the newest rows; a table that is not there any more costs no backup, and is found by the proof."""
    found = {}
    for name, query in newest.items():
        try:
            found[name] = server.one(query)
        except BackupError:
            found[name] = ""
    return found
