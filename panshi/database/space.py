"""How large databases are, how they grow, and when the disk is full (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from panshi.database.facts import Server
from panshi.database.model import Finding, Kind, Limits
from panshi.record import DatabaseRow

_DAY = 86400


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes per day of all tables and of each, since ``days`` ago; ``full`` days until the disk is full, None never."""

    days: float
    total: float
    tables: Mapping[str, float]
    full: float | None


def growth(server: Server, before: DatabaseRow) -> Growth | None:
    """Return the growth of a primary since a review, or None where that is not a day old."""
    days = (server.at - before.at) / _DAY
    if days < 1:
        return None
    then = {str(name): int(data) + int(index) + int(free) for name, _, _, data, index, free in before.tables}
    now = {table.full_name: table.size + table.free for table in server.tables.values()}
    each = {name: (now.get(name, 0) - then.get(name, 0)) / days for name in {*now, *then}}
    total = sum(each.values())
    full = server.disk[1] / total if server.disk and total > 0 else None
    return Growth(days, total, {name: rate for name, rate in each.items() if rate}, full)


def full_disk(server: Server, grown: Growth | None, limits: Limits) -> Iterator[Finding]:
    """Yield the disk of the data where little of it is free, or growth fills it soon."""
    if server.disk is None:
        return
    total, free = server.disk
    said = []
    if free < limits.full_share * total:
        said.append(f"只剩 {free / (1 << 30):.1f} GiB（{free / total:.1%}）")
    if grown and grown.full is not None and grown.full < limits.full_days:
        said.append(f"按每天 {grown.total / (1 << 20):.1f} MiB 的增长，{grown.full:.0f} 天后写满")
    if said:
        yield Finding(Kind.DISK, server.host, "数据所在的磁盘" + "；".join(said) + "。清理、归档或扩容，由业务决定")
