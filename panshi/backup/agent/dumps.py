"""Dumps: backups that need no other one, of a Redis or of a small database, each with what its source held."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any

from . import book
from .errors import BackupError
from .restic import Repository, Snapshot, document
from .sets import moment

STREAM, NOTE = "kind=dump", "kind=dump-note"
REDIS = "redis"


def name_of(database: str) -> str:
    """Return the name of the dumps of a small database."""
    return f"sql-{database}"


@dataclass(frozen=True)
class Dump:
    """A dump that was carried to its end.

    Args:
        id: ``YYYYMMDDTHHMMSSZ-<name>``: the second whose state it holds, UTC.
        name: ``redis``, or ``sql-<database>``.
        bytes: length of the stream.
        sha256: of the stream.
        server: version.
        mark: what the source held; its shape is that of the kind.
    """

    id: str
    name: str
    bytes: int
    sha256: str
    server: str
    mark: Mapping[str, Any]

    @property
    def time(self) -> dt.datetime:
        """The second whose state it holds."""
        return time_of(self.id)


def time_of(id: str) -> dt.datetime:
    """Return the time of a dump by its id."""
    return moment(id.partition("-")[0])


def save(repository: Repository, stream: IO[bytes], id: str) -> tuple[int, str]:
    """Save the stream of a dump; it counts once ``note`` was called. Returns its length and its SHA-256."""
    saved = repository.save_stream(stream, f"/panshi/dump/{id}", (STREAM, *_tags(id)))
    return saved.bytes, saved.sha256


def note(repository: Repository, dump: Dump) -> None:
    """Say that a dump is whole: from here on it counts."""
    repository.save_text(document(asdict(dump)), f"/panshi/dump/{dump.id}.json", (NOTE, *_tags(dump.id)))


def newest(repository: Repository, name: str, until: dt.datetime | None = None) -> tuple[Dump, Snapshot]:
    """Return the last dump of a name, and its stream.

    Args:
        repository: that holds it.
        name: of the dumps.
        until: the last that is older than this; None: the last one.

    Raises:
        BackupError: PS-E7430 there is none, PS-E7433 its note is none, PS-E7435 its stream is not there.
    """
    notes = {one.tag("set"): one for one in repository.snapshots(NOTE, f"name={name}")}
    fitting = [id for id in notes if until is None or time_of(id) < until]
    if not fitting:
        when = f" {until.astimezone():%Y-%m-%d %H:%M:%S} 之前" if until else ""
        raise BackupError("PS-E7430", f"备份库中没有{when}完整做完的 {name}", "先做一次备份；或用另一份副本")
    id = max(fitting)
    streams = repository.snapshots(STREAM, book.tag(id))
    if not streams:
        raise BackupError("PS-E7435", f"备份 {id} 的数据不在备份库 {repository.place.name} 中", "改用另一份副本")
    return _read(repository.text(notes[id]), id), streams[-1]


def names(repository: Repository) -> dict[str, str]:
    """Return the id of the newest whole dump by name."""
    found: dict[str, str] = {}
    for one in repository.snapshots(NOTE):
        found[one.tag("name")] = max(one.tag("set"), found.get(one.tag("name"), ""))
    return found


def _tags(id: str) -> tuple[str, str]:
    return f"name={id.partition('-')[2]}", book.tag(id)


def _read(text: str, id: str) -> Dump:
    try:
        return Dump(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise BackupError("PS-E7433", f"备份 {id} 的说明读不懂：{error}", "改用另一份副本") from error
