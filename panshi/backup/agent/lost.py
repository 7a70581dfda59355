"""What somebody has lost and wants back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from .scratch import Bounds


@dataclass(frozen=True)
class Lost:
    """What is wanted back.

    Args:
        database: name of a database; empty: something else is wanted.
        table: one table of it; empty: all.
        logical: the database comes from its own dump, not from the backup of the whole server.
        redis: the Redis is wanted.
        files: paths, of each of which the newest backup that is not later than ``at`` is taken.
        sets: names of whole sets of files, likewise.
        at: the state at the end of this second, ISO 8601 with a zone; empty: the newest that there is.
        into: database or folder that takes it; empty: a new one beside what is there.
        replace: in place, after what is there now was put aside.
        aside: folder for what was there.
        bounds: of the scratch server.
    """

    database: str
    table: str
    logical: bool
    redis: bool
    files: tuple[str, ...]
    sets: tuple[str, ...]
    at: str
    into: str
    replace: bool
    aside: Path
    bounds: Bounds

    @property
    def until(self) -> dt.datetime | None:
        """The end of the second that is wanted."""
        return dt.datetime.fromisoformat(self.at) + dt.timedelta(seconds=1) if self.at else None

    def beside(self, name: str) -> Path:
        """Return the folder beside everything that takes files of the restore of this name."""
        return Path(self.into) if self.into else self.aside.parent / "restored" / name
