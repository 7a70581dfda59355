"""Command patterns of a device, and how a typed line is understood by them. Pure.

A pattern is words and slots: ``ip address <ip> <ip> [sub]``, ``action (permit|deny)``, ``<name:kind>`` names the slot.
Kinds: ``word``, ``text`` (the rest of the line), ``number``, ``1-4094`` (a range), ``ip`` (IPv4), ``address`` (IPv4 or
IPv6), ``interface``. A keyword may be typed as any prefix of it that is unique, as on every device emulated here.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

_LEXER = re.compile(r"<[^>]+>|[\[\]()|]|[^\s\[\]()|]+")
_INTERFACE = re.compile(r"([A-Za-z][A-Za-z-]*?)\s?(\d[\d/.:]*)$")
Named = TypeVar("Named")


class Why(Enum):
    """Why a line was not understood; the platform has a line of its own for each."""

    UNKNOWN = "unknown"
    INCOMPLETE = "incomplete"
    AMBIGUOUS = "ambiguous"
    WRONG = "wrong"
    TOO_MANY = "too_many"


@dataclass(frozen=True)
class Keyword:
    """A word to be typed as it is."""

    word: str


@dataclass(frozen=True)
class Slot:
    """A value to be typed."""

    kind: str
    name: str


@dataclass(frozen=True)
class Choice:
    """One of several sequences; an empty one makes the others optional."""

    options: tuple[tuple[Element, ...], ...]


Element = Keyword | Slot | Choice


@dataclass(frozen=True)
class Token:
    """A typed word, and the column where it begins."""

    text: str
    column: int


@dataclass(frozen=True)
class Match:
    """A line as it was understood: all words in full, the values of the slots in order and by name."""

    words: tuple[str, ...]
    values: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    short: int = 0

    @property
    def line(self) -> str:
        """The line with every word in full."""
        return " ".join(self.words)


@dataclass(frozen=True)
class Refusal:
    """A line that was not understood: why, and at which column."""

    why: Why
    column: int


def parsed(pattern: str) -> tuple[Element, ...]:
    """Read a pattern.

    Raises:
        ValueError: a bracket is not closed.
    """
    tokens = _LEXER.findall(pattern)
    options, rest = _options(tokens, 0, "")
    if rest != len(tokens) or len(options) != 1:
        raise ValueError(f"pattern {pattern!r} is not balanced")
    return options[0]


def _options(tokens: Sequence[str], at: int, closing: str) -> tuple[tuple[tuple[Element, ...], ...], int]:
    options: list[tuple[Element, ...]] = []
    sequence: list[Element] = []
    while at < len(tokens) and tokens[at] != closing:
        token = tokens[at]
        at += 1
        if token in "[(":
            inner, at = _options(tokens, at, "]" if token == "[" else ")")
            if at == len(tokens):
                raise ValueError(f"bracket is not closed in {' '.join(tokens)!r}")
            sequence.append(Choice((*inner, ()) if token == "[" else inner))
            at += 1
        elif token == "|":
            options.append(tuple(sequence))
            sequence = []
        elif token.startswith("<"):
            name, _, kind = token[1:-1].rpartition(":")
            sequence.append(Slot(kind, name))
        else:
            sequence.append(Keyword(token))
    return (*options, tuple(sequence)), at


def tokens_of(line: str) -> list[Token]:
    """Split a typed line."""
    return [Token(found[0], found.start()) for found in re.finditer(r"\S+", line)]


@dataclass(frozen=True)
class _Path:
    """How far one way of reading the line has come."""

    at: int
    words: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    short: int = 0

    def and_word(self, word: str, short: int = 0, used: int = 1) -> _Path:
        return _Path(self.at + used, (*self.words, word), self.values, self.short + short)

    def and_value(self, slot: Slot, value: str, used: int = 1) -> _Path:
        return _Path(self.at + used, (*self.words, value), (*self.values, (slot.name, value)), self.short)


class _Reader:
    """Reads one line by patterns and remembers how far any of them came."""

    def __init__(self, line: str, interfaces: Sequence[str]) -> None:
        self.line = line
        self.tokens = tokens_of(line)
        self.interfaces = interfaces
        self.furthest = 0
        self.spare = 0
        self.ended = False
        self.wrong = False

    def paths(self, elements: tuple[Element, ...], path: _Path) -> Iterator[_Path]:
        if not elements:
            yield path
            return
        first, rest = elements[0], elements[1:]
        if isinstance(first, Choice):
            for option in first.options:
                yield from self.paths(option + rest, path)
        elif path.at >= len(self.tokens):
            self.ended = True
        else:
            for step in self._steps(first, path):
                self._reached(step.at, wrong=False)
                yield from self.paths(rest, step)

    def _reached(self, at: int, *, wrong: bool) -> None:
        if at > self.furthest:
            self.furthest, self.wrong = at, wrong
        elif at == self.furthest:
            self.wrong = self.wrong or wrong

    def _steps(self, element: Keyword | Slot, path: _Path) -> Iterator[_Path]:
        token = self.tokens[path.at].text
        if isinstance(element, Keyword):
            if element.word.startswith(token.lower()) or element.word == token:
                yield path.and_word(element.word, short=element.word != token)
            return
        if element.kind == "text":
            yield path.and_value(element, self.line[self.tokens[path.at].column :].rstrip(), len(self.tokens) - path.at)
        elif element.kind == "interface":
            yield from self._interface(element, path)
        elif _fits(element.kind, token):
            yield path.and_value(element, token)
        else:
            self._reached(path.at, wrong=True)

    def _interface(self, slot: Slot, path: _Path) -> Iterator[_Path]:
        """Read ``GigabitEthernet0/0/1``, ``GigabitEthernet 0/0/1`` or ``g0/0/1``."""
        for used in (1, 2):
            found = _INTERFACE.match(" ".join(token.text for token in self.tokens[path.at : path.at + used]))
            if found and path.at + used <= len(self.tokens):
                typed = found[1].lower()
                kinds = [kind for kind in self.interfaces if kind.lower().startswith(typed)]
                exact = [kind for kind in kinds if kind.lower() == typed]
                if kinds:
                    yield path.and_value(slot, (exact or kinds)[0] + found[2], used)
                    return
        self._reached(path.at, wrong=True)


def _fits(kind: str, token: str) -> bool:
    if kind == "word":
        return True
    if kind == "number":
        return token.isdigit()
    if kind in ("ip", "address"):
        try:
            return ipaddress.ip_address(token).version == 4 or kind == "address"
        except ValueError:
            return False
    low, _, high = kind.partition("-")
    return token.isdigit() and int(low) <= int(token) <= int(high)


class Patterns(Generic[Named]):
    """A set of patterns, each with what it stands for, found by their first word.

    Args:
        patterns: pattern and its meaning, in order.
        interfaces: the names of interface types.
    """

    def __init__(self, patterns: Iterable[tuple[str, Named]], interfaces: Sequence[str] = ()) -> None:
        self._interfaces = interfaces
        self._by_word: dict[str, list[tuple[tuple[Element, ...], Named]]] = defaultdict(list)
        self._open: list[tuple[tuple[Element, ...], Named]] = []
        for pattern, named in patterns:
            elements = parsed(pattern)
            if isinstance(elements[0], Keyword):
                self._by_word[elements[0].word].append((elements, named))
            else:
                self._open.append((elements, named))

    def match(self, line: str) -> tuple[Match, Named] | Refusal:
        """Understand a line: what was meant, or why not."""
        reader = _Reader(line, self._interfaces)
        if not reader.tokens:
            return Refusal(Why.INCOMPLETE, 0)
        found: list[tuple[Match, Named]] = []
        for elements, named in self._candidates(reader.tokens[0].text):
            for path in reader.paths(elements, _Path(0)):
                if path.at < len(reader.tokens):
                    reader.spare = max(reader.spare, path.at)
                else:
                    names = {name: value for name, value in path.values if name}
                    match = Match(path.words, tuple(value for _, value in path.values), names, path.short)
                    found.append((match, named))
                    break
        if not found:
            return self._refusal(reader)
        least = min(match.short for match, _ in found)
        best = [(match, named) for match, named in found if match.short == least]
        best.sort(key=lambda one: len(one[0].values) - len(one[0].words))  # keywords before values: "add 30" is no text
        if least and len({match.line for match, _ in best}) > 1:
            return Refusal(Why.AMBIGUOUS, reader.tokens[0].column)
        return best[0]

    def _candidates(self, first: str) -> list[tuple[tuple[Element, ...], Named]]:
        exact = self._by_word.get(first)
        if exact is not None:
            return exact + self._open
        short = first.lower()
        return [one for word, ones in self._by_word.items() if word.startswith(short) for one in ones] + self._open

    @staticmethod
    def _refusal(reader: _Reader) -> Refusal:
        end = len(reader.tokens)
        if reader.ended and reader.furthest >= end:
            return Refusal(Why.INCOMPLETE, len(reader.line))
        if reader.spare and reader.spare >= reader.furthest:
            return Refusal(Why.TOO_MANY, reader.tokens[reader.spare].column)
        if reader.furthest == 0 and not reader.wrong:
            return Refusal(Why.UNKNOWN, reader.tokens[0].column)
        why = Why.WRONG if reader.wrong else Why.UNKNOWN
        return Refusal(why, reader.tokens[reader.furthest].column)
