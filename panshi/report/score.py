"""Rates and scores from clause results (pure). Sources: docs/report.md; what public texts leave open is said there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from panshi.report.model import Cell, Clause, Report, Result

HALF = Fraction(1, 2)
# Items of the general requirements of GB/T 22239-2019 by level; the 2021 template divides 100 points by them.
GENERAL_ITEMS = {2: 135, 3: 211}
# Factor of an item in the 2021 template. Not verified against its official text.
FACTOR_2021 = {"一般": 1, "重要": 2, "关键": 3}
MANAGEMENT_AREAS = frozenset({"安全管理制度", "安全管理机构", "安全管理人员", "安全建设管理", "安全运维管理"})
# Bounds of the 2025 conclusions (公网安〔2025〕1846号, Q20-22, by secondary sources).
UPPER_BAND, LOWER_BAND = Fraction(90, 100), Fraction(60, 100)


@dataclass(frozen=True, slots=True)
class Rate:
    """A conformity rate.

    Args:
        value: over what is settled; None when nothing is.
        low: if everything open turned out badly.
        high: if everything open turned out well.
        settled: clauses in ``value``.
        applicable: clauses that apply to at least one host.
    """

    value: Fraction | None
    low: Fraction | None
    high: Fraction | None
    settled: int
    applicable: int


@dataclass(frozen=True, slots=True)
class Score2021:
    """Deductions of the settled clauses by the 2021 formula; unverified, and an upper bound of the real score."""

    technical: Fraction
    management: Fraction
    deducted_technical: Fraction
    deducted_management: Fraction
    items: int

    @property
    def total(self) -> Fraction:
        """The score if every clause that was not settled here conformed."""
        return self.technical + self.management


def percent(value: Fraction | None) -> str:
    """Return ``87.5%``, or a dash for a rate of nothing."""
    return "—" if value is None else f"{float(value) * 100:.1f}%"


def rate(clauses: Iterable[Clause], *, strict: bool) -> Rate:
    """Return the mean over clauses of the arithmetic mean over hosts; not-applicable hosts and clauses are left out.

    Args:
        clauses: of the report, an area, or one host.
        strict: 部分符合 counts 0; else 0.5.
    """
    values, lows, highs = [], [], []
    for clause in clauses:
        cells = [cell for cell in clause.cells if cell.result is not Result.NOT_APPLICABLE]
        settled = [_value(cell.result, strict) for cell in cells if cell.result is not Result.PENDING]
        if settled:
            values.append(_mean(settled))
        if cells:
            bounds = [_bounds(cell, strict) for cell in cells]
            lows.append(_mean([low for low, _ in bounds]))
            highs.append(_mean([high for _, high in bounds]))
    if not lows:
        return Rate(None, None, None, 0, 0)
    return Rate(_mean(values) if values else None, _mean(lows), _mean(highs), len(values), len(lows))


def host_rate(cells: Iterable[Cell], *, strict: bool) -> Rate:
    """Return the rate of one host."""
    return rate([Clause(cell.control, {}, (cell,)) for cell in cells], strict=strict)


def conclusion_2025(value: Fraction | None, suspected: int) -> str:
    """Return the band of the 2025 template in Chinese; ``suspected`` is the number of suspected major risks."""
    if value is None:
        return "无法估算"
    if value < LOWER_BAND:
        return "不符合"
    return "符合" if value > UPPER_BAND and not suspected else "基本符合"


def score_2021(report: Report) -> Score2021:
    """Return the 2021 score with y = 0.5: each settled clause costs factor × (1 - mean) × 100 / items."""
    items = GENERAL_ITEMS[report.run.begin.level]
    lost = {True: Fraction(0), False: Fraction(0)}
    for clause in report.clauses:
        settled = [_value(c.result, False) for c in clause.cells if c.result in _SETTLED]
        if settled:
            factor = FACTOR_2021[clause.snapshot["weight_2021"]]
            lost[clause.snapshot["area"] in MANAGEMENT_AREAS] += factor * (1 - _mean(settled)) * Fraction(100, items)
    half = 100 * HALF
    return Score2021(
        max(Fraction(0), half - lost[False]), max(Fraction(0), half - lost[True]), lost[False], lost[True], items
    )


_SETTLED = (Result.CONFORM, Result.PARTIAL, Result.FAIL)


def _mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _value(result: Result, strict: bool) -> Fraction:
    partial = Fraction(0) if strict else HALF
    return {Result.CONFORM: Fraction(1), Result.PARTIAL: partial}.get(result, Fraction(0))


def _bounds(cell: Cell, strict: bool) -> tuple[Fraction, Fraction]:
    if cell.result is Result.PENDING:
        return _value(Result.PARTIAL if cell.passes else Result.FAIL, strict), Fraction(1)
    value = _value(cell.result, strict)
    return value, _value(Result.PARTIAL, strict) if cell.result is Result.FAIL and cell.open else value
