"""Reviews of earlier runs, as the records have them."""

from __future__ import annotations

from pathlib import Path

from panshi.errors import PanshiError
from panshi.record import DatabaseRow, Run, list_runs, read_run, verify_run

JOB = "db_review"


def last_reviews(records: Path, estate: str, run: str = "") -> dict[str, DatabaseRow]:
    """Return the last review of each primary, of records that are whole and that nobody has changed.

    Args:
        records: the folder ``records``.
        estate: name of the estate.
        run: this run alone, or all of them.

    Raises:
        PanshiError: PS-E7504, the run that was named is not there, or its record was changed.
    """
    found: dict[str, DatabaseRow] = {}
    for path in reversed(list_runs(records, estate, JOB)):
        if run and path.name != run:
            continue
        one = _whole(path)
        if one is None and run:
            raise PanshiError("PS-E7504", f"审查 {run} 的记录不完整或被改动", "用另一次审查，或重新审查")
        for row in one.databases if one else ():
            found.setdefault(row.host, row)
    if run and not found:
        raise PanshiError("PS-E7504", f"{records} 中没有审查 {run}，或它没有结果", "编号见 records/<环境>/db_review/")
    return found


def _whole(path: Path) -> Run | None:
    try:
        return None if verify_run(path) else read_run(path)
    except PanshiError:
        return None
