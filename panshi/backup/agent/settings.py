"""What the role ``backup`` has written for this host (``/etc/panshi/backup.json``)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import BackupError

_NAME = re.compile(r"[\w.$-]+")
SETTINGS = Path("/etc/panshi/backup.json")


@dataclass(frozen=True)
class Place:
    """Where a repository is.

    Args:
        name: "local", or that of a copy.
        url: restic's.
        password_file: holds its key; the proof takes the key from the estate's store instead.
        options: restic's ``-o`` options.
    """

    name: str
    url: str
    password_file: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Keep:
    """How long backups are kept on this host.

    Args:
        days: all of them, and every binary log: a point in time can be restored this far back.
        weeks: days for which one full backup of a week is kept.
        months: number of months for which the first full backup of a month is kept.
        years: number of years for which the first full backup of a year is kept.
    """

    days: int = 7
    weeks: int = 30
    months: int = 12
    years: int = 3


@dataclass(frozen=True)
class Database:
    """The server on this host that is backed up.

    Args:
        client: options file for the account that backs up; empty: root by socket.
        full_days: days after which an incremental chain ends and a full backup begins anew.
        throttle: I/O operations per second that mariadb-backup may use, 0 for all.
        lag: seconds that a replica may be behind when it is backed up.
        expect: tables that must be there, by database.
        newest: for each name a query for the time of the newest business row.
        smoke: for each name a query and the least number that it must give.
    """

    client: str = ""
    full_days: int = 7
    throttle: int = 0
    lag: int = 300
    expect: Mapping[str, list[str]] = field(default_factory=dict)
    newest: Mapping[str, str] = field(default_factory=dict)
    smoke: Mapping[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Redis:
    """The Redis on this host that is backed up.

    Args:
        socket: its local socket; empty: the loopback address.
        port: where it listens there.
        user: account that backs up.
        password_file: holds its password; empty: it has none.
        sample: keys of each database whose content is held against the restored one.
        seconds: that a snapshot may take.
    """

    socket: str = ""
    port: int = 6379
    user: str = "default"
    password_file: str = ""
    sample: int = 1000
    seconds: int = 3600


@dataclass(frozen=True)
class Logical:
    """Small databases on this host, of which dumps are made.

    Args:
        databases: their names.
        client: options file for the account that backs up; empty: root by socket.
    """

    databases: tuple[str, ...]
    client: str = ""


@dataclass(frozen=True)
class Settings:
    """All of a host.

    Args:
        host: its name in the inventory, restic's host name.
        places: repositories, the first of which is on this host.
        state: folder for the state of jobs.
        scratch: folder for restores.
        database: None without one.
        files: paths by name of a set of files.
        exclude: patterns that are left out of files.
        keep: how long.
        free: bytes that must stay free where the repository is.
        redis: None without one.
        logical: None without any.
    """

    host: str
    places: tuple[Place, ...]
    state: Path
    scratch: Path
    database: Database | None
    files: Mapping[str, list[str]]
    exclude: tuple[str, ...]
    keep: Keep
    free: int
    redis: Redis | None = None
    logical: Logical | None = None

    @property
    def local(self) -> Place:
        """The repository on this host."""
        return self.places[0]


def load(path: Path = SETTINGS) -> Settings:
    """Read the settings.

    Args:
        path: of the file.

    Raises:
        BackupError: PS-E7400, it is missing or not what the role writes.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        database, redis, logical = (raw.get(name) for name in ("database", "redis", "logical"))
        return Settings(
            host=raw["host"],
            places=tuple(Place(**{**one, "options": tuple(one.get("options", ()))}) for one in raw["places"]),
            state=Path(raw["state"]),
            scratch=Path(raw["scratch"]),
            database=None if database is None else Database(**database),
            files=_listed(raw["files"]),
            exclude=tuple(raw["exclude"]),
            keep=Keep(**raw["keep"]),
            free=int(raw["free"]),
            redis=None if redis is None else Redis(**redis),
            logical=None if logical is None else _logical(logical),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "改正清单中的 backup_*，用 playbooks/backup.yml 重新部署"
        raise BackupError("PS-E7400", f"读不了 {path}：{error!r}"[:300], hint) from error


def _listed(files: Mapping[str, Any]) -> dict[str, list[str]]:
    """A path that stands alone would be taken for a list of its letters, the first of which is all of the host."""
    for name, paths in files.items():
        if not isinstance(paths, list):
            raise TypeError(f"files.{name} 须是路径的列表")
    return dict(files)


def _logical(raw: Mapping[str, Any]) -> Logical:
    """A name is a tag of restic as well, which takes a comma for the end of one."""
    found = Logical(**{**raw, "databases": tuple(raw["databases"])})
    for name in found.databases:
        if not _NAME.fullmatch(name):
            raise ValueError(f"logical.databases 中的 {name} 不能备份：名称须由字母、数字、_、-、. 组成")
    return found
