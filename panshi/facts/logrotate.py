"""logrotate resolved per log file: after how many days is an entry gone?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from panshi.facts.model import Facts

MAIN_FILE = "/etc/logrotate.conf"
# Shortest calendar length of each period, in days.
_PERIODS = {"hourly": 1 / 24, "daily": 1, "weekly": 7, "monthly": 30, "yearly": 365}
_SCRIPTS = frozenset({"prerotate", "postrotate", "firstaction", "lastaction", "preremove"})
# Files that logrotate passes over in an included directory (built-in tabooext).
_TABOO = (
    *(".bak", ".cfsaved", ".disabled", ".dpkg-bak", ".dpkg-del", ".dpkg-dist", ".dpkg-new", ".dpkg-old", ".dpkg-tmp"),
    *(".rpmnew", ".rpmorig", ".rpmsave", ".swp", ".ucf-dist", ".ucf-new", ".ucf-old", ",v", "~"),
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """The values that hold for one log file.

    Args:
        source: file and line of the block that names the log.
        period: hourly, daily, weekly, monthly, yearly, or "" when only the size decides.
        rotate: how many old files stay; -1 for all.
        maxage: days after which an old file is removed; 0 for never.
        size: text of ``size`` when it alone decides.
        maxsize: text of ``maxsize``: a busy day then shortens the time kept.
        create_mode: permissions of the new file, as octal text; "" when not set.
    """

    source: str = ""
    period: str = ""
    rotate: int = 0
    maxage: int = 0
    size: str = ""
    maxsize: str = ""
    create_mode: str = ""

    @property
    def days(self) -> int | None:
        """Return the days that an entry is kept for certain, None when only the amount of logging decides."""
        if self.rotate == -1:
            return self.maxage or 10**6
        if not self.period:
            return None
        kept = int(_PERIODS[self.period] * self.rotate)
        return min(kept, self.maxage) if self.maxage else kept

    @property
    def text(self) -> str:
        """Return the values in one short line."""
        words = [self.period or f"size {self.size}", f"rotate {self.rotate}"]
        words += [f"maxage {self.maxage}"] if self.maxage else []
        words += [f"maxsize {self.maxsize}"] if self.maxsize else []
        return " ".join(words)


def blocks(facts: Facts) -> list[tuple[tuple[str, ...], Rotation]]:
    """Return every block: the patterns of its log files, and the values in force there.

    Raises:
        FactMissing: when /etc/logrotate.conf was never looked for.
    """
    main = facts.file(MAIN_FILE)
    return list(_read(facts, main.out, MAIN_FILE, Rotation())) if main else []


def rotation_of(facts: Facts, log: str) -> Rotation | None:
    """Return the values for a log file, None when no block names it.

    Args:
        facts: the host.
        log: absolute path.
    """
    return next((r for patterns, r in blocks(facts) if any(fnmatchcase(log, p) for p in patterns)), None)


def _read(facts: Facts, text: str, path: str, start: Rotation) -> Iterator[tuple[tuple[str, ...], Rotation]]:
    """Yield the blocks of one file; global values hold from their line on, and in included files."""
    values, block, names = start, start, ""
    inside = script = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        word = line.split(None, 1)[0] if line else ""
        if script:
            script = word != "endscript"
        elif not line or line.startswith("#"):
            continue
        elif inside and word == "}":
            inside = False
            yield _patterns(names), block
            names = ""
        elif inside:
            script = word in _SCRIPTS
            block = _apply(block, line)
        elif word == "include":
            for item in _included(facts, line.split(None, 1)[1].strip()):
                yield from _read(facts, item[1], item[0], values)
        elif line.startswith(("/", '"', "'", "{")) or names:
            named, opens, rest = line.partition("{")
            names += " " + named
            if opens:
                inside = True
                block = _apply(replace(values, source=f"{path} 第 {number} 行"), rest)
        else:
            values = _apply(values, line)


def _apply(values: Rotation, line: str) -> Rotation:
    words = line.split("#", 1)[0].replace("=", " ").split()
    if not words:
        return values
    name, given = words[0].lower(), words[1] if len(words) > 1 else ""
    if name in _PERIODS:
        return replace(values, period=name, size="")
    if name == "size":
        return replace(values, period="", size=given)
    if name == "maxsize":
        return replace(values, maxsize=given)
    if name in ("rotate", "maxage") and re.fullmatch(r"-?\d+", given):
        return replace(values, rotate=int(given)) if name == "rotate" else replace(values, maxage=int(given))
    if name == "create" and re.fullmatch(r"[0-7]{3,4}", given):
        return replace(values, create_mode=given)
    return values


def _patterns(names: str) -> tuple[str, ...]:
    return tuple(a or b or c for a, b, c in re.findall(r"\"([^\"]*)\"|'([^']*)'|([^\s\"']+)", names))


def _included(facts: Facts, target: str) -> list[tuple[str, str]]:
    found = facts.glob(target) or facts.glob(f"{target.rstrip('/')}/*")
    paths = [(item.id.removeprefix("file:"), item.out) for item in found if item.ok]
    return [(path, text) for path, text in paths if not path.endswith(_TABOO)]
