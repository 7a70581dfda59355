"""What the daily check is told: what is in each repository, whether it is whole, and how the jobs have ended."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from . import book, dumps
from .errors import BackupError
from .restic import Repository
from .sets import chain, newest
from .settings import Settings


def look(settings: Settings, read: str) -> dict[str, Any]:
    """Return the facts of a host's backups; nothing is changed, and what cannot be read is said.

    Args:
        settings: of the host.
        read: share of the data that restic reads and checks, for example ``5%``; empty: only the structure.
    """
    return {
        "schema": 1,
        "host": settings.host,
        "now": f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        "database": settings.database is not None,
        "files": sorted(settings.files),
        "dumps": _dumps(settings),
        "jobs": {path.stem: _outcome(path) for path in sorted((settings.state / "status").glob("*.json"))},
        "timers": _timers(),
        "free": shutil.disk_usage(Path(settings.local.url)).free if Path(settings.local.url).is_dir() else 0,
        "places": [_place(Repository(place, settings.host), read) for place in settings.places],
    }


def _dumps(settings: Settings) -> list[str]:
    """Return the names of the dumps that are declared."""
    small = settings.logical.databases if settings.logical else ()
    return ([dumps.REDIS] if settings.redis else []) + [dumps.name_of(name) for name in small]


def _outcome(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {"ok": False, "code": "", "message": f"{path} 读不懂", "ended": ""}
    return {key: found.get(key, "") for key in ("ok", "code", "message", "ended")}


def _timers() -> dict[str, str]:
    """Return whether the timers run, by job."""
    out = {}
    for job in ("database", "binlog", "files", "dumps"):
        command = ["systemctl", "is-active", f"panshi-backup-{job}.timer"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        out[job] = done.stdout.strip()
    return out


def _place(repository: Repository, read: str) -> dict[str, Any]:
    about: dict[str, Any] = {"name": repository.place.name, "url": repository.place.url, "code": "", "message": ""}
    about.update(
        sets=[], logs="", files={}, dumps={}, damage="", chain="", key=_key(Path(repository.place.password_file))
    )
    try:
        if not repository.exists():
            return {**about, "code": "PS-E7413", "message": f"备份库 {repository.place.name} 不存在"}
        known = book.sets(repository)
        about["sets"] = [
            {"id": one.id, "ended": one.ended, "bytes": one.bytes, "full": one.full, "lag": one.lag}
            for one in sorted(known.values(), key=lambda one: one.id)
        ]
        about["logs"] = max((one.tag("set") for one in repository.snapshots(book.LOGS)), default="")
        for one in repository.snapshots(book.FILES):
            about["files"][one.tag("name")] = max(one.tag("set"), about["files"].get(one.tag("name"), ""))
        about["dumps"] = dumps.names(repository)
        if known:
            about["chain"] = _whole(repository, known)
        about["damage"] = repository.check(read=read)
    except BackupError as error:
        about.update(code=error.code, message=error.message)
    return about


def _whole(repository: Repository, known: Any) -> str:
    """Return what the newest set lacks, empty if nothing: every stream of its chain is there."""
    try:
        needed = chain(known, newest(known.values()).id)
        there = book.by_set(repository, book.STREAM)
        missing = [one.id for one in needed if one.id not in there]
        return f"缺少 {'、'.join(missing)} 的数据" if missing else ""
    except BackupError as error:
        return error.message


def _key(path: Path) -> str:
    """Return a fingerprint of the key on this host, to be held against the store's; no key leaves the host."""
    return hashlib.sha256(path.read_bytes().strip()).hexdigest()[:16] if path.is_file() else ""
