"""What AIDE watches: the selection lines of its configuration, resolved through includes (aide.conf(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from panshi.facts.model import Facts

CONFIGS = ("/etc/aide.conf", "/etc/aide/aide.conf")
_INCLUDE = re.compile(r"@@(x_)?include(_dir)?\s+(?P<path>\S+)(\s+(?P<pattern>\S+))?")
_DEFINE = re.compile(r"@@define\s+(\w+)\s+(.*)")
_SELECTION = re.compile(r"(?P<sign>[!=-]?)(?P<regex>/\S*)(\s+(?P<rest>.*))?$")


# AIDE's expressions are PCRE2 with POSIX classes, which Python's re does not know.
_CLASSES = {
    "[:alnum:]": "a-zA-Z0-9",
    "[:alpha:]": "a-zA-Z",
    "[:digit:]": "0-9",
    "[:xdigit:]": "0-9a-fA-F",
    "[:lower:]": "a-z",
    "[:upper:]": "A-Z",
    "[:space:]": r"\s",
    "[:punct:]": r"!-/:-@\[-`{-~",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """One selection line.

    Args:
        sign: "" for a path and all below, ``=`` for the path itself, ``!`` for an exclusion (``-`` without recursion).
        pattern: the expression, matched from the start of the path; None for one that Python cannot read.
    """

    sign: str
    pattern: re.Pattern[str] | None

    @classmethod
    def read(cls, sign: str, regex: str) -> Selection:
        """Return the selection of an expression as it stands in the configuration."""
        for name, members in _CLASSES.items():
            regex = regex.replace(name, members)
        try:
            return cls(sign, re.compile(regex))
        except re.error:
            return cls(sign, None)

    def covers(self, path: str) -> bool:
        """Return whether the line alone selects a path; only its start is anchored: ``/etc`` selects /etc/passwd."""
        if self.pattern is None:
            return False
        return (self.pattern.fullmatch(path) if self.sign == "=" else self.pattern.match(path)) is not None


def selections(facts: Facts) -> tuple[list[Selection], list[str]]:
    """Return the selection lines in force, and the includes that could not be followed."""
    found: list[Selection] = []
    unread: list[str] = []
    for config in CONFIGS:
        if facts.glob(config):
            for line in _lines(facts, config, {}, unread, 0):
                match = _SELECTION.match(line)
                # a path with a rule behind it; an exclusion stands alone
                if match is not None and (match["rest"] or match["sign"] in ("!", "-")):
                    found.append(Selection.read(match["sign"], match["regex"]))
    return found, unread


def covered(lines: list[Selection], path: str) -> bool:
    """Return whether a path is watched: selected by some line and excluded by none (an exclusion always wins)."""
    chosen = any(line.covers(path) for line in lines if line.sign in ("", "="))
    return chosen and not any(line.covers(path) for line in lines if line.sign in ("!", "-"))


def _lines(facts: Facts, path: str, names: dict[str, str], unread: list[str], depth: int) -> Iterator[str]:
    for item in facts.glob(path):
        for raw in item.out.splitlines():
            line = raw.strip()
            for name, value in names.items():
                line = line.replace(f"@@{{{name}}}", value)
            define = _DEFINE.match(line)
            include = _INCLUDE.match(line)
            if define is not None:
                names[define[1]] = define[2].strip()
            elif include is not None:
                targets = _targets(facts, include["path"], include["pattern"])
                if not targets or depth > 8:
                    unread.append(include["path"])
                for target in targets if depth <= 8 else []:
                    yield from _lines(facts, target, names, unread, depth + 1)
            elif line and not line.startswith(("#", "@@")):
                yield line


def _targets(facts: Facts, path: str, pattern: str | None) -> list[str]:
    if pattern is None:
        return [item.id[5:] for item in facts.glob(path)]
    inside = [item.id[5:] for item in facts.glob(f"{path}/*")]
    return [name for name in inside if re.search(pattern, name.rpartition("/")[2])]
