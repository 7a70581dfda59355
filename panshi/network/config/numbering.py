"""Entries written without the number that the device gives them (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from panshi.errors import PanshiError
from panshi.network.config.canonical import Setting
from panshi.network.config.order import numbered
from panshi.network.config.rulebook import RuleBook


def numbered_like(before: Sequence[Setting], after: Sequence[Setting], view: str, book: RuleBook) -> Sequence[Setting]:
    """Return the wanted settings of a view with numbers that fit into the list as it is.

    Raises:
        PanshiError: PS-E8072 where the device shows no numbers (an entry can then only be added at the end, whatever
            stands there), or where there is none left between two entries.
    """
    shown = [one.line for one in before if _is_bare(one.line, book)]
    bare = [one.line for one in after if _is_bare(one.line, book)]
    if not any(_entry(one.line, book) for one in after) or (shown == bare and shown):
        return after
    if shown:
        raise _refused(view)
    present = sorted(found for one in before if (found := _entry(one.line, book)))
    if not bare or not present:
        return after
    try:
        lines = {line: number for number, line in numbered(present, bare)}
    except ValueError as error:
        raise _refused(view) from error
    return [
        replace(one, key=str(lines[one.line]), line=f"{lines[one.line]} {one.line}") if one.line in lines else one
        for one in after
    ]


def _is_bare(line: str, book: RuleBook) -> bool:
    return any(pattern.match(line) for pattern in book.unnumbered)


def _entry(line: str, book: RuleBook) -> tuple[int, str] | None:
    """Return number and content of an entry; the number of one without is 0."""
    found = re.match(r"(?:(\d+) )?(.*)", line)
    return (int(found[1] or 0), found[2]) if found and _is_bare(found[2], book) else None


def _refused(view: str) -> PanshiError:
    return PanshiError(
        "PS-E8072",
        f"{view} 的条目没有编号，或编号之间没有空位，不能按次序修改",
        "在设备上 ip access-list resequence，数据里写编号，或改用 net_policy",
    )
