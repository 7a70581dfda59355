"""Rates and scores, worked out by hand."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panshi.report.model import Clause, build, clause_cell
from panshi.report.score import conclusion_2025, host_rate, percent, rate, score_2021
from panshi.verdict import Status

from .small import mixed, row, run_of


def test_rates_of_a_small_run(tmp_path: Path) -> None:
    clauses = build(run_of(tmp_path, mixed())).clauses
    # a) partial and conform; b) fail and an open row; 8.1.4.10 a) not applicable and conform.
    strict, weighted = rate(clauses, strict=True), rate(clauses, strict=False)
    assert strict.value == (Fraction(1, 2) + 0 + 1) / 3
    assert weighted.value == (Fraction(3, 4) + 0 + 1) / 3
    assert (strict.low, strict.high) == (Fraction(1, 2), (Fraction(1, 2) + Fraction(1, 2) + 1) / 3)
    assert (strict.settled, strict.applicable) == (3, 3)


def test_rate_of_a_host(tmp_path: Path) -> None:
    web1, web2 = build(run_of(tmp_path, mixed())).hosts
    assert host_rate(web1.cells, strict=False).value == Fraction(1, 4)
    assert host_rate(web2.cells, strict=True).value == 1
    assert host_rate(web2.cells, strict=True).low == Fraction(2, 3)


def test_open_clause_is_not_in_the_rate_and_widens_its_range() -> None:
    open_cell = clause_cell("8.1.4.1 a)", "web1", [row("pw-age", "pass"), row("pw-length", "manual")])
    assert open_cell is not None
    found = rate([Clause("8.1.4.1 a)", {}, (open_cell,))], strict=False)
    assert (found.value, found.low, found.high, found.settled) == (None, Fraction(1, 2), 1, 0)


def test_nothing_applicable_is_a_dash_and_not_a_full_score() -> None:
    cell = clause_cell("8.1.4.1 a)", "web1", [row("pw-age", "not_applicable")])
    assert cell is not None
    assert percent(rate([Clause("8.1.4.1 a)", {}, (cell,))], strict=True).value) == "—"
    assert conclusion_2025(None, 0) == "无法估算"


@given(st.lists(st.lists(st.sampled_from([s.value for s in Status if s is not Status.WAIVED]), min_size=1), min_size=1))
def test_range_is_ordered_and_strict_is_never_above_weighted(hosts: list[list[str]]) -> None:
    cells = [clause_cell("8.1.4.1 a)", f"h{n}", [row("pw-age", s) for s in names]) for n, names in enumerate(hosts)]
    clause = Clause("8.1.4.1 a)", {}, tuple(cell for cell in cells if cell))
    strict, weighted = rate([clause], strict=True), rate([clause], strict=False)
    for one in (strict, weighted):
        assert (one.low is None) == (one.high is None)
        assert one.low is None or one.high is None or 0 <= one.low <= one.high <= 1
    assert (strict.value is None) == (weighted.value is None)
    assert strict.value is None or weighted.value is None or strict.value <= weighted.value


@pytest.mark.parametrize(
    ("value", "suspected", "conclusion"),
    [
        (Fraction(91, 100), 0, "符合"),
        (Fraction(91, 100), 1, "基本符合"),
        (Fraction(90, 100), 0, "基本符合"),
        (Fraction(60, 100), 5, "基本符合"),
        (Fraction(599, 1000), 0, "不符合"),
    ],
)
def test_bands_of_2025(value: Fraction, suspected: int, conclusion: str) -> None:
    assert conclusion_2025(value, suspected) == conclusion


def test_score_of_2021_takes_only_what_is_settled(tmp_path: Path) -> None:
    score = score_2021(build(run_of(tmp_path, mixed())))
    # 关键 (3) loses a quarter, 重要 (2) all, of 100/211 points each.
    assert score.deducted_technical == (3 * Fraction(1, 4) + 2) * Fraction(100, 211)
    assert score.deducted_management == 0 and score.management == 50
    assert score.total == 100 - score.deducted_technical


def test_management_centre_is_technical_and_operations_are_management(tmp_path: Path) -> None:
    report = build(run_of(tmp_path, [row("pw-age", "fail"), row("lockout", "fail")]))
    first, second = report.clauses
    first.snapshot["area"] = "安全管理中心"  # type: ignore[index]
    second.snapshot["area"] = "安全运维管理"  # type: ignore[index]
    score = score_2021(report)
    assert (score.deducted_technical, score.deducted_management) == (Fraction(300, 211), Fraction(200, 211))
