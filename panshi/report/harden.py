"""A change job between two audits: every figure of the before-and-after report, computed from rows without I/O.

A step counts as done only when the audit after the job passes it: what a role believes proves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from panshi.controls.catalogue import clause_key
from panshi.judges.compare import Comparison
from panshi.record import ChangeRow, GuardRow, PlanRow, Run, SkipRow, VerdictRow
from panshi.report.model import Cell, Report, build
from panshi.verdict import Status

APPLY, OPT_IN = "apply", "opt_in"
ACTION_ZH = {
    APPLY: "本次整改",
    OPT_IN: "留待选项",
    "waived": "已豁免，不改",
    "elsewhere": "不由加固完成",
    "not_applicable": "不适用",
}
EVENT_ZH = {
    "second_way": "已验证第二条登录途径",
    "armed": "已设定时恢复",
    "probe": "新会话探测",
    "disarmed": "已解除定时恢复",
    "restored": "已自动恢复",
    "failed": "失败",
}
HOST_STATE_ZH = {"changed": "有变更", "unchanged": "无变更", "failed": "失败", "unreachable": "不可达"}


class Outcome(StrEnum):
    """What the second audit says about a step that was applied."""

    DONE = "done"
    OPEN = "open"
    UNPROVEN = "unproven"
    NOT_APPLICABLE = "not_applicable"


OUTCOME_ZH = {
    Outcome.DONE: "已完成",
    Outcome.OPEN: "未完成",
    Outcome.UNPROVEN: "未证实",
    Outcome.NOT_APPLICABLE: "不适用",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One planned check on one host, what both audits say about it, and the changes that were made for it."""

    plan: PlanRow
    before: VerdictRow | None
    after: VerdictRow | None
    changes: tuple[ChangeRow, ...]

    @property
    def outcome(self) -> Outcome:
        """What the audit after the job says; nobody else is asked."""
        match self.after.status if self.after else None:
            case Status.PASS:
                return Outcome.DONE
            case Status.FAIL | Status.PARTIAL | Status.WAIVED:
                return Outcome.OPEN
            case Status.NOT_APPLICABLE:
                return Outcome.NOT_APPLICABLE
        return Outcome.UNPROVEN


@dataclass(frozen=True, slots=True)
class Group:
    """Steps of one check that came to the same end, with the changes that several hosts share taken together."""

    plan: PlanRow
    outcome: Outcome
    steps: tuple[Step, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of the steps."""
        return tuple(step.plan.host for step in self.steps)

    @property
    def observed(self) -> tuple[str, ...]:
        """What the two audits saw, ``before → after``, each pair once."""
        pairs = (f"{_seen(step.before)} → {_seen(step.after)}" for step in self.steps)
        return tuple(dict.fromkeys(pairs))

    @property
    def changes(self) -> tuple[Edit, ...]:
        """Changes made for the check."""
        return edits(change for step in self.steps for change in step.changes)


@dataclass(frozen=True, slots=True)
class Edit:
    """The same change of the same resource on one or more hosts."""

    role: str
    resource: str
    title: str
    before: str
    after: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """Automatic rows of an audit: those that pass, of those that apply. Errors and waived rows are not passed."""

    passed: int
    applicable: int
    waived: int = 0

    @property
    def text(self) -> str:
        """Return ``87.5%``; 100 % only when nothing is missing."""
        if not self.applicable:
            return "—"
        share = 1000 * self.passed // self.applicable
        return f"{share // 10}.{share % 10}%"

    @property
    def without_waived(self) -> Progress:
        """What it is when rows under an active waiver are left out."""
        return Progress(self.passed, self.applicable - self.waived)


@dataclass(frozen=True)
class Hardening:
    """Everything that the report of a hardening run shows; both audits hold exactly the hosts of the run."""

    run: Run
    before: Report
    after: Report
    steps: tuple[Step, ...]
    judges: Comparison

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of the run in the order of the inventory."""
        return tuple(host["name"] for host in self.run.begin.hosts)

    @cached_property
    def applied(self) -> tuple[Step, ...]:
        """Steps that the job was to bring to pass."""
        return tuple(step for step in self.steps if step.plan.action == APPLY)

    @cached_property
    def outcomes(self) -> Counter[Outcome]:
        """Applied steps by what became of them."""
        return Counter(step.outcome for step in self.applied)

    @cached_property
    def done_clauses(self) -> tuple[str, ...]:
        """Clauses of which every applied step is done on every host."""
        by_clause: dict[str, set[Outcome]] = {}
        for step in self.applied:
            by_clause.setdefault(step.plan.control, set()).add(step.outcome)
        return tuple(clause for clause in sorted(by_clause, key=clause_key) if by_clause[clause] == {Outcome.DONE})

    @cached_property
    def clauses(self) -> tuple[str, ...]:
        """Clauses of either audit in the order of the standard."""
        return tuple(sorted({c.id for report in (self.before, self.after) for c in report.clauses}, key=clause_key))

    def groups(self, *actions: str) -> dict[str, tuple[Group, ...]]:
        """Return the steps of some actions by clause, equal ends of a check taken together."""
        found: dict[tuple[str, str, str, str, Outcome], list[Step]] = {}
        for step in self.steps:
            plan = step.plan
            if plan.action in actions:
                reason = "" if plan.action == APPLY else plan.reason
                key = (plan.control, plan.check, plan.action, reason, step.outcome)
                found.setdefault(key, []).append(step)
        by_clause: dict[str, list[Group]] = {}
        for key in sorted(found, key=lambda key: (clause_key(key[0]), key[1:])):
            steps = tuple(found[key])
            by_clause.setdefault(key[0], []).append(Group(steps[0].plan, key[4], steps))
        return {clause: tuple(groups) for clause, groups in by_clause.items()}

    @cached_property
    def changes(self) -> dict[str, tuple[Edit, ...]]:
        """All changes by role, in the order in which they were made."""
        by_role: dict[str, list[ChangeRow]] = {}
        for change in self.run.changes:
            by_role.setdefault(change.role, []).append(change)
        return {role: edits(changes) for role, changes in by_role.items()}

    @cached_property
    def skips(self) -> dict[tuple[str, str, str], tuple[str, ...]]:
        """Hosts by (role, resource, why)."""
        return _hosts_of(self.run.skips)

    @cached_property
    def events(self) -> Counter[str]:
        """Guard events by kind."""
        return Counter(guard.event for guard in self.run.guards)

    @cached_property
    def alarms(self) -> tuple[GuardRow, ...]:
        """Guard events after which a host is not as the job meant it to be."""
        return tuple(guard for guard in self.run.guards if guard.event in ("restored", "failed"))

    def cells(self, report: Report) -> dict[tuple[str, str], Cell]:
        """Return clause results of an audit by (clause, host)."""
        return {(cell.control, cell.host): cell for clause in report.clauses for cell in clause.cells}


def compare(run: Run, before: Run, after: Run, judges: Comparison, year: str = "2025") -> Hardening:
    """Compute the report of a hardening run.

    Args:
        run: the hardening run, complete.
        before: an audit before it, complete.
        after: an audit after it, complete.
        judges: figures of outside judges around the run; empty when none were asked.
        year: rules for high risks.

    Raises:
        PanshiError: PS-E4005, PS-E4007 for what is wrong with an audit.
    """
    hosts = [host["name"] for host in run.begin.hosts]
    old, new = (build(only_hosts(one, hosts), year=year) for one in (before, after))
    was, now = ({(row.host, row.check): row for row in report.run.verdicts} for report in (old, new))
    changes: dict[tuple[str, str], list[ChangeRow]] = {}
    for change in run.changes:
        for check in change.checks:
            changes.setdefault((change.host, check), []).append(change)
    keys = [(plan.host, plan.check) for plan in run.plans]
    steps = tuple(
        Step(plan, was.get(key), now.get(key), tuple(changes.get(key, ())))
        for plan, key in zip(run.plans, keys, strict=True)
    )
    return Hardening(run, old, new, steps, judges)


def only_hosts(run: Run, hosts: Sequence[str]) -> Run:
    """Return an audit as if it had been of some of its hosts only."""
    return replace(
        run,
        begin=replace(run.begin, hosts=[host for host in run.begin.hosts if host["name"] in hosts]),
        hosts=[row for row in run.hosts if row.host in hosts],
        verdicts=[row for row in run.verdicts if row.host in hosts],
    )


def progress(report: Report, host: str = "") -> Progress:
    """Return the automatic rows of an audit that pass, of all hosts or of one."""
    rows = [
        row.status
        for row in report.run.verdicts
        if row.mode == "auto" and not row.planned and host in ("", row.host) and row.status != Status.NOT_APPLICABLE
    ]
    return Progress(rows.count(Status.PASS), len(rows), rows.count(Status.WAIVED))


def titles(report: Hardening) -> dict[str, str]:
    """Return the title of every clause that an audit or the plan names; the catalogue's of that day."""
    known = {**report.before.run.begin.controls, **report.after.run.begin.controls}
    named = {*report.clauses, *(step.plan.control for step in report.steps)}
    return {clause: str(known.get(clause, {}).get("title", "")) for clause in named}


def high_risk(report: Hardening) -> dict[str, str]:
    """Return the condition of the high-risk rule of every clause that the plan names; empty for one without."""
    known = report.before.run.begin.controls
    rules = {
        step.plan.control: known.get(step.plan.control, {}).get("high_risk", {}).get(report.before.year)
        for step in report.steps
    }
    return {clause: f"判例条件：{rule['condition']}" if rule else "" for clause, rule in rules.items()}


def edits(changes: Iterable[ChangeRow]) -> tuple[Edit, ...]:
    """Return changes with those that several hosts share taken together, in the order of their first."""
    found: dict[tuple[str, str, str, str, str], dict[str, None]] = {}
    for change in changes:
        key = (change.role, change.resource, change.title, change.before, change.after)
        found.setdefault(key, {})[change.host] = None
    return tuple(Edit(*key, hosts=tuple(hosts)) for key, hosts in found.items())


def brief(changes: Iterable[Edit]) -> tuple[str, ...]:
    """Return changes in one line each for a table of checks: packages together, digests of contents left out.

    What a resource was before and after, byte for byte, is in the list of all changes.
    """
    lines: dict[str, None] = {}
    packages: dict[str, dict[str, None]] = {}
    for one in changes:
        kind, _, name = one.resource.partition(":")
        if kind == "package":
            packages.setdefault(_verb(one, "未安装", "安装", "卸载", "更新"), {})[name.partition(":")[0]] = None
        elif kind == "command":
            lines[f"执行 {one.title or name}"] = None
        elif "sha256" in one.before + one.after:
            lines[f"{_verb(one, '不存在', '新建', '删除', '改写')} {name}"] = None
        else:
            lines[f"{name}：{one.before or '无'} → {one.after or '无'}"] = None
    together = (f"{verb} {'、'.join(list(found)[:6])}{_more(len(found), 6)}" for verb, found in packages.items())
    return (*together, *lines)


def _verb(one: Edit, absent: str, made: str, removed: str, changed: str) -> str:
    return made if one.before == absent else removed if one.after == absent else changed


def _more(number: int, shown: int) -> str:
    return f" 等 {number} 个" if number > shown else ""


def _hosts_of(skips: Sequence[SkipRow]) -> dict[tuple[str, str, str], tuple[str, ...]]:
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for skip in skips:
        found.setdefault((skip.role, skip.resource, skip.why), {})[skip.host] = None
    return {key: tuple(hosts) for key, hosts in found.items()}


def _seen(row: VerdictRow | None) -> str:
    return row.observed or row.reason or "—" if row else "无此行"
