"""What a device shall be configured to, from what it runs and from what is written down about a part of it (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from panshi.network.config.canonical import Setting, by_key, settings
from panshi.network.config.rulebook import RuleBook, rule_book
from panshi.network.config.tree import Node
from panshi.network.config.values import write_numbers


class Scope(StrEnum):
    """How much of a device a text speaks for.

    ``merge``: only its lines; nothing else is taken away. ``sections``: its views, which become exactly as written.
    ``whole``: everything.
    """

    MERGE = "merge"
    SECTIONS = "sections"
    WHOLE = "whole"


def compose(running: Node, intended: Node, platform: str, scope: Scope) -> Node:
    """Return the tree that a device shall have.

    A negative line (``undo telnet server enable``) takes away what it names; it becomes a line of its own only where
    the platform does by default what it negates, or where the device shows it. A line that says a default takes away
    what differs from it.

    Args:
        running: what the device runs.
        intended: what is written down.
        platform: name of a rule book.
        scope: how much of the device ``intended`` speaks for.

    Raises:
        PanshiError: PS-E8070 for an unknown platform.
    """
    book = rule_book(platform)
    old = settings(running.children, "", book)
    # What goes without saying is said here to have it back.
    new = settings(intended.children, "", replace(book, hidden=()))
    return Node("", tuple(_node(one) for one in _composed(old, new, "", scope, book)))


def _composed(
    before: Sequence[Setting], after: Sequence[Setting], view: str, scope: Scope, book: RuleBook
) -> Iterable[Setting]:
    """Return the settings of a view that are to be."""
    old, new = by_key(before, after)
    kept = {} if scope is Scope.WHOLE else dict(old)
    for key, one in new.items():
        have = old.get(key)
        if any(pattern.match(one.line) for pattern in book.hidden):
            _drop(kept, one.line, one)
        elif have is not None and have.line == one.line and not one.is_view:
            kept[key] = one
        elif one.line.startswith(f"{book.negate} "):
            _take_away(one, kept, view, book)
        elif one.rule is not None and have is not None and scope is Scope.MERGE:
            kept[key] = replace(one, numbers=have.numbers | one.numbers)
        elif one.is_view:
            inside = Scope.MERGE if scope is Scope.MERGE else Scope.WHOLE
            within = _composed(have.settings if have else (), one.settings, one.line, inside, book)
            kept[key] = replace(one, settings=tuple(within))
        else:
            kept[key] = one
    return kept.values()


def _take_away(one: Setting, kept: dict[str, Setting], view: str, book: RuleBook) -> None:
    """Take out of a view what a negative line names; keep the line where its contrary goes without saying."""
    named = settings((Node(one.line.removeprefix(f"{book.negate} ")),), view, book)
    if not named:
        kept[one.key] = one
    for positive in named:
        have = kept.get(positive.key)
        if have is not None and have.rule is not None and have.numbers - positive.numbers:
            kept[positive.key] = replace(have, numbers=have.numbers - positive.numbers)
        else:
            _drop(kept, one.line, positive)


def _drop(kept: dict[str, Setting], command: str, positive: Setting) -> None:
    for key in _undone(kept, command) | {positive.key, positive.line}:
        kept.pop(key, None)


def _undone(kept: Mapping[str, Setting], command: str) -> set[str]:
    return {key for key, one in kept.items() if command in (one.undo, one.undo_line, one.whole)}


def _node(one: Setting) -> Node:
    if one.rule is None:
        return Node(one.line, tuple(_node(child) for child in one.settings))
    separator = "," if one.rule.comma else " "
    return Node(one.rule.new.replace("{}", separator.join(write_numbers(one.numbers, one.rule.comma))))
