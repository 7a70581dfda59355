"""The configuration of an emulated device: blocks of lines, shown in the device's order. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Rank = tuple[int, tuple[tuple[int, int, str], ...]]


@dataclass
class Node:
    """A line, and the block below it.

    Attributes:
        line: as it is shown.
        key: what identifies it among its siblings.
        view: the view that it opens; empty: it opens none.
        suffix: what the prompt adds within it.
        rank: its place when shown; equal ones stay in the order of typing.
        names: values that its block needs, as the user whose password follows.
        aliases: other ways to name it.
        login: user and password hash that it holds.
        hidden_empty: not shown while it has no content.
    """

    line: str = ""
    key: str = ""
    view: str = ""
    suffix: str = ""
    rank: Rank = (-1, ())
    names: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    login: tuple[str, str] | None = None
    hidden_empty: bool = False
    children: dict[str, Node] = field(default_factory=dict)

    def copy(self) -> Node:
        """Return a copy that shares nothing that changes."""
        twin = Node(**{**self.__dict__, "children": {}})
        twin.children = {key: child.copy() for key, child in self.children.items()}
        return twin

    def shown(self) -> list[Node]:
        """Return the children in the order of display."""
        return sorted(
            (child for child in self.children.values() if child.children or not child.hidden_empty),
            key=lambda child: child.rank,
        )

    def walk(self) -> Iterator[Node]:
        """Return every node below."""
        for child in self.children.values():
            yield child
            yield from child.walk()


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts ``vlan 9`` before ``vlan 10``."""
    parts = re.split(r"(\d+)", text)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part)


def lines_of(node: Node, depth: int = 0) -> list[str]:
    """Return the lines of a block, indented by one space a level."""
    lines: list[str] = []
    for child in node.shown():
        lines.append(" " * depth + child.line)
        lines += lines_of(child, depth + 1)
    return lines


def body_of(root: Node, separator: str, indent_top: str = "") -> list[str]:
    """Return the lines of a whole configuration, related ones between separators.

    Args:
        root: the configuration.
        separator: ``#`` or ``!``.
        indent_top: what stands before a line of the uppermost level that opens no block.
    """
    lines = [separator]
    group = ""
    for child in root.shown():
        word = "" if child.view else child.line.split()[0]
        if lines[-1] != separator and (not word or word != group):
            lines.append(separator)
        group = word
        lines.append(child.line if child.view else indent_top + child.line)
        lines += lines_of(child, 1)
        if child.view:
            lines.append(separator)
    return lines if lines[-1] == separator else [*lines, separator]


def numbers_of(text: str, style: str) -> set[int] | None:
    """Read ``10 20 to 30`` (spaced) or ``10,20-30`` (comma); None: it is neither."""
    if style == "comma":
        pieces = [piece.strip().partition("-") for piece in text.split(",")]
    else:
        pieces = [piece.partition(" ") for piece in re.sub(r"(\d+)\s+to\s+(\d+)", r"\1-\2", text).split()]
        pieces = [first.partition("-") for first, _, _ in pieces]
    numbers: set[int] = set()
    for low, dash, high in pieces:
        if not low.isdigit() or (dash and not high.isdigit()):
            return None
        numbers |= set(range(int(low), int(high if dash else low) + 1))
    return numbers


def numbers_text(numbers: set[int], style: str) -> str:
    """Write numbers as a device does: two neighbours apart, three or more as a range."""
    pieces: list[str] = []
    ordered = sorted(numbers)
    while ordered:
        run = 1
        while run < len(ordered) and ordered[run] == ordered[0] + run:
            run += 1
        first, last = ordered[0], ordered[run - 1]
        if run == 1:
            pieces.append(str(first))
        elif style == "comma":
            pieces.append(f"{first}-{last}" if run > 2 else f"{first},{last}")
        else:
            pieces.append(f"{first} to {last}")
        ordered = ordered[run:]
    return ("," if style == "comma" else " ").join(pieces)
