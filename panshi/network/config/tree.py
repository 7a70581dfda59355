"""A device's configuration as a tree of lines, by indentation (pure).

A line of several lines (a banner, a certificate, a public key) is one node: its text is kept as it was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from panshi.errors import PanshiError
from panshi.network.config.rulebook import RuleBook, rule_book


@dataclass(frozen=True, slots=True)
class Node:
    """A line and what is configured in the view that it enters.

    Args:
        line: without indentation; empty at the root. The further lines of a block follow after a line feed.
        children: in the order of the text.
    """

    line: str
    children: tuple[Node, ...] = ()

    def find(self, pattern: str) -> Iterator[Node]:
        """Yield the children whose line begins with a regular expression."""
        return (child for child in self.children if re.match(pattern, child.line))

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Yield every node below this one with the lines of its parents, in the order of the text."""
        for child in self.children:
            yield path, child
            yield from child.walk((*path, child.line))


def parse(text: str, platform: str) -> Node:
    """Return the tree of a configuration; headers, comments and volatile lines are not part of it.

    Args:
        text: as the device shows it, or a part of it.
        platform: name of a rule book.

    Raises:
        PanshiError: PS-E8070 for an unknown platform, PS-E8071 for a text that goes on after its closing line or ends
            within a banner, certificate or key.
    """
    book = rule_book(platform)
    # Open views: indentation, line, children so far.
    stack: list[tuple[int, str, list[Node]]] = [(-1, "", [])]
    lines = text.replace("\r", "").split("\n")
    number = 0
    while number < len(lines):
        line = lines[number].rstrip()
        number += 1
        indent, word = len(line) - len(line.lstrip()), line.strip()
        if _is_comment(word, book):
            if not indent and word:  # a separator: what follows is not inside, even if Comware indents it
                _close(stack, 0)
            continue
        if line == book.closing:
            _nothing_after(lines[number:], book)
            break
        if book.is_volatile(word):
            continue
        if end := book.block_end(word):
            more = _block(lines[number:], end, word)
            number += len(more)
            word = "\n".join([word, *more])
        _close(stack, indent)
        stack.append((indent, word, []))
    _close(stack, 0)
    return Node("", tuple(stack[0][2]))


def render(tree: Node, platform: str) -> str:
    """Return the text of a tree as its platform writes it, with separators and the closing line."""
    book = rule_book(platform)
    found = [book.comment]
    for child in tree.children:
        if child.children and found[-1] != book.comment:
            found.append(book.comment)
        found += _lines(child, 0)
        if child.children:
            found.append(book.comment)
    if found[-1] != book.comment:
        found.append(book.comment)
    return "\n".join([*found, book.closing, ""])


def is_whole(text: str, platform: str) -> bool:
    """Return whether a text reaches its closing line: a reading that was cut must not be compared with."""
    closing = rule_book(platform).closing
    return any(line.rstrip() == closing for line in reversed(text.splitlines()))


def _lines(node: Node, depth: int) -> Iterator[str]:
    yield " " * depth + node.line
    for child in node.children:
        yield from _lines(child, depth + 1)


def _is_comment(word: str, book: RuleBook) -> bool:
    return not word or word == book.comment or (book.comment == "!" and word.startswith("!"))


def _close(stack: list[tuple[int, str, list[Node]]], indent: int) -> None:
    """Leave the views that are indented as far or farther."""
    while stack[-1][0] >= indent:
        _, line, children = stack.pop()
        stack[-1][2].append(Node(line, tuple(children)))


def _block(lines: Sequence[str], end: re.Pattern[str], first: str) -> list[str]:
    for count, line in enumerate(lines, 1):
        if end.search(line):
            return list(lines[:count])
    raise _refused(f"“{first.split(chr(10))[0][:40]}” 开始的多行内容没有结束")


def _nothing_after(lines: Sequence[str], book: RuleBook) -> None:
    if rest := [line for line in lines if not _is_comment(line.strip(), book)]:
        raise _refused(f"结束行 {book.closing} 之后还有 {len(rest)} 行内容")


def _refused(text: str) -> PanshiError:
    return PanshiError("PS-E8071", f"配置文本不完整或被混入内容：{text}", "重新读取设备配置；模板中只在末尾写结束行")
