"""网络设备备份报告: what one run of ``network_backup.yml`` has kept, and what is to be done, as HTML."""

from __future__ import annotations

from dataclasses import dataclass

from panshi.record import NetworkBackupRow, Run
from panshi.report.html import new_environment
from panshi.report.patch import started
from panshi.report.text import beijing

_STATE = {"changed": ("pass", "有变化，已备份"), "same": ("pass", "已备份，无变化"), "failed": ("fail", "没有备份成")}
_STALE, _UNSAVED = "PS-E8052", "PS-E8053"


@dataclass(frozen=True, slots=True)
class Backup:
    """One device in words; ``key`` is the colour of its state."""

    row: NetworkBackupRow
    key: str
    state: str
    last: str
    saved: str


def html(run: Run) -> bytes:
    """Return the report as one HTML document."""
    found = [_backup(row) for row in run.network_backups]
    silent = [row for row in run.hosts if row.host not in {one.row.host for one in found}]
    counts = {
        "kept": sum(row.state != "failed" for row in run.network_backups),
        "stale": _count(run, _STALE),
        "unsaved": _count(run, _UNSAVED),
    }
    template = new_environment().get_template("network_backup.html.j2")
    begun = beijing(started(run).isoformat())
    return template.render(run=run, found=found, silent=silent, counts=counts, begun=begun).encode()


def _backup(row: NetworkBackupRow) -> Backup:
    key, state = _STATE[row.state]
    saved = "没有读到" if row.state == "failed" else "已保存" if row.saved else "未保存"
    return Backup(row, key, state, beijing(row.last) if row.last else "从未", saved)


def _count(run: Run, code: str) -> int:
    return sum(any(one["code"] == code for one in row.findings) for row in run.network_backups)
