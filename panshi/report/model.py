"""Run → rows, clause results, risks: every figure of a report is computed here from rows, without I/O.

The rules and their sources are told to the reader in docs/report.md; both must be changed together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from panshi.controls.catalogue import clause_key
from panshi.errors import PanshiError
from panshi.record import HostRow, Run, VerdictRow
from panshi.report.drift import Drift, compare
from panshi.verdict import STATUS_ZH, Status

PLANNED = "planned"
BUCKETS: dict[str, str] = {
    Status.PASS: STATUS_ZH[Status.PASS],
    Status.PARTIAL: STATUS_ZH[Status.PARTIAL],
    Status.FAIL: STATUS_ZH[Status.FAIL],
    Status.WAIVED: STATUS_ZH[Status.WAIVED],
    Status.MANUAL: STATUS_ZH[Status.MANUAL],
    PLANNED: "计划中（检查未编写）",
    Status.ERROR: STATUS_ZH[Status.ERROR],
    Status.NOT_APPLICABLE: STATUS_ZH[Status.NOT_APPLICABLE],
}
STATE_ZH = {
    "collected": "采集完成",
    "partial": "部分采集",
    "unreachable": "不可达",
    "refused": "拒绝访问",
    "failed": "采集失败",
}
DISRUPTION_ZH = {"low": "低", "medium": "中", "high": "高"}
MODE_ZH = {"auto": "自动判定", "evidence": "自动取证、人工判定", "manual": "人工核查"}


class Result(StrEnum):
    """Result of one clause on one host, or ``PENDING`` while a person or an error still has to be settled."""

    CONFORM = "conform"
    PARTIAL = "partial"
    FAIL = "fail"
    PENDING = "pending"
    NOT_APPLICABLE = "not_applicable"


RESULT_ZH: dict[Result, str] = {
    Result.CONFORM: "符合",
    Result.PARTIAL: "部分符合",
    Result.FAIL: "不符合",
    Result.PENDING: "待核查",
    Result.NOT_APPLICABLE: "不适用",
}
FAILING = (Result.FAIL, Result.PARTIAL)


@dataclass(frozen=True, slots=True)
class Cell:
    """One clause on one host.

    Args:
        control: clause id.
        host: host name.
        result: computed from the scored rows.
        rows: all rows of the clause on the host, also those that are not scored.
        passes: scored rows that conform.
        open: scored rows that nobody has settled yet (manual, planned, error).
        errors: those of ``open`` that are errors.
        waived: scored rows under an active waiver; they count as what the check said.
    """

    control: str
    host: str
    result: Result
    rows: tuple[VerdictRow, ...]
    passes: int = 0
    open: int = 0
    errors: int = 0
    waived: int = 0

    @property
    def label(self) -> str:
        """Return the result in Chinese with what limits it."""
        text = RESULT_ZH[self.result]
        if self.result is Result.PENDING and self.passes:
            text = "自动项符合，有未能判定项" if self.open == self.errors else "自动项符合，待人工核查"
        elif self.result is Result.PENDING and self.open == self.errors:
            text = "未能判定"
        elif self.result in FAILING and self.open:
            text += f"（另有 {self.open} 项待核查）"
        return f"{text}（含豁免 {self.waived} 项）" if self.waived else text


@dataclass(frozen=True, slots=True)
class Finding:
    """The same failure of one check on one or more hosts; ``reason`` has a line per reason when they differ."""

    check: str
    title: str
    status: Status
    observed: str
    expected: str
    reason: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Clause:
    """One clause over all hosts, with the catalogue's words of that day."""

    id: str
    snapshot: Mapping[str, Any]
    cells: tuple[Cell, ...]

    @cached_property
    def results(self) -> Counter[Result]:
        """Hosts by result."""
        return Counter(cell.result for cell in self.cells)

    @property
    def failing_hosts(self) -> tuple[str, ...]:
        """Hosts on which the clause is 不符合 or 部分符合."""
        return tuple(cell.host for cell in self.cells if cell.result in FAILING)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """The clause's failing, partial and waived rows, equal ones of several hosts taken together."""
        groups: dict[tuple[str, str, Status, str, str], dict[str, list[str]]] = {}
        for cell in self.cells:
            for row in cell.rows:
                if row.status in (Status.FAIL, Status.PARTIAL, Status.WAIVED):
                    key = (row.check, row.title, row.status, row.observed, row.expected)
                    groups.setdefault(key, {}).setdefault(row.reason, []).append(row.host)
        first = {key[0]: place for place, key in reversed(list(enumerate(groups)))}
        return tuple(_finding(key, groups[key]) for key in sorted(groups, key=lambda key: first[key[0]]))


@dataclass(frozen=True, slots=True)
class Host:
    """One host over all clauses."""

    name: str
    row: HostRow
    rows: tuple[VerdictRow, ...]
    cells: tuple[Cell, ...]

    @property
    def counts(self) -> Counter[str]:
        """Rows by bucket."""
        return Counter(bucket(row) for row in self.rows)

    @property
    def results(self) -> Counter[Result]:
        """Clauses by result."""
        return Counter(cell.result for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Risk:
    """A failing clause that has a high-risk rule: suspected, a person checks the rule's condition."""

    clause: Clause
    condition: str
    case: str
    downgrade: str
    trigger: str
    related: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Rows that could not be judged for the same reason."""

    reason: str
    rows: int
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """Everything that the three formats show."""

    run: Run
    hosts: tuple[Host, ...]
    clauses: tuple[Clause, ...]
    year: str
    previous: Run | None = None
    drift: Drift = field(default_factory=Drift)

    @cached_property
    def counts(self) -> Counter[str]:
        """All rows by bucket."""
        return Counter(bucket(row) for row in self.run.verdicts)

    @cached_property
    def results(self) -> Counter[Result]:
        """Clause × host results."""
        return Counter(cell.result for clause in self.clauses for cell in clause.cells)

    @cached_property
    def risks(self) -> tuple[Risk, ...]:
        """Suspected high risks, those that trigger a 重大风险隐患 first, then by number of hosts."""
        found = [
            _risk(c, self.year) for c in self.clauses if c.failing_hosts and c.snapshot["high_risk"].get(self.year)
        ]
        return tuple(sorted(found, key=lambda r: (not r.trigger, -len(r.hosts), clause_key(r.clause.id))))

    @cached_property
    def major(self) -> tuple[Risk, ...]:
        """Suspected 重大风险隐患: failing clauses whose 2025 rule names a trigger of the template's list."""
        rules = ((c, c.snapshot["high_risk"].get("2025") or {}) for c in self.clauses if c.failing_hosts)
        return tuple(_risk(clause, "2025") for clause, rule in rules if rule.get("trigger"))

    @cached_property
    def open_risks(self) -> tuple[Clause, ...]:
        """Clauses with a high-risk rule that no host fails but that are not settled on every host."""
        return tuple(
            c
            for c in self.clauses
            if c.snapshot["high_risk"].get(self.year) and not c.failing_hosts and c.results[Result.PENDING]
        )

    @cached_property
    def errors(self) -> tuple[ErrorGroup, ...]:
        """Error rows by reason, the most frequent first."""
        groups: dict[str, list[str]] = {}
        for row in self.run.verdicts:
            if row.status is Status.ERROR:
                groups.setdefault(row.reason or row.observed or "未说明原因", []).append(row.host)
        found = [ErrorGroup(reason, len(h), tuple(dict.fromkeys(h))) for reason, h in groups.items()]
        return tuple(sorted(found, key=lambda group: -group.rows))

    @cached_property
    def waived(self) -> tuple[VerdictRow, ...]:
        """Rows under a waiver, active or expired."""
        return tuple(row for row in self.run.verdicts if row.waiver)

    @cached_property
    def unused_waivers(self) -> tuple[Mapping[str, Any], ...]:
        """Waivers of the estate that met no finding in this run."""
        used = {row.waiver["id"] for row in self.waived if row.waiver}
        return tuple(waiver for waiver in self.run.begin.waivers if waiver["id"] not in used)

    @cached_property
    def points(self) -> dict[tuple[str, str], tuple[Clause, ...]]:
        """Clauses by (area, control point), in the order of the standard."""
        found: dict[tuple[str, str], list[Clause]] = {}
        for clause in self.clauses:
            found.setdefault((clause.snapshot["area"], clause.snapshot["control_point"]), []).append(clause)
        return {key: tuple(clauses) for key, clauses in found.items()}


def build(run: Run, previous: Run | None = None, year: str = "2025") -> Report:
    """Compute a report.

    Args:
        run: a complete run.
        previous: the run to compare with.
        year: rules for high risks, ``2020`` or ``2025``.

    Raises:
        PanshiError: PS-E4007 the run is incomplete; PS-E4005 its rows are not checks × hosts.
    """
    if run.end is None:
        raise PanshiError("PS-E4007", f"运行 {run.path.name} 没有结束行，未完成，不能出报告", "重新执行审计")
    check_rows(run)
    by_host: dict[str, list[VerdictRow]] = {host["name"]: [] for host in run.begin.hosts}
    for row in run.verdicts:
        by_host[row.host].append(row)
    states = {row.host: row for row in run.hosts}
    cells = {name: tuple(_cells(name, rows)) for name, rows in by_host.items()}
    hosts = tuple(
        Host(name, states.get(name) or HostRow(host=name, state="failed"), tuple(rows), cells[name])
        for name, rows in by_host.items()
    )
    by_clause: dict[str, list[Cell]] = {}
    for cell in (cell for host in hosts for cell in host.cells):
        by_clause.setdefault(cell.control, []).append(cell)
    clauses = tuple(
        Clause(name, run.begin.controls[name], tuple(by_clause[name])) for name in sorted(by_clause, key=clause_key)
    )
    drift = compare(previous.verdicts, run.verdicts) if previous is not None else Drift()
    return Report(run, hosts, clauses, year, previous, drift)


def check_rows(run: Run) -> None:
    """Prove that the rows are exactly checks × hosts.

    Raises:
        PanshiError: PS-E4005 naming the first rows that are missing, doubled or not asked for.
    """
    wanted = Counter(
        (host["name"], name)
        for host in run.begin.hosts
        for name, check in run.begin.checks.items()
        if check["target"] in host["targets"]
    )
    found = Counter((row.host, row.check) for row in run.verdicts)
    stray = [row for row in run.verdicts if run.begin.checks.get(row.check, {}).get("control") != row.control]
    faults = [
        *(f"缺少 {host}/{check}" for host, check in (wanted - found)),
        *(f"多出 {host}/{check}" for host, check in (found - wanted)),
        *(f"{row.host}/{row.check} 的条款 {row.control} 与登记不符" for row in stray),
        *(f"条款 {c['control']} 没有登记" for c in run.begin.checks.values() if c["control"] not in run.begin.controls),
    ]
    if faults:
        raise PanshiError(
            "PS-E4005",
            f"运行 {run.path.name} 的结果行不等于 检查项 × 主机（应 {wanted.total()} 行，实 {found.total()} 行）："
            + "；".join(faults[:3])
            + (f" 等 {len(faults)} 处" if len(faults) > 3 else ""),
            "重新执行审计；若再次出现，请附运行记录报告缺陷",
        )


def summary(clauses: Iterable[Clause]) -> str:
    """Return the results of clauses × hosts by gravity: ``不符合 2、符合 1``."""
    results = Counter(cell.result for clause in clauses for cell in clause.cells)
    order = (Result.FAIL, Result.PARTIAL, Result.PENDING, Result.CONFORM, Result.NOT_APPLICABLE)
    return "、".join(f"{RESULT_ZH[result]} {results[result]}" for result in order if results[result])


def bucket(row: VerdictRow) -> str:
    """Return the row's status, with planned checks apart from those that wait for a person."""
    return PLANNED if row.planned and row.status is Status.MANUAL else row.status.value


def clause_cell(control: str, host: str, rows: Iterable[VerdictRow]) -> Cell | None:
    """Return the result of a clause on a host, or None when none of its rows is scored.

    A waived row counts as what its check said. Rows nobody has settled never make a clause conform: with passes only
    it stays ``PENDING``; with failures only it is ``FAIL`` for now; with both it is ``PARTIAL`` whatever they become.
    """
    rows = tuple(rows)
    scored = [row for row in rows if row.scored]
    if not scored:
        return None
    effective = [_effective(row) for row in scored]
    applicable = [status for status in effective if status is not Status.NOT_APPLICABLE]
    passes = applicable.count(Status.PASS)
    fails = applicable.count(Status.FAIL)
    partials = applicable.count(Status.PARTIAL)
    pending = len(applicable) - passes - fails - partials
    if not applicable:
        result = Result.NOT_APPLICABLE
    elif partials or (passes and fails):
        result = Result.PARTIAL
    elif fails:
        result = Result.FAIL
    else:
        result = Result.PENDING if pending else Result.CONFORM
    errors = applicable.count(Status.ERROR)
    waived = sum(row.status is Status.WAIVED for row in scored)
    return Cell(control, host, result, rows, passes, pending, errors, waived)


def _finding(key: tuple[str, str, Status, str, str], reasons: Mapping[str, Sequence[str]]) -> Finding:
    hosts = tuple(host for names in reasons.values() for host in names)
    lines = [
        f"{reason}（{'、'.join(names[:3])}{f' 等 {len(names)} 台' if len(names) > 3 else ''}）"
        for reason, names in reasons.items()
    ]
    return Finding(*key, next(iter(reasons)) if len(lines) == 1 else "\n".join(lines), hosts)


def _effective(row: VerdictRow) -> Status:
    return Status(row.waiver["status"]) if row.status is Status.WAIVED and row.waiver else row.status


def _cells(host: str, rows: Sequence[VerdictRow]) -> Iterable[Cell]:
    by_clause: dict[str, list[VerdictRow]] = {}
    for row in rows:
        by_clause.setdefault(row.control, []).append(row)
    for control in sorted(by_clause, key=clause_key):
        cell = clause_cell(control, host, by_clause[control])
        if cell is not None:
            yield cell


def _risk(clause: Clause, year: str) -> Risk:
    rule = clause.snapshot["high_risk"][year]
    texts = {key: str(rule.get(key) or "") for key in ("condition", "case", "downgrade", "trigger", "related")}
    return Risk(clause, hosts=clause.failing_hosts, **texts)
