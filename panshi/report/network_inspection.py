"""网络设备巡检报告: how the devices of one run of ``network_inspect.yml`` are, as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from panshi.network.inspection import WORDS
from panshi.record import NetworkInspectionRow, Run
from panshi.report.evidence import ITEM_LIMIT
from panshi.report.html import new_environment
from panshi.report.patch import started
from panshi.report.text import beijing
from panshi.verdict import Status

_FINDINGS = (Status.FAIL, Status.PARTIAL)


def html(run: Run) -> bytes:
    """Return the report as one HTML document."""
    found = sorted(run.network_inspections, key=_worst_first)
    named = {row.host for row in found}
    template = new_environment().get_template("network_inspection.html.j2")
    return template.render(
        run=run,
        found=found,
        silent=[row for row in run.hosts if row.host not in named],
        titles={one["id"]: one["title"] for row in found for one in row.subjects},
        words=WORDS,
        status=Status,
        read=sum(row.state == "read" for row in found),
        wanted=sum(row.state != "skipped" for row in found),
        bad=sum(_count(row, *_FINDINGS) for row in found),
        unread=sum(_count(row, Status.ERROR) for row in found),
        most=ITEM_LIMIT,
        left=_left,
        beijing=beijing,
        begun=beijing(started(run).isoformat()),
    ).encode()


def _worst_first(row: NetworkInspectionRow) -> tuple[int, int, int, str]:
    return (
        ("failed", "read", "skipped").index(row.state),
        -_count(row, *_FINDINGS),
        -_count(row, Status.ERROR),
        row.host,
    )


def _count(row: NetworkInspectionRow, *statuses: Status) -> int:
    return sum(one["status"] in statuses for one in row.subjects)


def _left(subject: Mapping[str, Any]) -> int:
    """Return how many characters of an answer the report does not show."""
    return max(0, len(subject["out"]) - ITEM_LIMIT) + int(subject["cut"])
