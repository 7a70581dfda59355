"""Clause results, risks and counts follow from the rows, and from nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panshi.errors import PanshiError
from panshi.record import VerdictRow
from panshi.report.model import PLANNED, Result, bucket, build, clause_cell, summary
from panshi.verdict import Status

from .small import mixed, row, run_of, waived

CLAUSE, HOST = "8.1.4.1 a)", "web1"


def statuses(*names: str) -> list[VerdictRow]:
    return [waived("pw-age") if name == "waived" else row("pw-age", name) for name in names]


@pytest.mark.parametrize(
    ("rows", "result", "label"),
    [
        (("pass", "pass"), "conform", "符合"),
        (("fail", "fail"), "fail", "不符合"),
        (("pass", "fail"), "partial", "部分符合"),
        (("partial", "pass"), "partial", "部分符合"),
        (("not_applicable", "not_applicable"), "not_applicable", "不适用"),
        (("pass", "not_applicable"), "conform", "符合"),
        (("fail", "not_applicable"), "fail", "不符合"),
        (("pass", "manual"), "pending", "自动项符合，待人工核查"),
        (("pass", "error"), "pending", "自动项符合，有未能判定项"),
        (("manual",), "pending", "待核查"),
        (("error",), "pending", "未能判定"),
        (("fail", "manual"), "fail", "不符合（另有 1 项待核查）"),
        (("pass", "fail", "manual"), "partial", "部分符合（另有 1 项待核查）"),
        (("waived",), "fail", "不符合（含豁免 1 项）"),
        (("pass", "waived"), "partial", "部分符合（含豁免 1 项）"),
    ],
)
def test_clause_result_of_a_host(rows: tuple[str, ...], result: str, label: str) -> None:
    cell = clause_cell(CLAUSE, HOST, statuses(*rows))
    assert cell is not None
    assert (cell.result, cell.label) == (result, label)


@given(st.lists(st.sampled_from([s.value for s in Status]), min_size=1, max_size=8))
def test_a_clause_conforms_only_when_every_row_does(names: list[str]) -> None:
    cell = clause_cell(CLAUSE, HOST, statuses(*names))
    assert cell is not None
    settled = set(names) - {"not_applicable"}
    assert (cell.result is Result.CONFORM) == (settled == {"pass"})
    assert (cell.result is Result.NOT_APPLICABLE) == (not settled)


@given(st.permutations(["pass", "fail", "manual", "error", "waived", "not_applicable", "partial"]))
def test_order_of_rows_does_not_matter(names: list[str]) -> None:
    cell = clause_cell(CLAUSE, HOST, statuses(*names))
    assert cell is not None and (cell.result, cell.open, cell.waived) == (Result.PARTIAL, 2, 1)


def test_row_that_is_not_scored_does_not_decide() -> None:
    rows = [row("pw-age", "pass"), row("pw-length", "fail", scored=False)]
    cell = clause_cell(CLAUSE, HOST, rows)
    assert cell is not None and cell.result is Result.CONFORM and len(cell.rows) == 2
    assert clause_cell(CLAUSE, HOST, rows[1:]) is None


def test_planned_check_keeps_the_clause_open_and_is_counted_apart() -> None:
    planned = row("pw-age", "manual", planned=True)
    cell = clause_cell(CLAUSE, HOST, [row("pw-length", "pass"), planned])
    assert cell is not None and cell.result is Result.PENDING
    assert bucket(planned) == PLANNED
    assert bucket(row("pw-age", "error", planned=True)) == "error"


def test_figures_of_a_small_run(tmp_path: Path) -> None:
    report = build(run_of(tmp_path, mixed()))
    assert report.counts == Counter({"pass": 4, "fail": 2, "error": 1, "not_applicable": 1})
    assert [clause.id for clause in report.clauses] == ["8.1.4.1 a)", "8.1.4.1 b)", "8.1.4.10 a)"]
    assert [summary([clause]) for clause in report.clauses] == [
        "部分符合 1、符合 1",
        "不符合 1、待核查 1",
        "符合 1、不适用 1",
    ]
    assert report.results.total() == 6
    assert [(host.name, host.counts["fail"], host.results[Result.CONFORM]) for host in report.hosts] == [
        ("web1", 2, 0),
        ("web2", 0, 2),
    ]
    assert [(group.reason, group.rows, group.hosts) for group in report.errors] == [("主机应答超时", 1, ("web2",))]
    assert sum(group.rows for group in report.errors) == report.counts["error"]
    assert list(report.points) == [("安全计算环境", "身份鉴别"), ("安全计算环境", "剩余信息保护")]


def test_same_failure_of_several_hosts_is_one_finding(tmp_path: Path) -> None:
    rows = [row("pw-length", "fail", host, reason="第 5 行") for host in ("web1", "web2")]
    rows += [row("pw-length", "fail", "web3", reason="第 9 行")]
    rows += [row("pw-length", "fail", "web4", observed="别的现状")]
    (clause,) = build(run_of(tmp_path, rows)).clauses
    assert [(f.observed, f.hosts, f.reason) for f in clause.findings] == [
        ("pw-length 现状", ("web1", "web2", "web3"), "第 5 行（web1、web2）\n第 9 行（web3）"),
        ("别的现状", ("web4",), "pw-length 理由"),
    ]


def test_high_risks_are_suspected_by_the_selected_rules(tmp_path: Path) -> None:
    run = run_of(tmp_path, mixed())
    new, old = build(run, year="2025"), build(run, year="2020")
    assert [(r.clause.id, r.trigger, r.related, r.hosts) for r in new.risks] == [
        ("8.1.4.1 a)", "A-18", "", ("web1",)),
        ("8.1.4.1 b)", "", "A-24", ("web1",)),
    ]
    assert [(r.clause.id, r.condition) for r in old.risks] == [("8.1.4.1 a)", "存在弱口令（2020）")]
    assert [r.trigger for r in old.major] == [r.trigger for r in new.major] == ["A-18"]


def test_unsettled_high_risk_clause_is_not_silent(tmp_path: Path) -> None:
    report = build(run_of(tmp_path, [row("pw-length", "manual"), row("history", "pass")]))
    assert report.risks == () and [clause.id for clause in report.open_risks] == ["8.1.4.1 a)"]


def test_waived_high_risk_stays_on_the_list(tmp_path: Path) -> None:
    report = build(run_of(tmp_path, [waived("pw-age")]))
    assert [risk.clause.id for risk in report.risks] == ["8.1.4.1 a)"]
    assert [waiver["id"] for waiver in report.unused_waivers] == ["W2"]


@pytest.mark.parametrize("fault", ["missing", "doubled", "foreign", "other clause"])
def test_rows_that_are_not_checks_times_hosts_are_refused(tmp_path: Path, fault: str) -> None:
    run = run_of(tmp_path, mixed())
    rows = list(run.verdicts)
    broken = {
        "missing": rows[1:],
        "doubled": [*rows, rows[0]],
        "foreign": [*rows, replace(rows[0], host="other")],
        "other clause": [replace(rows[0], control="8.1.4.1 b)"), *rows[1:]],
    }[fault]
    with pytest.raises(PanshiError, match="PS-E4005") as caught:
        build(replace(run, verdicts=broken))
    assert "pw-length" in str(caught.value)


def test_incomplete_run_gives_no_report(tmp_path: Path) -> None:
    with pytest.raises(PanshiError, match="PS-E4007"):
        build(run_of(tmp_path, mixed(), end=False))
