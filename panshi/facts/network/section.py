"""Questions to a configuration tree: which lines stand in a section, which sections there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from panshi.errors import PanshiError
from panshi.facts.model import FactMissing
from panshi.network.config import Node, is_whole, parse


@dataclass(frozen=True, slots=True)
class Section:
    """A line of a configuration with the lines below it.

    Args:
        node: of the tree.
    """

    node: Node = Node("")

    @property
    def line(self) -> str:
        """Return the head of the section, "" for the whole configuration."""
        return self.node.line

    def all(self, pattern: str) -> list[re.Match[str]]:
        """Return the direct lines that begin with a pattern."""
        return [found for child in self.node.children if (found := re.match(pattern, child.line))]

    def first(self, pattern: str) -> re.Match[str] | None:
        """Return the first direct line that begins with a pattern."""
        return next(iter(self.all(pattern)), None)

    def last(self, pattern: str) -> re.Match[str] | None:
        """Return the last direct line that begins with a pattern: of several, a device obeys that one."""
        return next(reversed(self.all(pattern)), None)

    def has(self, pattern: str) -> bool:
        """Return whether a direct line begins with a pattern."""
        return bool(self.all(pattern))

    def sections(self, pattern: str) -> list[tuple[re.Match[str], Section]]:
        """Return the direct sections whose head begins with a pattern, with the match."""
        return [(found, Section(child)) for child in self.node.children if (found := re.match(pattern, child.line))]


@lru_cache(maxsize=4)
def read(text: str, platform: str) -> Section:
    """Return the tree of a whole configuration.

    Args:
        text: as the device printed it.
        platform: name of a rule book.

    Raises:
        FactMissing: when it does not reach its end, or something strange is mixed into it: absence proves nothing.
    """
    if not is_whole(text, platform):
        raise FactMissing("运行配置不完整：没有读到结尾")
    try:
        return Section(parse(text, platform))
    except PanshiError as error:
        raise FactMissing(error.message) from error
