"""The fewest moves that bring a list into its order (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence


def moves(present: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what is to be moved and after what (empty: to the top), in the order in which to do it.

    Args:
        present: all items as they lie now; items that are not wanted may lie between.
        wanted: the same items, without those, as they shall lie.
    """
    place = {item: number for number, item in enumerate(present)}
    staying = _longest_rising([place[item] for item in wanted])
    before = ""
    for item in wanted:
        if place[item] not in staying:
            yield item, before
        before = item


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
