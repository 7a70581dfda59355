"""Sets of numbers as devices write them: ``10 20 to 30`` or ``10,20-30`` (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

# VRP and Comware take ten ranges in one command [D]; shorter lines do no harm elsewhere.
_RANGES_PER_LINE = 10


def read_numbers(text: str) -> set[int]:
    """Return the numbers of a list in either style.

    Raises:
        ValueError: it is not such a list.
    """
    numbers: set[int] = set()
    for part in re.split(r"[,\s]+", re.sub(r"\s+to\s+|-", "-", text.strip())):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def write_numbers(numbers: Iterable[int], comma: bool) -> Iterator[str]:
    """Yield lists of at most ten ranges each that together name the numbers.

    With commas, two neighbours stay apart, as IOS shows them [D].
    """
    between, separator = ("-", ",") if comma else (" to ", " ")
    runs = groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0])
    ranges = []
    for _, run in runs:
        values = [str(number) for _, number in run]
        if len(values) > (2 if comma else 1):
            values = [f"{values[0]}{between}{values[-1]}"]
        ranges += values
    for start in range(0, len(ranges), _RANGES_PER_LINE):
        yield separator.join(ranges[start : start + _RANGES_PER_LINE])
