"""The raw evidence that a report carries: bounded, once per host and item (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from panshi.record import VerdictRow

# One answer of a command rarely needs more to be judged by a person; the record keeps all of it.
ITEM_LIMIT = 6_000
# Keeps a report of 100 hosts below some ten megabytes (tests/unit/report/test_html.py measures it).
HOST_LIMIT = 240_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """One command or file of one host as shown to a reader. ``cut`` is the number of characters left out."""

    id: str
    cmd: str
    rc: int | None
    at: str
    text: str
    cut: int = 0


def collect(document: Mapping[str, Any] | None, rows: Iterable[VerdictRow]) -> list[Evidence]:
    """Return the items that the rows stand on, in order of first use.

    Args:
        document: the host's facts, or None when nothing was collected.
        rows: the host's verdicts.

    Returns:
        One entry per item id, also for items that the collector did not bring (``rc`` None).
    """
    items: Mapping[str, Mapping[str, Any]] = document["items"] if document else {}
    found: list[Evidence] = []
    room = HOST_LIMIT
    for name in dict.fromkeys(item for row in rows for item in row.evidence):
        item = items.get(name)
        if item is None:
            found.append(Evidence(name, name.removeprefix("file:"), None, "", "主机上没有，或未采集到"))
            continue
        text = _text(item)
        keep = text[: min(ITEM_LIMIT, room)]
        room -= len(keep)
        found.append(
            Evidence(
                name, str(item.get("cmd", "")), item.get("rc"), str(item.get("at", "")), keep, len(text) - len(keep)
            )
        )
    return found


def _text(item: Mapping[str, Any]) -> str:
    stat = item.get("stat") or {}
    parts = (
        [f"# {stat.get('mode', '')} {stat.get('owner', '')}:{stat.get('group', '')} {stat.get('type', '')}"]
        if stat
        else []
    )
    parts += [str(item[key]) for key in ("out", "err") if item.get(key)]
    if item.get("truncated"):
        parts.append("（采集时已按大小上限截断）")
    return "\n".join(parts) or "（无输出）"
