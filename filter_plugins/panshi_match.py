"""Names against lists of globs, as the catalogue's parameters write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any


def matching(names: Iterable[str], globs: Iterable[str]) -> list[str]:
    """Return the names that at least one glob matches, in their order."""
    patterns = list(globs)
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def not_matching(names: Iterable[str], globs: Iterable[str]) -> list[str]:
    """Return the names that no glob matches, in their order."""
    patterns = list(globs)
    return [name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"matching": matching, "not_matching": not_matching}
