"""Two texts that mean the same become the same settings: views merged, lists joined, the unsaid left out (pure)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from panshi.network.config.rulebook import RuleBook, SetRule
from panshi.network.config.tree import Node
from panshi.network.config.values import read_numbers


@dataclass(frozen=True, slots=True)
class Setting:
    """What a line sets, told apart from what it sets it to.

    Args:
        key: lines of one key are one setting.
        line: as it is typed.
        undo: command that takes it away.
        undo_line: command that takes away this very line.
        whole: command that takes away everything of the same ``whole``; empty: there is none.
        in_place: a new value overwrites the old one.
        is_view: the line enters a view.
        permanent: the view is always there; only what is in it can be taken away.
        settings: what is in the view.
        rule: for a set of numbers.
        numbers: of the set.
    """

    key: str
    line: str
    undo: str
    undo_line: str
    whole: str = ""
    in_place: bool = True
    is_view: bool = False
    permanent: bool = False
    settings: tuple[Setting, ...] = ()
    rule: SetRule | None = None
    numbers: frozenset[int] = frozenset()

    @property
    def value(self) -> object:
        """What two settings of one key are compared by; what is in a view is compared apart."""
        return self.numbers or ("" if self.is_view and self.in_place else self.line)


def settings(nodes: Iterable[Node], view: str, book: RuleBook) -> tuple[Setting, ...]:
    """Return the settings of a view in the order of the text, every line and every set once.

    Args:
        nodes: the lines of the view.
        view: the line that entered it; empty at the top.
        book: rules of the platform.
    """
    merged: dict[str, list[Node]] = {}
    for node in _spelled_out(nodes, book):
        merged.setdefault(node.line, []).extend(node.children)
    found: dict[str, Setting] = {}
    for line, children in merged.items():
        one = _setting(line, children, view, book)
        if one.rule is not None and one.key in found:
            found[one.key] = replace(one, numbers=one.numbers | found[one.key].numbers)
        elif not one.permanent or one.settings:
            found[one.key if one.rule else line] = one
    return tuple(found.values())


def by_key(old: Iterable[Setting], new: Iterable[Setting]) -> tuple[dict[str, Setting], dict[str, Setting]]:
    """Return the settings of both sides by key; where a key stands for two lines of a side, every line is its own."""
    sides = tuple(old), tuple(new)
    twice = {key for side in sides for key, count in Counter(one.key for one in side).items() if count > 1}
    old_by_key, new_by_key = (
        {one.key: one for one in (_as_line(one) if one.key in twice else one for one in side)} for side in sides
    )
    return old_by_key, new_by_key


def _as_line(one: Setting) -> Setting:
    return replace(one, key=one.line, undo=one.undo_line, whole="", in_place=True)


def _spelled_out(nodes: Iterable[Node], book: RuleBook) -> Iterator[Node]:
    """Yield lines that stand for several views, or for one of a view, as what they stand for; leave out the unsaid."""
    for node in nodes:
        if _first_match(book.hidden, node.line):
            continue
        if found := _first_match(book.expand, node.line):
            yield from (Node(f"{found[1]} {number}") for number in sorted(read_numbers(found[2])))
        elif found := _first_match(book.fold, node.line):
            kind = next(name for name, number in found.groupdict().items() if number and name != "entry")
            yield Node(f"ip access-list {kind} {found[kind]}", (Node(found["entry"]),))
        else:
            yield node


def _first_match(patterns: Iterable[re.Pattern[str]], line: str) -> re.Match[str] | None:
    return next((found for pattern in patterns if (found := pattern.match(line))), None)


def _setting(line: str, children: list[Node], view: str, book: RuleBook) -> Setting:
    for rule in book.sets:
        if (rule.within is None or rule.within.match(view)) and (found := rule.match.match(line)):
            numbers = frozenset(read_numbers(found[1]))
            return Setting(rule.add, line, "", "", rule=rule, numbers=numbers)
    positive = line.removeprefix(f"{book.negate} ")
    is_view = bool(children) or any(pattern.match(line) for pattern in book.views)
    undo_line = book.negated(line.split("\n", 1)[0])  # the first line of a block names it
    key, undo, whole, in_place = positive, undo_line, "", True
    if ruled := book.line_rule(positive, view):
        rule_of_line, found = ruled
        words = (found[0], *(word or "" for word in found.groups()))
        key = _filled(rule_of_line.key, words) or found[0]
        whole, in_place = _filled(rule_of_line.whole, words), rule_of_line.in_place
        if positive == line:
            undo = _filled(rule_of_line.undo, words) or book.negated(found[0])
    return Setting(
        key=key,
        line=line,
        undo=undo,
        undo_line=undo_line,
        whole=whole,
        in_place=in_place,
        is_view=is_view,
        permanent=any(pattern.match(line) for pattern in book.permanent),
        settings=settings(children, line, book),
    )


def _filled(template: str, words: tuple[str, ...]) -> str:
    return re.sub(r"\{(\d)\}", lambda found: words[int(found[1])], template)
