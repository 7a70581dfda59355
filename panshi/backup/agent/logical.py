"""Dumps of small databases, measured before and after: what stayed the same is what the dump must hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

from . import dumps, sql
from .errors import BackupError
from .mark import Table, measure, read_tables, tables_of
from .restic import Repository
from .server import Server, text
from .sets import named

_OBJECTS = {
    "views": "table_schema",
    "triggers": "trigger_schema",
    "routines": "routine_schema",
    "events": "event_schema",
}


@dataclass(frozen=True)
class Mark:
    """A small database while it was dumped.

    Args:
        tables: those that were the same before and after.
        moving: names of those that were not: of them it is only known that they are there.
        objects: numbers of what else there is.
        collation: what a new table of it begins with; a dump does not say it.
    """

    tables: tuple[Table, ...]
    moving: tuple[str, ...]
    objects: Mapping[str, int]
    collation: str

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)


def read_mark(raw: Mapping[str, Any]) -> Mark:
    """Return the mark that ``as_json`` gave."""
    tables = tuple(Table(**one) for one in raw["tables"])
    return Mark(tables, tuple(raw["moving"]), dict(raw["objects"]), str(raw["collation"]))


def back_up(repository: Repository, server: Server, database: str) -> dumps.Dump:
    """Dump a database into the repository, and measure it.

    Args:
        repository: on this host.
        server: that has it.
        database: its name.

    Raises:
        BackupError: PS-E7420 from the server; PS-E7489 there is no such database; PS-E741x of the repository.
    """
    collation = server.collation(database)
    if not collation:
        raise BackupError("PS-E7489", f"数据库 {database} 不在这台主机上", "改正 backup_logical.databases")
    before = measured(server, database)
    id = f"{named(dt.datetime.now(dt.timezone.utc))}-{dumps.name_of(database)}"
    saved: list[tuple[int, str]] = []

    def take(stream: IO[bytes]) -> None:
        saved.append(dumps.save(repository, stream, id))

    sql.dump(server, database, "", take)
    mark = Mark(*still(before, measured(server, database)), objects(server, database), collation)
    dump = dumps.Dump(id, dumps.name_of(database), *saved[0], server.one("SELECT VERSION()"), mark.as_json())
    dumps.note(repository, dump)
    return dump


def measured(server: Server, database: str) -> tuple[Table, ...]:
    """Return rows and checksums of a database's tables."""
    tables = [one for one in tables_of(server) if one[0] == database]
    return read_tables(tables, server.ask(*measure(tables))) if tables else ()


def still(before: Sequence[Table], after: Sequence[Table]) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """Return the tables that both measurements have in common, and the names of those that they do not."""
    same = set(before) & set(after)
    moving = {one.name for one in {*before, *after} - same}
    return tuple(one for one in before if one in same), tuple(sorted(moving))


def objects(server: Server, database: str) -> dict[str, int]:
    """Return the numbers of what a database has beside tables."""
    queries = {
        name: f"SELECT COUNT(*) FROM information_schema.{name} WHERE {column} = {text(database)}"
        for name, column in _OBJECTS.items()
    }
    return {name: int(server.one(query)) for name, query in queries.items()}
