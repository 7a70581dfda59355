"""Lists that are read in order: the fewest moves, and numbers for what is put in between (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

_STEP = 10  # between entries that are put at the end, as IOS does [D]


def moves(present: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield what is to be moved, ``before`` or ``after``, and what, in the order in which to do it.

    Args:
        present: all items as they lie now; items that are not wanted may lie between.
        wanted: the same items, without those, as they shall lie.
    """
    place = {item: number for number, item in enumerate(present)}
    staying = _longest_rising([place[item] for item in wanted])
    for number, item in enumerate(wanted):
        if place[item] not in staying:
            yield (item, "after", wanted[number - 1]) if number else (item, "before", present[0])


def numbered(present: Sequence[tuple[int, str]], wanted: Sequence[str]) -> list[tuple[int, str]]:
    """Return the wanted entries with numbers: what stays keeps its own, what is new gets one in between.

    Args:
        present: number and content of the entries as they lie now, by number.
        wanted: contents as they shall lie.

    Raises:
        ValueError: there are not enough numbers between two entries that stay.
    """
    taken = [number for number, _ in present]
    matcher = SequenceMatcher(None, [content for _, content in present], wanted, autojunk=False)
    numbers: list[int] = []
    for start, at, size in matcher.get_matching_blocks():
        new = at - len(numbers)
        if size:
            low = numbers[-1] if numbers else 0
            numbers += _between(sorted(set(range(low + 1, taken[start])) - set(taken)), new)
        else:
            last = max([*numbers[-1:], *taken[-1:]], default=0)
            numbers += range(last + _STEP, last + _STEP * (new + 1), _STEP)
        numbers += taken[start : start + size]
    return list(zip(numbers, wanted, strict=True))


def _between(free: Sequence[int], count: int) -> list[int]:
    if len(free) < count:
        raise ValueError(f"{count} numbers among {len(free)}")
    return [free[len(free) * part // (count + 1)] for part in range(1, count + 1)]


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """Return the members of a longest rising subsequence (patience sorting)."""
    tails: list[int] = []
    previous: dict[int, int | None] = {}
    for number in numbers:
        at = bisect_left(tails, number)
        previous[number] = tails[at - 1] if at else None
        tails[at : at + 1] = [number]
    found: set[int] = set()
    last = tails[-1] if tails else None
    while last is not None:
        found.add(last)
        last = previous[last]
    return found
