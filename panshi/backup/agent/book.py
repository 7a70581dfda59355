"""What a repository holds of one host: the tags of a snapshot say what it is, and to which set it belongs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from .errors import BackupError
from .restic import Repository, Saved, Snapshot, document
from .sets import BackupSet, chain, moment, newest, read_set

STREAM, SET, LOGS, FILES = "kind=stream", "kind=set", "kind=binlog", "kind=files"


def tag(id: str) -> str:
    """Return the tag of a set."""
    return f"set={id}"


def by_set(repository: Repository, kind: str) -> dict[str, Snapshot]:
    """Return the snapshots of a kind by the set that they belong to; of several the last."""
    return {one.tag("set"): one for one in repository.snapshots(kind)}


def sets(repository: Repository) -> dict[str, BackupSet]:
    """Return all sets that were carried to their end."""
    return {name: set_of(repository, one) for name, one in by_set(repository, SET).items()}


def needed(repository: Repository, until: dt.datetime | None = None) -> list[BackupSet]:
    """Return the sets that a restore needs, the full one first; no others are read.

    Args:
        repository: that holds them.
        until: the last set that had ended by then; None: the last one.

    Raises:
        BackupError: PS-E7430 there is none, PS-E7431 one of the chain is missing, PS-E7433 one is no set.
    """
    notes = by_set(repository, SET)
    known: dict[str, BackupSet] = {}
    for id in sorted(notes, reverse=True):
        known[id] = set_of(repository, notes[id])
        if until is None or moment(known[id].ended) <= until:
            break
    last = newest(known.values(), until)
    base = last.base
    while base in notes and base not in known:
        known[base] = set_of(repository, notes[base])
        base = known[base].base
    return chain(known, last.id)


def set_of(repository: Repository, snapshot: Snapshot) -> BackupSet:
    """Return the set that a snapshot describes.

    Raises:
        BackupError: PS-E7433, it is not what was written.
    """
    return read_set(_json(repository.text(snapshot), snapshot))


def save_set(repository: Repository, one: BackupSet) -> None:
    """Say that a set is whole: from here on it counts."""
    repository.save_text(document(one.as_json()), f"/panshi/set/{one.id}.json", (SET, tag(one.id)))


def same(promised: Mapping[str, Any], found: Saved, what: str) -> None:
    """Hold what came out of a repository against what was put in.

    Raises:
        BackupError: PS-E7434, they differ.
    """
    if (found.bytes, found.sha256) != (promised["bytes"], promised["sha256"]):
        raise BackupError(
            "PS-E7434",
            f"{what} 与备份时不同：应有 {promised['bytes']} 字节，读出 {found.bytes} 字节，SHA-256 "
            + ("不符" if found.sha256 != promised["sha256"] else "相符"),
            "这份备份不可用：改用另一份副本，并查明损坏的原因",
        )


def _json(text: str, snapshot: Snapshot) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise BackupError("PS-E7433", f"备份说明 {snapshot.paths[0]} 读不懂：{error}", "改用另一份副本") from error
    assert isinstance(raw, dict)
    return raw


def ids(snapshots: list[Snapshot]) -> list[str]:
    """Return restic's ids."""
    return [one.id for one in snapshots]
