"""What is peculiar to the configuration language of a platform: one YAML per platform, checked when it is loaded.

docs/network-config.md describes the keys and how a platform is added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from panshi.errors import PanshiError

_FOLDER = Path(__file__).with_name("rules")
_WORDS = ("comment", "closing", "negate", "leave")
_PATTERNS = ("views", "permanent", "lone", "additions_first", "hidden", "expand", "unnumbered", "fold")
_LISTS = (*_PATTERNS, "volatile", "blocks", "secrets", "lines", "sets", "orders", "guards")
_LINE_KEYS = {"match", "within", "key", "undo", "change", "whole"}
_SET_KEYS = {"match", "within", "style", "add", "remove", "new", "gone"}


@dataclass(frozen=True, slots=True)
class Block:
    """Text of several lines: from a line that begins with ``start`` to the one in which ``end`` is found.

    ``{1}`` in ``end`` stands for the delimiter that the first group of ``start`` has read.
    """

    start: re.Pattern[str]
    end: str


@dataclass(frozen=True, slots=True)
class LineRule:
    """How a line is told from others, replaced and taken away.

    Args:
        match: beginning of the line, up to the end of a word.
        within: beginning of the line of the view that it stands in; None for any.
        key: lines of one key are one setting. Empty: what ``match`` has matched.
        undo: command that takes it away. Empty: the negation of what ``match`` has matched.
        in_place: a new value overwrites the old one; otherwise the old one is taken away first.
        whole: command that takes away all lines of the same ``whole`` at once, when none of them is to stay.
    """

    match: re.Pattern[str]
    within: re.Pattern[str] | None
    key: str
    undo: str
    in_place: bool
    whole: str


@dataclass(frozen=True, slots=True)
class SetRule:
    """A line that holds a set of numbers; several lines of one kind are one set.

    Args:
        match: the whole line; the first group is the list.
        within: beginning of the line of the view that it stands in; None for any.
        comma: ``10,20-30`` instead of ``10 20 to 30``.
        add: command that adds ``{}``.
        remove: command that removes ``{}``.
        new: command for a set where there was none.
        gone: command that removes ``{}`` when nothing is to stay.
    """

    match: re.Pattern[str]
    within: re.Pattern[str] | None
    comma: bool
    add: str
    remove: str
    new: str
    gone: str


@dataclass(frozen=True, slots=True)
class OrderRule:
    """A view whose entries are read in order, and to which the device adds at the end.

    Args:
        within: line of the view.
        match: key of an entry; the first group names it in commands.
        move: command that puts ``{0}`` ``{1}`` (before or after) ``{2}``.
    """

    within: re.Pattern[str]
    match: re.Pattern[str]
    move: str


@dataclass(frozen=True, slots=True)
class GuardRule:
    """A view that lets packets through: ``open`` is the line that does so, ``closed`` the one that does not."""

    within: re.Pattern[str]
    open: str
    closed: str


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules of a platform; the fields are the keys of its YAML."""

    platform: str
    comment: str
    closing: str
    negate: str
    leave: str
    volatile: re.Pattern[str]
    blocks: tuple[Block, ...]
    begins: re.Pattern[str]  # one of the blocks
    secrets: tuple[re.Pattern[str], ...]
    views: tuple[re.Pattern[str], ...]
    permanent: tuple[re.Pattern[str], ...]
    lone: tuple[re.Pattern[str], ...]  # there is one of it, shown or not while it is empty
    additions_first: tuple[re.Pattern[str], ...]
    hidden: tuple[re.Pattern[str], ...]
    lines: tuple[LineRule, ...]
    sets: tuple[SetRule, ...]
    orders: tuple[OrderRule, ...]
    guards: tuple[GuardRule, ...]
    expand: tuple[re.Pattern[str], ...]
    fold: tuple[re.Pattern[str], ...]
    unnumbered: tuple[re.Pattern[str], ...]

    def is_volatile(self, line: str) -> bool:
        """Return whether a line is not configuration: a header, a clock, a counter."""
        return self.volatile.match(line) is not None

    def block_end(self, line: str) -> re.Pattern[str] | None:
        """Return what ends the block that a line begins; None when it begins none, or ends it itself."""
        if not self.begins.match(line):  # nearly always
            return None
        for block in self.blocks:
            if found := block.start.match(line):
                end = re.compile(block.end.replace("{1}", re.escape(found[1]) if found.groups() else ""))
                return None if end.search(line, found.end()) else end
        return None

    def negated(self, line: str) -> str:
        """Return the command that takes back a line as it stands."""
        prefix = f"{self.negate} "
        return line.removeprefix(prefix) if line.startswith(prefix) else prefix + line

    def line_rule(self, line: str, view: str) -> tuple[LineRule, re.Match[str]] | None:
        """Return the first rule for a line in a view (the line that entered it), with its match."""
        for rule in self.lines:
            if (rule.within is None or rule.within.match(view)) and (found := rule.match.match(line)):
                return rule, found
        return None


@lru_cache
def rule_book(platform: str) -> RuleBook:
    """Return the rule book of a platform.

    Raises:
        PanshiError: PS-E8070 for a platform without one, or for a book that is wrong.
    """
    try:
        return _book(platform, _read(platform))
    except (ValueError, KeyError, TypeError, re.error) as error:
        raise _refused(f"{platform}.yml 有误：{error}") from error


def platforms() -> list[str]:
    """Return the platforms that have a rule book."""
    return sorted(path.stem for path in _FOLDER.glob("*.yml"))


def _read(platform: str) -> Mapping[str, Any]:
    path = _FOLDER / f"{platform}.yml"
    if platform not in platforms():
        raise _refused(f"没有平台 {platform} 的规则，现有 {'、'.join(platforms())}")
    own: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    base = own.pop("base", None)
    return _merged(_read(base), own) if base else own


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return both; of lists, the platform's own entries come first, since the first match decides."""
    joined = {key: [*own.get(key, ()), *base.get(key, ())] for key in _LISTS}
    return {**base, **own, **joined}


def _book(platform: str, read: Mapping[str, Any]) -> RuleBook:
    if unknown := sorted(set(read) - set(_WORDS) - set(_LISTS)):
        raise ValueError(f"没有 {'、'.join(unknown)} 这样的键")
    lists = {key: read.get(key) or [] for key in _LISTS}
    secrets = tuple(re.compile(word, re.MULTILINE) for word in lists["secrets"])
    if wrong := [pattern.pattern for pattern in secrets if pattern.groups != 1]:
        raise ValueError(f"secrets 须各有一个分组：{wrong[0]}")
    return RuleBook(
        platform=platform,
        comment=str(read["comment"]),
        closing=str(read["closing"]),
        negate=str(read["negate"]),
        leave=str(read["leave"]),
        volatile=_one_of(lists["volatile"]),
        begins=_one_of(one["start"] for one in lists["blocks"]),
        blocks=tuple(Block(re.compile(one["start"]), one["end"]) for one in lists["blocks"]),
        secrets=secrets,
        lines=tuple(_line_rule(one) for one in lists["lines"]),
        sets=tuple(_set_rule(one) for one in lists["sets"]),
        orders=tuple(
            OrderRule(re.compile(one["within"]), re.compile(one["match"]), one["move"]) for one in lists["orders"]
        ),
        guards=tuple(GuardRule(re.compile(one["within"]), one["open"], one["closed"]) for one in lists["guards"]),
        **{key: tuple(re.compile(word) for word in lists[key]) for key in _PATTERNS},
    )


def _line_rule(entry: Mapping[str, str] | str) -> LineRule:
    read = {"match": entry} if isinstance(entry, str) else entry
    _only(read, _LINE_KEYS)
    change = read.get("change", "in_place")
    if change not in ("in_place", "undo_first"):
        raise ValueError(f"change 须是 in_place 或 undo_first：{change}")
    return LineRule(
        match=re.compile(rf"(?:{read['match']})(?=\s|$)"),
        within=_within(read),
        key=read.get("key", ""),
        undo=read.get("undo", ""),
        in_place=change == "in_place",
        whole=read.get("whole", ""),
    )


def _set_rule(read: Mapping[str, str]) -> SetRule:
    _only(read, _SET_KEYS)
    if read["style"] not in ("spaced", "comma"):
        raise ValueError(f"style 须是 spaced 或 comma：{read['style']}")
    return SetRule(
        match=re.compile(read["match"]),
        within=_within(read),
        comma=read["style"] == "comma",
        add=read["add"],
        remove=read["remove"],
        new=read.get("new", read["add"]),
        gone=read.get("gone", read["remove"]),
    )


def _within(read: Mapping[str, str]) -> re.Pattern[str] | None:
    return re.compile(read["within"]) if "within" in read else None


def _only(read: Mapping[str, str], keys: set[str]) -> None:
    if unknown := sorted(set(read) - keys):
        raise ValueError(f"没有 {'、'.join(unknown)} 这样的键")


def _one_of(words: Iterable[str]) -> re.Pattern[str]:
    """Return what matches where one of the expressions does: every line of every device is held against it."""
    return re.compile("|".join(f"(?:{word})" for word in words) or r"(?!)")


def _refused(text: str) -> PanshiError:
    return PanshiError(
        "PS-E8070", f"网络配置规则：{text}", "见 docs/network-config.md，改正 ansible_network_os 或规则文件"
    )
