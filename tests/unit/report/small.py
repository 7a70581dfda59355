"""Small hand-made runs whose every figure can be worked out on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from panshi.record import Begin, EndRow, HostRow, RecordWriter, Run, VerdictRow, read_run
from panshi.verdict import Status

RISK = {
    "2020": {"condition": "存在弱口令（2020）"},
    "2025": {"condition": "存在弱口令", "case": "6.4.1.1", "downgrade": "限制登录", "trigger": "A-18"},
}
CONTROLS = {
    "8.1.4.1 a)": {"title": "口令", "control_point": "身份鉴别", "high_risk": RISK, "weight_2021": "关键"},
    "8.1.4.1 b)": {
        "title": "登录失败处理",
        "control_point": "身份鉴别",
        "high_risk": {"2020": None, "2025": {"condition": "相关", "related": "A-24"}},
        "weight_2021": "重要",
    },
    "8.1.4.10 a)": {"title": "剩余信息", "control_point": "剩余信息保护", "high_risk": {"2020": None, "2025": None}},
}
CHECKS = {
    "pw-length": "8.1.4.1 a)",
    "pw-age": "8.1.4.1 a)",
    "lockout": "8.1.4.1 b)",
    "history": "8.1.4.10 a)",
}
WAIVER = {
    "id": "W1",
    "selector": "pw-age",
    "hosts": ["all"],
    "owner": "李四",
    "reason": "改造期间",
    "expires": "2027-03-31",
    "compensation": "堡垒机",
    "ticket": "BG-1",
}


def row(check: str, status: str, host: str = "web1", **other: Any) -> VerdictRow:
    """Return a verdict of one of the checks above."""
    values: dict[str, Any] = {"observed": f"{check} 现状", "expected": f"{check} 要求", "reason": f"{check} 理由"}
    return VerdictRow(
        host=host,
        control=CHECKS[check],
        check=check,
        title=f"{check} 标题",
        target="linux",
        mode="auto",
        status=Status(status),
        **(values | other),
    )


def waived(check: str, was: str = "fail", host: str = "web1", *, expired: bool = False) -> VerdictRow:
    """Return a verdict under a waiver."""
    return row(check, was if expired else "waived", host, waiver=WAIVER | {"expired": expired, "status": was})


def write(
    root: Path,
    rows: Sequence[VerdictRow],
    *,
    second: int = 0,
    end: bool = True,
    facts: Mapping[str, Any] | None = None,
    host: Mapping[str, Any] | None = None,
    **other: Any,
) -> Path:
    """Write a run whose hosts and checks are those of the rows, and return its folder."""
    names = list(dict.fromkeys(r.host for r in rows))
    checks = {r.check: r for r in rows}
    moment = datetime(2026, 11, 21, 3, 0, second, tzinfo=UTC)
    with RecordWriter(root, "lab", "audit", now=lambda: moment) as record:
        values: dict[str, Any] = {
            "operator": "张三",
            "profile": "linux-l3",
            "profile_title": "Linux 三级",
            "level": 3,
            "hosts": [{"name": name, "targets": ["linux"], "groups": []} for name in names],
            "controls": {
                key: {"area": "安全计算环境", "sag": "S3", "weight_2021": "一般", "requirement": f"{key} 条款要求"}
                | value
                for key, value in CONTROLS.items()
            },
            "checks": {
                name: {
                    "control": r.control,
                    "target": "linux",
                    "mode": r.mode,
                    "title": r.title,
                    "fix": f"{name} 整改方法",
                    "read": {"debian": "cat a", "rpm": "cat b"},
                    "risk": {
                        "disruption": "high" if name == "pw-length" else "low",
                        "reboot": name == "lockout",
                        "lockout": name == "pw-length",
                    },
                    "scored": r.scored,
                    "planned": r.planned,
                }
                for name, r in checks.items()
            },
            "waivers": [WAIVER, WAIVER | {"id": "W2"}],
        }
        record.write(Begin(run=record.run, estate="lab", job="audit", **(values | other)))
        for name in names:
            extra: dict[str, Any] = {"host": name, "state": "collected", "os": "Debian 12", **(host or {})}
            record.write_host(HostRow(**extra), facts)
        record.write(*rows)
        if end:
            counts: dict[str, int] = {}
            for r in rows:
                counts[r.status.value] = counts.get(r.status.value, 0) + 1
            record.write(EndRow(counts=counts, hosts={"collected": len(names)}, seconds=1.5, exit=1))
    return record.path


def run_of(root: Path, rows: Sequence[VerdictRow], **other: Any) -> Run:
    """Write a run and read it back."""
    return read_run(write(root, rows, **other))


def mixed() -> list[VerdictRow]:
    """Return two hosts: 8.1.4.1 a) partial and conform, b) fail and pending, 8.1.4.10 a) not applicable and conform."""
    return [
        row("pw-length", "fail"),
        row("pw-age", "pass"),
        row("lockout", "fail"),
        row("history", "not_applicable"),
        row("pw-length", "pass", "web2"),
        row("pw-age", "pass", "web2"),
        row("lockout", "error", "web2", reason="主机应答超时"),
        row("history", "pass", "web2"),
    ]
