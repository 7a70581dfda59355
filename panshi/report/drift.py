"""What changed between two runs of the same estate, job and profile (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from panshi.record import VerdictRow
from panshi.verdict import STATUS_ZH, Status

_RANK = {Status.FAIL: 0, Status.PARTIAL: 1, Status.PASS: 2}


@dataclass(frozen=True, slots=True)
class Change:
    """One row that is not as it was; ``before`` or ``after`` is None for a row that is new or gone."""

    before: VerdictRow | None
    after: VerdictRow | None

    @property
    def row(self) -> VerdictRow:
        """The row as it is, or as it was when it is gone."""
        row = self.after or self.before
        assert row is not None
        return row

    @property
    def text(self) -> str:
        """Return ``不符合 → 符合``."""
        return " → ".join(STATUS_ZH[row.status] if row else "无" for row in (self.before, self.after))


@dataclass(frozen=True, slots=True)
class Drift:
    """Changes by direction. ``other``: to or from a status that is neither better nor worse, for example 已豁免."""

    worsened: tuple[Change, ...] = ()
    improved: tuple[Change, ...] = ()
    other: tuple[Change, ...] = ()
    new: tuple[Change, ...] = ()
    gone: tuple[Change, ...] = ()
    same: int = 0

    @property
    def moved(self) -> dict[str, tuple[Change, ...]]:
        """Chinese title → rows of both runs whose status changed."""
        return {"恶化": self.worsened, "改善": self.improved, "其他状态变化": self.other}

    @property
    def scope(self) -> dict[str, Counter[str]]:
        """Chinese title → rows by host that only one run has, because hosts, checks or the selection differ."""
        return {
            "新增检查行": Counter(change.row.host for change in self.new),
            "消失检查行": Counter(change.row.host for change in self.gone),
        }

    @property
    def groups(self) -> dict[str, tuple[Change, ...]]:
        """Chinese title → changes."""
        return {**self.moved, "新增检查行": self.new, "消失检查行": self.gone}


def compare(before: Iterable[VerdictRow], after: Iterable[VerdictRow]) -> Drift:
    """Compare two runs row by row (host × check)."""
    old = {(row.host, row.check): row for row in before}
    new = {(row.host, row.check): row for row in after}
    both = [Change(old[key], row) for key, row in new.items() if key in old]
    moved = [(change, _direction(change)) for change in both]
    return Drift(
        worsened=tuple(change for change, way in moved if way == "worsened"),
        improved=tuple(change for change, way in moved if way == "improved"),
        other=tuple(change for change, way in moved if way == "other"),
        new=tuple(Change(None, row) for key, row in new.items() if key not in old),
        gone=tuple(Change(row, None) for key, row in old.items() if key not in new),
        same=sum(way == "same" for _, way in moved),
    )


def _direction(change: Change) -> str:
    assert change.before is not None and change.after is not None
    before, after = change.before.status, change.after.status
    if before is after:
        return "same"
    if before not in _RANK or after not in _RANK:
        return "other"
    return "improved" if _RANK[after] > _RANK[before] else "worsened"
