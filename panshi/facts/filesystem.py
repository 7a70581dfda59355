"""File modes: what one bounded walk of the root file systems found, and comparisons of permissions."""

from __future__ import annotations

from dataclasses import dataclass

from panshi.facts.model import Facts, Item


@dataclass(frozen=True, slots=True)
class Found:
    """One file or directory that the walk reported.

    Args:
        kind: suid, sgid, ww_file, ww_dir, unowned, rhosts, etc_wide or exec_wide (``docs/design.md``).
        mode: permission bits including set-id and sticky.
        owner: user name or number.
        group: group name or number.
        path: absolute path.
    """

    kind: str
    mode: int
    owner: str
    group: str
    path: str

    @property
    def text(self) -> str:
        """Path with mode and owner, for the column of what was seen."""
        return f"{self.path}（{self.mode:04o} {self.owner}:{self.group}）"


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of the walk; ``truncated`` names the kinds of which more exist than are listed."""

    found: tuple[Found, ...]
    truncated: frozenset[str]

    def of(self, *kinds: str) -> tuple[Found, ...]:
        """Return what was found of the given kinds, each path once, sorted by path."""
        by_path = {found.path: found for found in self.found if found.kind in kinds}
        return tuple(by_path[path] for path in sorted(by_path))

    def cut(self, *kinds: str) -> bool:
        """Return whether one of the kinds is incomplete."""
        return bool(self.truncated & set(kinds))


def parse_scan(text: str) -> Scan:
    """Parse the lines ``kind mode owner group path`` and ``truncated kind``."""
    found, truncated = [], set()
    for line in text.splitlines():
        fields = line.split(" ", 4)
        if fields[0] == "truncated" and len(fields) > 1:
            truncated.add(fields[1])
        elif len(fields) == 5:
            kind, mode, owner, group, path = fields
            found.append(Found(kind, int(mode, 8), owner, group, path))
    return Scan(tuple(found), frozenset(truncated))


def scan(facts: Facts) -> Scan:
    """Return the result of the walk.

    Raises:
        FactMissing: when the walk was not done or not finished.
    """
    return parse_scan(facts.out("fs.scan"))


def within(mode: int, limit: int) -> bool:
    """Return whether a mode grants nothing that the limit does not grant; tighter modes are fine."""
    return mode & ~limit & 0o7777 == 0


def mode_of(item: Item) -> int:
    """Return the permission bits of a file item."""
    return int(str(item.stat["mode"]), 8)


def describe(item: Item) -> str:
    """Return path, mode and owner of a file item, as a person reads them in ``stat``."""
    return f"{item.id[5:]}（{mode_of(item):04o} {item.stat['owner']}:{item.stat['group']}）"
