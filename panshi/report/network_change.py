"""网络设备变更报告, 访问策略报告, 网络设备恢复报告: what a run of one of these jobs has planned or done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from panshi.record import NetworkChangeRow, Run
from panshi.report.html import new_environment
from panshi.report.patch import started
from panshi.report.text import beijing

_SUBJECTS = {"network_change": "网络设备变更", "network_policy": "访问策略", "network_restore": "网络设备恢复"}
_STATE = {
    "same": ("pass", "与数据一致，没有要做的"),
    "differs": ("partial", "与数据不同，没有改动"),
    "changed": ("pass", "已改，已证明，已保存"),
    "failed": ("fail", "没有改成"),
}
_UNPROVEN = ("fail", "失败，且没能证明已撤回")
_STEPS = {
    "settled": "先撤回上次没有结束的",
    "begun": "开始，记入账本",
    "pushed": "武装并下发",
    "logged_in": "新登录",
    "probed": "探测",
    "confirmed": "确认并复核",
    "saved": "保存并核对",
    "taken_back": "撤回并经新登录证明",
    "lost": "没能证明已撤回",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step in words; ``seconds`` since the beginning."""

    title: str
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Device:
    """One device in words; ``key`` is the colour of its state."""

    row: NetworkChangeRow
    key: str
    state: str
    steps: tuple[Step, ...]


def html(run: Run) -> bytes:
    """Return the report as one HTML document."""
    found = [_device(row) for row in run.network_changes]
    silent = [row for row in run.hosts if row.host not in {one.row.host for one in found}]
    template = new_environment().get_template("network_change.html.j2")
    return template.render(
        run=run,
        subject=_SUBJECTS[run.begin.job],
        found=found,
        silent=silent,
        counts=Counter(row.state for row in run.network_changes),
        unproven=sum(row.unproven for row in run.network_changes),
        carried_out=next((row.plan for row in run.network_changes if row.plan), ""),
        begun=beijing(started(run).isoformat()),
    ).encode()


def _device(row: NetworkChangeRow) -> Device:
    key, state = _UNPROVEN if row.unproven else _STATE[row.state]
    steps = tuple(Step(_STEPS[one["step"]], one["detail"], one["seconds"]) for one in row.steps)
    return Device(row, key, state, steps)
