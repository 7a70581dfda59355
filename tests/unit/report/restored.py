"""Small records of restore proofs, every figure of which can be worked out on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from panshi.record import Begin, EndRow, HostRow, RecordWriter, RestoreRow, Row

# The proof at 02:05:00Z: the backup ended 2 hours before, the last archive was 90 seconds old.
DAY = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
STEPS = [
    {"name": "取回与准备", "seconds": 20.0, "restore": True},
    {"name": "启动", "seconds": 1.5, "restore": True},
    {"name": "重放到对照位置", "seconds": 2.5, "restore": True},
    {"name": "逐表对照", "seconds": 8.0, "restore": False},
    {"name": "重放到末尾", "seconds": 4.0, "restore": True},
    {"name": "约束与冒烟", "seconds": 1.0, "restore": False},
    {"name": "取回文件 app", "seconds": 2.0, "restore": True},
    {"name": "核对文件 app", "seconds": 0.5, "restore": False},
]


def table(name: str, rows: int, *, restored: int | None = -1, engine: str = "InnoDB") -> dict[str, Any]:
    """Return a compared table; ``restored`` other than ``rows`` when given, None for one that did not come back."""
    found = rows if restored == -1 else restored
    sums = [str(rows * 7), None if found is None else str(found * 7)]
    return {"table": name, "engine": engine, "rows": [rows, found], "checksum": sums, "same": rows == found}


def database(**more: Any) -> dict[str, Any]:
    """Return what the agent tells of a database that was restored to its end."""
    return {
        "set": "20261122T000000Z-incr",
        "chain": ["20261121T000000Z-full", "20261122T000000Z-incr"],
        "bytes": 3 << 29,
        "server": "10.11.14-MariaDB",
        "ended": "20261122T000500Z",
        "lag": -1,
        "isolated": True,
        "mark": {"gtid": "0-1-120", "time": "2026-11-22T00:05:03Z", "reached": "0-1-120"},
        "tables": [table("shop.customers", 500), table("shop.orders", 20000), table("hr.people", 42)],
        "objects": {"views": [1, 1], "triggers": [0, 0], "routines": [2, 2], "accounts": [9, 9]},
        "end": {"gtid": "0-1-180", "archive": "20261122T020330Z"},
        "rpo": 90,
        "covered": "2026-11-22T02:03:30Z",
        "newest": {"订单": {"mark": "2026-11-22 08:05:01", "restored": "2026-11-22 10:03:29"}},
        "constraints": [{"name": "shop.orders_ibfk_1", "orphans": 0}],
        "smoke": [{"name": "有客户的订单", "found": "20000", "least": 1, "good": True}],
        **more,
    }


def files(**more: Any) -> dict[str, Any]:
    """Return what the agent tells of a set of files."""
    about = {"name": "app", "set": "20261122T001000Z-app", "listed": 7, "same": 6, "moving": 1}
    return {**about, "differ": [], "missing": [], **more}


def dump(name: str, **more: Any) -> dict[str, Any]:
    """Return what the agent tells of a dump that was loaded and compared."""
    about = {"name": name, "set": f"20261122T023000Z-{name}", "bytes": 3 << 20, "server": "7.0.15", "isolated": True}
    return {**about, "counted": 1200, "same": 1000, "differ": 0, "unsaid": 5, **more}


def proof(host: str = "db1", *found: tuple[str, str], **more: Any) -> RestoreRow:
    """Return the row of a host; with findings it is not proven."""
    values: dict[str, Any] = {
        "on": "verify1",
        "place": "offsite",
        "run": "20261122T020000Z-abcdef-0001",
        "proven": not found,
        "seconds": 45.0,
        "rto": 30.0,
        "rpo": 90,
        "findings": [{"code": code, "message": message} for code, message in found],
        "steps": STEPS,
        "database": database(),
        "files": [files()],
    }
    return RestoreRow(host=host, **values | more)


def write(
    root: Path,
    *rows: Row,
    hosts: Sequence[str] = ("db1",),
    messages: Mapping[str, str] | None = None,
    days: int = 0,
    end: bool = True,
    job: str = "restore_verify",
) -> Path:
    """Write a run and return its folder.

    Args:
        root: the folder ``records``.
        rows: of the run.
        hosts: that were to be proven.
        messages: why a host failed, by host.
        days: before ``DAY``.
        end: False for a run that was killed.
        job: name of the job.
    """
    moment = DAY - timedelta(days=days)
    with RecordWriter(root, "lab", job, now=lambda: moment) as record:
        targets = [{"name": name, "targets": ["linux"], "groups": []} for name in hosts]
        words: dict[str, Any] = {"operator": "张三@ops", "profile": "linux-l3", "level": 3, "hosts": targets}
        record.write(Begin(run=record.run, estate="lab", job=job, **words), *rows)
        if end:
            said = messages or {}
            states = {name: "failed" if name in said else "unchanged" for name in hosts}
            record.write(
                *(HostRow(host=name, state=state, message=said.get(name, "")) for name, state in states.items())
            )
            record.write(EndRow(counts={}, hosts={}, seconds=61.0, exit=2 if said else 0))
    return record.path
