"""Questions to a configuration tree: which lines stand in a section, which sections there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Section:
    """A line of a configuration with the lines below it.

    Args:
        line: as the device shows it, without indentation; "" for the whole configuration.
        children: in the order of the configuration.
    """

    line: str
    children: tuple[Section, ...] = ()

    def first(self, pattern: str) -> re.Match[str] | None:
        """Return the first direct line that begins with a pattern."""
        return next(self._matches(pattern), None)

    def all(self, pattern: str) -> list[re.Match[str]]:
        """Return the direct lines that begin with a pattern."""
        return list(self._matches(pattern))

    def last(self, pattern: str) -> re.Match[str] | None:
        """Return the last direct line that begins with a pattern: of several, a device obeys that one."""
        found = self.all(pattern)
        return found[-1] if found else None

    def has(self, pattern: str) -> bool:
        """Return whether a direct line begins with a pattern."""
        return self.first(pattern) is not None

    def sections(self, pattern: str) -> list[tuple[re.Match[str], Section]]:
        """Return the direct sections whose head begins with a pattern, with the match."""
        return [(found, child) for child in self.children if (found := re.match(pattern, child.line))]

    def _matches(self, pattern: str) -> Iterator[re.Match[str]]:
        for child in self.children:
            if found := re.match(pattern, child.line):
                yield found


@lru_cache(maxsize=4)
def read(text: str) -> Section:
    """Return the tree of a configuration text.

    Args:
        text: as the device printed it; separators (``#``, ``!``) carry no meaning.
    """
    stack: list[tuple[int, str, list[Section]]] = [(-1, "", [])]
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line[0] in "#!":
            continue
        depth = len(raw) - len(raw.lstrip())
        while stack[-1][0] >= depth:
            _close(stack)
        stack.append((depth, line, []))
    while len(stack) > 1:
        _close(stack)
    return Section("", tuple(stack[0][2]))


def _close(stack: list[tuple[int, str, list[Section]]]) -> None:
    _, line, children = stack.pop()
    stack[-1][2].append(Section(line, tuple(children)))
