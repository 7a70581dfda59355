"""The log files on disk: who may read them, since when they are written, how far back they reach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from panshi.facts.model import Facts


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file below /var/log.

    Args:
        path: absolute.
        mode: permission bits.
        owner: name.
        group: name.
        size: bytes.
        mtime: unix seconds of the last write.
    """

    path: str
    mode: int
    owner: str
    group: str
    size: int
    mtime: int

    @property
    def text(self) -> str:
        """Return path, mode and owner as ``stat`` shows them."""
        return f"{self.path} {self.mode:04o} {self.owner}:{self.group}"


def parse_stat(text: str) -> list[LogFile]:
    """Parse item ``log.stat``: ``mode owner group size mtime path`` per line."""
    found = []
    for line in text.splitlines():
        words = line.split(None, 5)
        if len(words) == 6 and words[5].startswith("/"):
            mode, owner, group, size, mtime, path = words
            found.append(LogFile(path, int(mode, 8), owner, group, int(size), int(float(mtime))))
    return found


def files(facts: Facts) -> dict[str, LogFile]:
    """Return the files below /var/log by path.

    Raises:
        FactMissing: when they were not listed.
    """
    return {found.path: found for found in parse_stat(facts.out("log.stat"))}


def matching(facts: Facts, patterns: list[str]) -> list[LogFile]:
    """Return the log files that match one of the paths or shell patterns, sorted by path."""
    found = files(facts)
    return [found[path] for path in sorted(found) if any(fnmatchcase(path, pattern) for pattern in patterns)]


def collected_at(facts: Facts) -> float:
    """Return when the host was read, in unix seconds (the record's clock, never that of this machine)."""
    return datetime.fromisoformat(str(facts.document["started"])).timestamp()
