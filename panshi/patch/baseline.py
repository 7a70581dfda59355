"""Whether a wave's hosts conform less than before they were patched (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from panshi.record import VerdictRow
from panshi.verdict import Status

_RANK = {Status.PARTIAL: 1, Status.ERROR: 1, Status.FAIL: 2}


def worse(before: Iterable[VerdictRow], after: Iterable[VerdictRow]) -> list[str]:
    """Return in Chinese which checks of which hosts say something worse than before.

    Args:
        before: verdicts of an audit; what it does not hold counts as conforming.
        after: of the same hosts, later.
    """
    known = {(row.host, row.check): row.status for row in before}
    lines = []
    for row in after:
        was = known.get((row.host, row.check), Status.PASS)
        if _RANK.get(row.status, 0) > _RANK.get(was, 0):
            lines.append(f"{row.host} {row.check}（{row.title}）由 {was.value} 变为 {row.status.value}：{row.observed}")
    return lines
