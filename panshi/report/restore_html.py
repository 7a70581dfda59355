"""备份恢复验证报告 as one self-contained HTML file without any script."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from panshi.report.charts import STEP_COLOURS, steps_chart, trend
from panshi.report.html import new_environment
from panshi.report.patch import ended, started
from panshi.report.restore import (
    NOT_REACHED,
    STATE_KEY,
    STATE_ZH,
    Proof,
    Proving,
    Step,
    aged,
    changed,
    gaps,
    sized,
)
from panshi.report.text import clock, lasting

REST = "其余"
# Rows that are the same are folded away where a table has more than these.
_OPEN = 12


def render(report: Proving) -> str:
    """Return the report as one HTML document."""
    return (
        new_environment()
        .get_template("restore.html.j2")
        .render(
            report=report,
            run=report.run,
            chart=chart,
            line=line,
            history=history,
            aged=aged,
            changed=changed,
            gaps=gaps,
            sized=sized,
            clock=clock,
            lasting=lasting,
            started=started(report.run),
            ended=ended(report.run),
            STATE_ZH=STATE_ZH,
            STATE_KEY=STATE_KEY,
            STEP_COLOURS=STEP_COLOURS,
            NOT_REACHED=NOT_REACHED,
            OPEN=_OPEN,
        )
    )


def chart(report: Proving) -> Markup:
    """Return the picture of the steps of every host that has a result."""
    return steps_chart(
        [(one.host, [(key(step), step.seconds, _told(step)) for step in _all(one)]) for one in report.results]
    )


def key(step: Step) -> str:
    """Return the key of a step's colour; steps of files carry the name of their set."""
    return next((known for known in STEP_COLOURS if step.name.startswith(known)), REST)


def history(report: Proving, proof: Proof) -> list[Proof]:
    """Return the earlier results of a host and this one, the oldest first."""
    return [*report.earlier.get(proof.host, ()), proof]


def line(proofs: list[Proof]) -> Markup:
    """Return the picture of the seconds that restores took, of those that came to their end."""
    values = [
        (one.rto, one.state == "proven", f"{clock(one.at)} RTO {lasting(one.rto)}，{STATE_ZH[one.state]}")
        for one in proofs
        if one.rto is not None
    ]
    return trend(values) if len(values) > 1 else Markup("")


def _all(proof: Proof) -> Iterator[Step]:
    yield from proof.steps
    if proof.rest:
        yield Step(REST, proof.rest, False)


def _told(step: Step) -> str:
    what = "恢复" if step.restore else "准备与清理" if step.name == REST else "核对"
    return f"{step.name} {lasting(step.seconds)}（{what}）"
