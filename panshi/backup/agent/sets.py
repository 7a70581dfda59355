"""The chain of a database's backups: what each set says of itself, which a restore needs, which are kept. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .errors import BackupError
from .mark import Mark, read_mark
from .settings import Keep

FORMAT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class BackupSet:
    """A full or incremental backup that was carried to its end; kept in the repository beside its stream.

    Args:
        id: ``YYYYMMDDTHHMMSSZ-full`` or ``-incr``: when it began, UTC.
        base: the set that an incremental one goes on from, empty for a full one.
        from_lsn: of the stream.
        to_lsn: of the stream.
        ended: moment to which it restores, UTC, as ``id`` gives times.
        gtid: position to which it restores.
        bytes: length of the stream.
        sha256: of the stream.
        server: version.
        lag: seconds that a replica was behind, -1 on a primary.
        mark: what the database held shortly afterwards.
    """

    id: str
    base: str
    from_lsn: int
    to_lsn: int
    ended: str
    gtid: str
    bytes: int
    sha256: str
    server: str
    lag: int
    mark: Mark

    @property
    def full(self) -> bool:
        """Whether it needs no other one."""
        return not self.base

    @property
    def began(self) -> dt.datetime:
        """When it began."""
        return moment(self.id.partition("-")[0])

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class Logs:
    """Binary logs that were archived together.

    Args:
        id: when, UTC.
        files: name, bytes and SHA-256 of each, in their order.
        gtid: position at their end.
    """

    id: str
    files: tuple[tuple[str, int, str], ...]
    gtid: str

    @property
    def time(self) -> dt.datetime:
        """When the last of them was closed."""
        return moment(self.id)


def moment(text: str) -> dt.datetime:
    """Return the time of an id."""
    return dt.datetime.strptime(text, FORMAT).replace(tzinfo=dt.timezone.utc)


def named(time: dt.datetime) -> str:
    """Return a time as ids have it."""
    return time.astimezone(dt.timezone.utc).strftime(FORMAT)


def read_set(raw: Mapping[str, Any]) -> BackupSet:
    """Return the set that ``as_json`` gave."""
    return BackupSet(**{**raw, "mark": read_mark(raw["mark"])})


def read_logs(raw: Mapping[str, Any]) -> Logs:
    """Return the logs that JSON gave."""
    return Logs(raw["id"], tuple((name, size, digest) for name, size, digest in raw["files"]), raw["gtid"])


def chain(known: Mapping[str, BackupSet], last: str) -> list[BackupSet]:
    """Return the sets that a restore of ``last`` needs, the full one first.

    Raises:
        BackupError: PS-E7431, one of them is missing or does not go on where its base ended.
    """
    out: list[BackupSet] = []
    name = last
    while name:
        one = known.get(name)
        if one is None:
            raise BackupError("PS-E7431", f"缺少备份 {name}，{last} 不能恢复", "用另一份副本，或改用更早的完整备份")
        if out and out[0].from_lsn != one.to_lsn:
            raise BackupError(
                "PS-E7431", f"备份 {out[0].id} 不是接着 {name} 做的", "用另一份副本，或改用更早的完整备份"
            )
        out.insert(0, one)
        name = one.base
    return out


def newest(known: Iterable[BackupSet], until: dt.datetime | None = None) -> BackupSet:
    """Return the last set, or the last one that ended by a time.

    Raises:
        BackupError: PS-E7430, there is none.
    """
    fitting = [one for one in known if until is None or moment(one.ended) <= until]
    if not fitting:
        when = f" {until.astimezone():%Y-%m-%d %H:%M:%S} 之前" if until else ""
        raise BackupError("PS-E7430", f"备份库中没有{when}完整做完的数据库备份", "先做一次完整备份；或用另一份副本")
    return max(fitting, key=lambda one: (one.ended, one.id))


def following(logs: Sequence[Logs], gtid: str) -> list[tuple[str, str]]:
    """Return archive id and name of each binary log in the server's order, without a gap.

    Args:
        logs: all archives.
        gtid: position from which they are wanted, for the message.

    Raises:
        BackupError: PS-E7432, one is missing in the middle.
    """
    first: dict[str, str] = {}
    for one in sorted(logs, key=lambda one: one.id):
        for name, _, _ in one.files:
            first.setdefault(name, one.id)
    files = [(id, name) for name, id in first.items()]
    for (_, before), (_, after) in zip(files, files[1:]):
        if number(after) != number(before) + 1:
            raise BackupError(
                "PS-E7432",
                f"二进制日志在 {before} 与 {after} 之间缺失，{gtid} 之后不能恢复到时间点",
                "用另一份副本；然后立即做一次完整备份",
            )
    return files


def number(name: str) -> int:
    """Return the number of a binary log."""
    return int(name.rpartition(".")[2])


def kept(sets: Sequence[BackupSet], now: dt.datetime, keep: Keep) -> set[str]:
    """Return the ids of the sets that are kept, with everything that they need.

    The newest set is always kept, whatever its age: a host whose backups have stopped keeps its last one. So is the
    last one that had ended ``keep.days`` ago: the seconds after that are restored from it.

    Args:
        sets: all.
        now: the present.
        keep: how long.
    """
    wanted: set[str] = {max(sets, key=lambda one: one.ended).id} if sets else set()
    wanted |= {one.id for one in sets if now - one.began <= dt.timedelta(days=keep.days)}
    wanted |= {one.id for one in _before(sets, now - dt.timedelta(days=keep.days))}
    fulls = sorted((one for one in sets if one.full), key=lambda one: one.id)
    wanted |= _first_of(fulls, "%G-%V", lambda one: now - one.began <= dt.timedelta(days=keep.weeks))
    wanted |= _first_of(fulls, "%Y-%m", lambda one: _months(one.began, now) < keep.months)
    wanted |= _first_of(fulls, "%Y", lambda one: now.year - one.began.year < keep.years)
    bases = {one.id: one.base for one in sets}
    for name in list(wanted):
        while bases.get(name):
            name = bases[name]
            wanted.add(name)
    return wanted & bases.keys()


def _before(sets: Iterable[BackupSet], time: dt.datetime) -> list[BackupSet]:
    """Return the last set that had ended by a time, from which the next second can be restored; none without one."""
    ended = [one for one in sets if moment(one.ended) <= time]
    return [max(ended, key=lambda one: one.ended)] if ended else []


def _first_of(fulls: Sequence[BackupSet], period: str, within: Any) -> set[str]:
    first: dict[str, str] = {}
    for one in fulls:
        if within(one):
            first.setdefault(one.began.strftime(period), one.id)
    return set(first.values())


def _months(then: dt.datetime, now: dt.datetime) -> int:
    return (now.year - then.year) * 12 + now.month - then.month


def logs_kept(logs: Sequence[Logs], sets: Sequence[BackupSet], now: dt.datetime, keep: Keep) -> set[str]:
    """Return the ids of the archives of binary logs that are kept.

    All from the oldest set on from which a point in time within ``keep.days`` could be restored: the last set that had
    ended by then.

    Args:
        logs: all.
        sets: those that are kept.
        now: the present.
        keep: how long.
    """
    horizon = now - dt.timedelta(days=keep.days)
    start = min([horizon, *(one.began for one in _before(sets, horizon))])
    return {one.id for one in logs if one.time >= start}
