"""Backups as a repository would hold them, without one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from panshi.backup.agent.mark import Mark, Table
from panshi.backup.agent.restic import Snapshot
from panshi.backup.agent.sets import BackupSet, Logs, named

NOW = dt.datetime(2026, 11, 22, 3, tzinfo=dt.UTC)


def ago(**time: float) -> dt.datetime:
    return NOW - dt.timedelta(**time)


def mark(*tables: tuple[str, int]) -> Mark:
    """Tables as ``database.table`` with their rows."""
    rows = tuple(Table(*name.split("."), "InnoDB", number, "1") for name, number in tables)
    return Mark("0-1-9", "2026-11-22T01:31:00Z", rows, {}, {})


def made(began: dt.datetime, base: BackupSet | None = None, *tables: tuple[str, int]) -> BackupSet:
    """A set that took half an hour."""
    start = base.to_lsn if base else 0
    return BackupSet(
        id=f"{named(began)}-{'incr' if base else 'full'}",
        base=base.id if base else "",
        from_lsn=start,
        to_lsn=start + 10,
        ended=named(began + dt.timedelta(minutes=30)),
        gtid="0-1-5",
        bytes=1,
        sha256="",
        server="10.11",
        lag=-1,
        mark=mark(*tables),
    )


def known(sets: Iterable[BackupSet]) -> dict[str, BackupSet]:
    return {one.id: one for one in sets}


def logs(time: dt.datetime, *names: str) -> Logs:
    return Logs(named(time), tuple((name, 1, "") for name in names), "0-1-9")


@dataclass
class Shelf:
    """A repository of snapshots that only have tags."""

    rows: list[Snapshot] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def put(self, *tags: str) -> str:
        id = f"s{len(self.rows)}"
        self.rows.append(Snapshot(id, "", tags, ("/x",)))
        return id

    def unlock(self) -> None:
        """Nobody else is at work."""

    def snapshots(self, *tags: str) -> list[Snapshot]:
        return [one for one in self.rows if set(tags) <= set(one.tags)]

    def forget(self, ids: Sequence[str]) -> None:
        self.forgotten += ids
