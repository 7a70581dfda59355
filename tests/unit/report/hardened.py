"""A small hardening run between two small audits, every figure of which can be worked out on paper."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from panshi.record import Begin, ChangeRow, EndRow, GuardRow, HostRow, PlanRow, RecordWriter, SkipRow, VerdictRow

from .small import CHECKS, row, write

BEFORE, JOB, AFTER = 0, 10, 20
EDIT = {
    "resource": "file:/etc/security/pwquality.conf",
    "title": "口令强度",
    "before": "minlen = 6",
    "after": "minlen = 10",
}


def plan(check: str, action: str = "apply", host: str = "web1", **other: Any) -> PlanRow:
    """Return a plan row of one of the checks of ``small``."""
    values = {"role": "os_login", "reason": f"{check} 原因", "cost": "" if action == "apply" else f"{check} 代价"}
    values |= {"control": CHECKS[check], "check": check, "title": f"{check} 标题"}
    return PlanRow(host=host, action=action, **values | other)


def change(host: str = "web1", *checks: str, **other: Any) -> ChangeRow:
    """Return the one change of ``EDIT`` on a host."""
    return ChangeRow(host=host, role="os_login", checks=list(checks or ("pw-length",)), **EDIT | other)


def guard(event: str, host: str = "web1", detail: str = "") -> GuardRow:
    """Return one event of the guard."""
    return GuardRow(host=host, role="os_ssh", event=event, detail=detail or f"{event} 说明", seconds=1.25)


def write_job(root: Path, rows: Sequence[Any], hosts: Sequence[str] = ("web1", "web2"), *, second: int = JOB) -> Path:
    """Write a hardening run and return its folder."""
    moment = datetime(2026, 11, 21, 3, 0, second, tzinfo=UTC)
    with RecordWriter(root, "lab", "harden", now=lambda: moment) as record:
        begin = {"operator": "张三", "profile": "linux-l3", "level": 3, "inventory": "inventories/lab"}
        targets = [{"name": name, "targets": ["linux"], "groups": []} for name in hosts]
        record.write(Begin(run=record.run, estate="lab", job="harden", hosts=targets, **begin))
        record.write(*rows)
        record.write(*(HostRow(host=name, state="changed") for name in hosts))
        record.write(EndRow(counts={}, hosts={"changed": len(hosts)}, seconds=2.5, exit=0))
    return record.path


def audits(root: Path, old: Sequence[VerdictRow], new: Sequence[VerdictRow]) -> tuple[Path, Path]:
    """Write an audit before and one after the job."""
    return write(root, old, second=BEFORE), write(root, new, second=AFTER)


def rows_of(**status: str) -> list[VerdictRow]:
    """Return rows of ``web1`` and ``web2``; ``pw_length="fail pass"`` gives the status on each."""
    wanted = {"pw_length": "fail fail", "pw_age": "pass pass", "lockout": "fail fail", "history": "pass pass"} | status
    return [
        row(name.replace("_", "-"), both.split()[place], host)
        for place, host in enumerate(("web1", "web2"))
        for name, both in wanted.items()
    ]


def story(root: Path) -> tuple[Path, Path, Path]:
    """Write the usual case and return its three folders.

    The job applies pw-length on both hosts (web2 still fails after it), leaves lockout for opt-in, waives pw-age and
    leaves history to another job.
    """
    old, new = audits(root, rows_of(), rows_of(pw_length="pass fail"))
    rows = [
        *(plan("pw-length", host=host) for host in ("web1", "web2")),
        *(plan("lockout", "opt_in", host, reason="可能锁定账户") for host in ("web1", "web2")),
        plan("pw-age", "waived", reason="李四：改造期间（至 2027-03-31）"),
        plan("history", "elsewhere", reason="由日志作业完成"),
        *(guard(event) for event in ("second_way", "armed")),
        *(change(host) for host in ("web1", "web2")),
        *(guard(event) for event in ("probe", "disarmed")),
        SkipRow(host="web2", role="os_kernel", resource="sysctl:kernel.kptr_restrict", why="容器共享宿主机内核"),
    ]
    return write_job(root, rows), old, new
