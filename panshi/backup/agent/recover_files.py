"""Brings files back: paths that somebody names, or all that was declared of a host."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import book
from .dumps import time_of
from .errors import BackupError, last_line
from .files import digest_of
from .lost import Lost
from .restic import Repository, Snapshot


def recover(repository: Repository, lost: Lost, folder: Path, say: Callable[[str], object]) -> dict[str, Any]:
    """Bring them back, and compare what has arrived with what was restored.

    Args:
        repository: that holds them.
        lost: what.
        folder: of this restore.
        say: is told what is being done.

    Raises:
        BackupError: PS-E7430 a path is in no backup; PS-E7472 it was not there; PS-E7473, with where the former state
            lies.
    """
    chosen = choose(repository.snapshots(book.FILES), lost)
    got = folder / "files"
    for snapshot, paths in chosen:
        say(f"取回 {snapshot.tag('set')}")
        repository.restore(snapshot, got, include=paths)
    wanted = [path for _, paths in chosen for path in paths]
    missing = [path for path in wanted if not os.path.lexists(got / path.lstrip("/"))]
    arrived = [path for path in got.rglob("*") if path.is_file() and not path.is_symlink()]
    if missing or not arrived:
        raise BackupError("PS-E7472", f"那个时候没有 {'、'.join(missing or wanted)}", "核对路径与时间")
    root = Path("/") if lost.replace else lost.beside(folder.name)
    aside = _put_aside(wanted, lost.aside / folder.name, say) if lost.replace else ""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    say(f"写入 {root}（{len(arrived)} 个文件）")
    for path in wanted:
        # What leads to it keeps its own owner and mode: of these folders only the names are in the backup.
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        _copied(str(got / path.lstrip("/")), place, aside or "原处")
    rows = []
    for file in arrived:
        name = file.relative_to(got)
        if digest_of(root / name) != digest_of(file):
            raise BackupError("PS-E7473", f"写入 {root / name} 后内容不同", f"先前的内容在 {aside or '原处'}")
        rows.append({"name": f"/{name}", "rows": file.stat().st_size, "check": digest_of(file)})
    return {
        "what": "、".join(wanted),
        "into": str(root),
        "set": "、".join(snapshot.tag("set") for snapshot, _ in chosen),
        "gtid": "",
        "aside": aside,
        "rows": rows,
    }


def choose(snapshots: Sequence[Snapshot], lost: Lost) -> list[tuple[Snapshot, list[str]]]:
    """Return the snapshots that are needed, the oldest first, and what is wanted of each.

    Args:
        snapshots: of files.
        lost: paths, or whole sets.

    Raises:
        BackupError: PS-E7430, a path or a set is in none of them.
    """
    fitting = [one for one in snapshots if lost.until is None or time_of(one.tag("set")) < lost.until]
    chosen: dict[str, tuple[Snapshot, list[str]]] = {}
    for name in lost.sets:
        last = _last([one for one in fitting if one.tag("name") == name], name)
        # The list of a set is kept beside what it lists.
        chosen[last.id] = (last, [path for path in last.paths if not path.endswith(f"/lists/{name}.json")])
    for path in lost.files:
        last = _last([one for one in fitting if any(_within(path, kept) for kept in one.paths)], path)
        chosen.setdefault(last.id, (last, []))[1].append(path)
    return sorted(chosen.values(), key=lambda pair: pair[0].tag("set"))


def _last(snapshots: Sequence[Snapshot], what: str) -> Snapshot:
    if not snapshots:
        raise BackupError("PS-E7430", f"没有 {what} 的备份", "核对路径与时间；或用另一份副本")
    return max(snapshots, key=lambda one: one.tag("set"))


def _within(path: str, kept: str) -> bool:
    return path == kept or path.startswith(f"{kept.rstrip('/')}/")


def _put_aside(paths: Sequence[str], aside: Path, say: Callable[[str], object]) -> str:
    """Copy what is there now, and return where it lies, empty where nothing was there."""
    for path in paths:
        if os.path.lexists(path):
            say(f"把现有的 {path} 另存")
            kept = aside / path.lstrip("/")
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _copied(path, kept, "原处")
    return str(aside) if aside.exists() else ""


def _copied(source: str, target: Path, former: str) -> None:
    """Copy a file or a folder with everything that belongs to it.

    Raises:
        BackupError: PS-E7473, with where what was there before lies.
    """
    done = subprocess.run(["cp", "-a", "-T", "--", source, str(target)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError("PS-E7473", f"写入 {target} 失败：{last_line(done.stderr)}", f"先前的内容在 {former}")
