"""补丁实施报告 as one self-contained HTML file without any script."""

from __future__ import annotations

from markupsafe import Markup

from panshi.report.charts import PHASE_COLOURS, gantt
from panshi.report.harden import EVENT_ZH
from panshi.report.html import new_environment
from panshi.report.patch import (
    FATE_KEY,
    FATE_ZH,
    NO_ADVISORY,
    PHASE_ZH,
    STATE_KEY,
    STATE_ZH,
    Part,
    Patching,
    ended,
    last_seen,
    started,
)
from panshi.report.text import clock, lasting


def render(report: Patching) -> str:
    """Return the report as one HTML document."""
    return (
        new_environment()
        .get_template("patch.html.j2")
        .render(
            report=report,
            chart=chart,
            clock=clock,
            lasting=lasting,
            started=started,
            ended=ended,
            last_seen=last_seen,
            FATE_ZH=FATE_ZH,
            FATE_KEY=FATE_KEY,
            HOST_ZH=STATE_ZH,
            HOST_KEY=STATE_KEY,
            PHASE_ZH=PHASE_ZH,
            PHASE_COLOURS=PHASE_COLOURS,
            EVENT_ZH=EVENT_ZH,
            NO_ADVISORY=NO_ADVISORY,
        )
    )


def chart(part: Part) -> Markup:
    """Return the picture of one wave in one run."""
    return gantt(
        [
            (
                host.name,
                [
                    (
                        phase.event,
                        phase.begin,
                        phase.end,
                        f"{PHASE_ZH.get(phase.event, phase.event)} {clock(phase.begin)} 起 {lasting(phase.seconds)}",
                    )
                    for phase in attempt.phases
                ],
            )
            for host, attempt in part.hosts
        ]
    )
