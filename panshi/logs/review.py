"""The review of a period: lines for the terminal, and what is other than in the review before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from panshi.record import LogReviewRow, list_runs, read_run, verify_run
from panshi.report.text import beijing

JOB = "log_review"
# Earlier reviews that are looked through for one of each host; weekly ones reach back half a year.
_RUNS = 26


def counts(row: LogReviewRow) -> dict[str, int]:
    """Return what is counted of a host, by its Chinese name."""
    return {
        "条数": row.messages,
        "错误": sum(row.severities.get(one, 0) for one in "0123"),
        "失败登录": sum(one[0] for one in row.failed),
        "特权使用": sum(one[0] for one in row.privilege),
        "账户变更": len(row.accounts),
        "间断": len(row.gaps),
        "应用日志的错误": sum(one[2] for one in row.applications),
    }


def shown(rows: Iterable[LogReviewRow]) -> list[str]:
    """Return one line per host."""
    return [
        f"{row.host}：" + "，".join(f"{name} {number}" for name, number in counts(row).items())
        + (f"；{row.cut}" if row.cut else "")
        for row in rows
    ]  # fmt: skip


def earlier(root: Path, estate: str) -> dict[str, LogReviewRow]:
    """Return the newest review of each host, from records that are whole."""
    found: dict[str, LogReviewRow] = {}
    for path in list(reversed(list_runs(root, estate, JOB)))[:_RUNS]:
        if not verify_run(path):
            for row in read_run(path).log_reviews:
                found.setdefault(row.host, row)
    return found


def compared(rows: Iterable[LogReviewRow], before: Mapping[str, LogReviewRow]) -> list[list[Any]]:
    """Return ``[host, period before, what is counted, then, now]``, and errors that were none of the most then."""
    found: list[list[Any]] = []
    for row in rows:
        old = before.get(row.host)
        if old is None:
            continue
        period = f"{beijing(old.since)} 至 {beijing(old.until)}"
        then, now = counts(old), counts(row)
        found += [[row.host, period, name, then[name], now[name]] for name in now]
        known = {tuple(one[1:]) for one in (*old.errors, *old.application_errors)}
        for times, source, text in (*row.errors, *row.application_errors):
            if (source, text) not in known:
                found.append([row.host, period, f"新的错误 {source}：{text}", 0, times])
    return found
