"""Two judgements side by side (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from panshi.judges.accepted import Answer, Answers
from panshi.judges.figures import Complaint, Figure, Judgement


@dataclass(frozen=True, slots=True)
class Pair:
    """One judge on one host, before and after; None where it was not asked."""

    judge: str
    host: str
    before: Figure | None
    after: Figure | None

    @property
    def settled(self) -> int:
        """Complaints that are no longer made; 0 unless both were judged."""
        if self.before is None or self.after is None or not (self.before.judged and self.after.judged):
            return 0
        return len({one.id for one in self.before.complaints} - {one.id for one in self.after.complaints})


@dataclass(frozen=True, slots=True)
class Remaining:
    """A complaint that is still made, on which hosts, and our answer to it."""

    judge: str
    complaint: Complaint
    hosts: tuple[str, ...]
    answer: Answer


@dataclass(frozen=True)
class Comparison:
    """What outside judges said before and after."""

    before: Judgement | None
    after: Judgement | None
    answers: Answers

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every judge and host that was asked at least once, by judge, then in the order of the hosts."""
        old, new = ({(f.judge, f.host): f for f in one.figures} if one else {} for one in (self.before, self.after))
        keys = sorted(dict.fromkeys([*old, *new]), key=lambda key: key[0])
        return tuple(Pair(*key, old.get(key), new.get(key)) for key in keys)

    @cached_property
    def remaining(self) -> tuple[Remaining, ...]:
        """Complaints of the last judgement, the unanswered and the defects first."""
        found: dict[tuple[str, str], tuple[Complaint, list[str]]] = {}
        for judge, host, complaint in _complaints(self.after):
            found.setdefault((judge, complaint.id), (complaint, []))[1].append(host)
        rows = [
            Remaining(judge, complaint, tuple(dict.fromkeys(hosts)), self.answers.to(judge, name))
            for (judge, name), (complaint, hosts) in found.items()
        ]
        order = {"未登记": 0, "缺陷": 1, "接受": 2}
        return tuple(sorted(rows, key=lambda row: (order[row.answer.kind], row.judge, row.complaint.id)))


def result_text(figure: Figure | None) -> str:
    """Return a figure in one Chinese phrase."""
    if figure is None:
        return "未评判"
    if figure.why:
        return f"未评判：{figure.why}"
    parts = [f"指数 {figure.index}"] if figure.index is not None else []
    if figure.passed is not None and figure.failed is not None:
        total = figure.passed + figure.failed
        parts.append(f"通过 {figure.passed}/{total}（{1000 * figure.passed // total / 10 if total else 0:.1f}%）")
    elif figure.failed is not None:
        parts.append(f"不通过 {figure.failed}")
    parts += [f"不适用 {figure.not_applicable}"] if figure.not_applicable else []
    return "，".join([*parts, f"意见 {len(figure.complaints)} 条"])


def _complaints(judgement: Judgement | None) -> Iterator[tuple[str, str, Complaint]]:
    for figure in judgement.figures if judgement else ():
        for complaint in figure.complaints:
            yield figure.judge, figure.host, complaint
