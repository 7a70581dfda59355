"""Files, programs and configurations: one restic snapshot per declared set, with a list of what it holds."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from . import book
from .restic import CHUNK, Repository
from .sets import named


@dataclass(frozen=True)
class Listed:
    """A regular file in a list: nanoseconds of its last change, bytes, SHA-256."""

    changed: int
    bytes: int
    sha256: str


def digest_of(path: Path) -> str:
    """Return a file's SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(CHUNK), b""):
            digest.update(piece)
    return digest.hexdigest()


def below(paths: Sequence[str], exclude: Sequence[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Give the regular files below paths, links not followed; what vanishes meanwhile is left out."""
    waiting = [Path(path) for path in paths]
    while waiting:
        path = waiting.pop()
        if any(fnmatch(str(path), pattern) or fnmatch(path.name, pattern) for pattern in exclude):
            continue
        with suppress(FileNotFoundError):
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode):
                waiting += path.iterdir()
            elif stat.S_ISREG(found.st_mode):
                yield str(path), found


def listing(paths: Sequence[str], exclude: Sequence[str]) -> dict[str, Listed]:
    """Return what is there, with hashes."""
    out = {}
    for name, found in below(paths, exclude):
        try:
            out[name] = Listed(found.st_mtime_ns, found.st_size, digest_of(Path(name)))
        except FileNotFoundError:
            continue
    return out


def back_up(
    repository: Repository, name: str, paths: list[str], exclude: Sequence[str], state: Path, now: dt.datetime
) -> str:
    """Save a set of files and its list; return the set's id.

    Raises:
        BackupError: PS-E7412 something could not be read; PS-E741x of the repository.
    """
    id = f"{named(now)}-{name}"
    path = state / "lists" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    there = [one for one in paths if os.path.lexists(one)]
    rows = {file: [one.changed, one.bytes, one.sha256] for file, one in listing(there, exclude).items()}
    path.write_text(json.dumps({"id": id, "paths": there, "files": rows}, ensure_ascii=False), encoding="utf-8")
    repository.save_paths([*there, str(path)], (book.FILES, f"name={name}", book.tag(id)), exclude)
    return id


@dataclass(frozen=True)
class Compared:
    """Restored files held against their list.

    Args:
        same: number of files whose content is that of the list.
        differ: paths of those whose content is another although the file says that it was not changed since.
        missing: paths that are not there.
        moving: number of files that were changed between list and backup: they say nothing.
    """

    same: int
    differ: tuple[str, ...]
    missing: tuple[str, ...]
    moving: int


def compare(root: Path, files: Mapping[str, Listed]) -> Compared:
    """Hold a restored tree against a list.

    Args:
        root: below which the files were restored.
        files: the list, by the path on the source.
    """
    same, moving, differ, missing = 0, 0, [], []
    for name, one in files.items():
        path = root / name.lstrip("/")
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            missing.append(name)
            continue
        if (found.st_mtime_ns, found.st_size) == (one.changed, one.bytes):
            if digest_of(path) == one.sha256:
                same += 1
            else:
                differ.append(name)
        elif found.st_mtime_ns > one.changed:
            moving += 1
        else:
            differ.append(name)
    return Compared(same, tuple(differ), tuple(missing), moving)
