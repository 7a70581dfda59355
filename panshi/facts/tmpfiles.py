"""How long temporary files live: tmpfiles.d lines in force and file systems that forget (tmpfiles.d(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass

from panshi.facts.model import Facts, Item

# Strongest first: a file of the same name in an earlier folder hides the later one.
_FOLDERS = ("/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/lib/tmpfiles.d")
_HOURS = {"us": 0.0, "ms": 0.0, "s": 1 / 3600, "m": 1 / 60, "min": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}
# Types that create a directory and clean it by age.
_CLEANING = frozenset("dDqQvev")


@dataclass(frozen=True, slots=True)
class Age:
    """The line that decides for a directory.

    Args:
        days: age from which its content is removed; None when the line has no age.
        at_boot: whether the content is emptied at boot (type ``D``).
        place: file and line.
    """

    days: float | None
    at_boot: bool
    place: str


def age(facts: Facts, directory: str) -> Age | None:
    """Return the line for a directory: the first one in the order of file names, or None."""
    for item in _files(facts):
        for number, line in enumerate(item.out.splitlines(), 1):
            words = line.split()
            if len(words) > 1 and words[0][0] in _CLEANING and words[1].rstrip("/") == directory:
                days = _days(words[5]) if len(words) > 5 else None
                return Age(days, words[0].startswith("D"), f"{item.id[5:]} 第 {number} 行")
    return None


def forgets(facts: Facts, directory: str) -> bool:
    """Return whether the directory is a tmpfs of its own, empty after every boot."""
    rows = (line.split() for line in facts.out("fs.mounts").splitlines())
    return any(len(row) > 2 and row[1] == directory and row[2] == "tmpfs" for row in rows)


def _files(facts: Facts) -> list[Item]:
    by_name: dict[str, Item] = {}
    for folder in _FOLDERS:
        for item in facts.glob(f"{folder}/*.conf"):
            by_name.setdefault(item.id.rpartition("/")[2], item)
    return [by_name[name] for name in sorted(by_name)]


def _days(text: str) -> float | None:
    """Return days of ``10d``, ``1w12h``, ``~5d`` or ``amc:10d``; None for ``-``; a bare number is seconds."""
    value = text.rpartition(":")[2].lstrip("~")
    parts = re.findall(r"(\d+)([a-z]*)", value)
    if not parts:
        return None
    return sum(float(number) * _HOURS.get(unit or "s", 24.0) for number, unit in parts) / 24
