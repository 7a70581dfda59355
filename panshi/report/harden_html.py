"""The before-and-after report as one self-contained HTML file without any script."""

from __future__ import annotations

from collections import Counter

from panshi.judges.compare import result_text
from panshi.report import score
from panshi.report.harden import (
    APPLY,
    EVENT_ZH,
    HOST_STATE_ZH,
    OPT_IN,
    OUTCOME_ZH,
    Hardening,
    Outcome,
    brief,
    high_risk,
    progress,
    titles,
)
from panshi.report.html import new_environment
from panshi.verdict import Status

# Colours of the outcomes are those of the verdicts that decide them.
OUTCOME_KEY = {
    Outcome.DONE: Status.PASS,
    Outcome.OPEN: Status.FAIL,
    Outcome.UNPROVEN: Status.ERROR,
    Outcome.NOT_APPLICABLE: Status.NOT_APPLICABLE,
}
LEFT_ZH = OUTCOME_ZH | {Outcome.DONE: "符合", Outcome.OPEN: "仍不符合"}


def render(report: Hardening) -> str:
    """Return the report as one HTML document."""
    audits = (report.before, report.after)
    old, new = ({host.name: host for host in audit.hosts} for audit in audits)
    shared = [name for name in report.hosts if name in old and name in new]
    done = Counter(step.plan.host for step in report.applied if step.outcome is Outcome.DONE)
    return (
        new_environment()
        .get_template("harden.html.j2")
        .render(
            report=report,
            run=report.run,
            begin=report.run.begin,
            pairs=[(old[name], new[name]) for name in shared],
            missing_hosts=[name for name in report.hosts if name not in shared],
            different_checks=set(report.before.run.begin.checks) != set(report.after.run.begin.checks),
            old_progress=progress(report.before),
            new_progress=progress(report.after),
            progress=progress,
            strict=[score.rate(audit.clauses, strict=True) for audit in audits],
            weighted=[score.rate(audit.clauses, strict=False) for audit in audits],
            old_cells=report.cells(report.before),
            new_cells=report.cells(report.after),
            titles=titles(report),
            cases=high_risk(report),
            applied=report.groups(APPLY),
            opt_in=report.groups(OPT_IN),
            waived=report.groups("waived"),
            elsewhere=report.groups("elsewhere"),
            left=sum(step.plan.action == OPT_IN for step in report.steps),
            changes_of=Counter(change.host for change in report.run.changes),
            applied_of=Counter(step.plan.host for step in report.applied),
            done_of=done,
            brief=brief,
            result_text=result_text,
            OUTCOME_ZH=OUTCOME_ZH,
            OUTCOME_KEY=OUTCOME_KEY,
            LEFT_ZH=LEFT_ZH,
            EVENT_ZH=EVENT_ZH,
            HOST_STATE_ZH=HOST_STATE_ZH,
        )
    )
