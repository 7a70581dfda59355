"""Invented but realistic runs on the real catalogue: for the size test and for looking at the report as a picture."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from panshi.controls.catalogue import Catalogue, Check, load_catalogue
from panshi.record import Begin, EndRow, HostRow, RecordWriter, VerdictRow
from panshi.verdict import Status

SYSTEMS = ("Debian GNU/Linux 12 (bookworm)", "Debian GNU/Linux 11 (bullseye)", "Kylin Linux Advanced Server V10")
WAIVER = {
    "id": "W1",
    "selector": "linux-pw-minlen",
    "hosts": ["app-*"],
    "owner": "李四（系统科）",
    "reason": "业务系统改造期间沿用旧口令策略",
    "expires": "2027-03-31",
    "compensation": "仅允许经堡垒机双因素登录",
    "ticket": "BG-2026-118",
}
UNUSED = WAIVER | {"id": "W2", "selector": "8.1.4.9 a)", "owner": "王五（数据科）"}
CONTROL_KEYS = (
    "title",
    "area",
    "control_point",
    "sag",
    "requirement",
    "weight_2021",
    "weight_origin",
    "high_risk",
)
CHECK_KEYS = ("control", "target", "mode", "title", "fix", "read", "also_covers", "scored", "note")


def facts(items: Sequence[str], size: int) -> dict[str, Any]:
    """Return a document whose items have about ``size`` characters each."""
    line = "Nov 21 03:00:00 host service[412]: setting = value {number} # 示例输出\n"
    return {
        "schema": 1,
        "items": {
            item: {
                "cmd": f"cat {item.removeprefix('file:')}" if item.startswith("file:") else item.replace(".", " "),
                "rc": 0,
                "out": "".join(line.format(number=random.Random(item).random() + n) for n in range(max(1, size // 70))),
                "err": "",
                "at": "2026-11-21T03:00:01Z",
                "ms": 9,
            }
            for item in items
        },
    }


def write_run(
    root: Path, hosts: int = 8, *, seed: int = 1, day: int = 21, item_size: int = 900, evidence: int = 60
) -> Path:
    """Write one complete run and return its folder; the same seed gives the same verdicts."""
    dice = random.Random(seed)
    catalogue = load_catalogue()
    checks = [check for check in catalogue.checks.values() if check.target == "linux"]
    names = [f"{('web', 'app', 'db')[n % 3]}-{n:02d}" for n in range(1, hosts)] + ["kylin-emu-01"]
    items = [f"file:/etc/example/{n:03d}.conf" for n in range(evidence // 2)]
    items += [f"example.command{n:03d}" for n in range(evidence - len(items))]
    moment = datetime(2026, 11, day, 3, 0, tzinfo=UTC)
    states: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    with RecordWriter(root, "gov-demo", "audit", now=lambda: moment) as record:
        record.write(_begin(record.run, catalogue, checks, names))
        for number, name in enumerate(names):
            lost = number == 4
            emulated = name.startswith("kylin")
            state = "unreachable" if lost else "collected"
            states[state] += 1
            row = HostRow(
                host=name,
                state=state,
                code="PS-E3001" if lost else "",
                message="30 秒内没有应答" if lost else "",
                seconds=1.2,
                address=f"192.0.2.{number + 10}",
                os="" if lost else SYSTEMS[2 if emulated else number % 2],
                kernel="" if lost else "6.1.0-31-amd64",
                container=emulated,
                emulated=emulated,
                skipped=[{"id": "fs.scan", "why": "时间用尽（30 秒）"}] if number == 2 else [],
            )
            record.write_host(row, None if lost else facts(items, item_size))
            rows = [_verdict(dice, name, check, catalogue, items, lost) for check in checks]
            counts.update(row.status.value for row in rows)
            record.write(*rows)
        record.write(EndRow(counts=dict(counts), hosts=dict(states), seconds=12.4, exit=3))
    return record.path


def _begin(run: str, catalogue: Catalogue, checks: Sequence[Check], hosts: Sequence[str]) -> Begin:
    controls = {check.control: catalogue.controls[check.control] for check in checks}
    return Begin(
        run=run,
        estate="gov-demo",
        job="audit",
        operator="张三",
        profile="linux-l3",
        profile_title="Linux 服务器三级基线",
        level=3,
        versions={"panshi": "0.1.0", "pyinfra": "3.10.0"},
        catalogue=catalogue.digest,
        inventory="inventories/gov-demo",
        hosts=[{"name": name, "targets": ["linux"], "groups": ["linux"]} for name in hosts],
        controls={key: {name: getattr(control, name) for name in CONTROL_KEYS} for key, control in controls.items()},
        checks={
            check.id: {name: getattr(check, name) for name in CHECK_KEYS}
            | {"risk": asdict(check.risk), "planned": False}
            for check in checks
        },
        parameters={
            name: {
                "title": p.title,
                "unit": p.unit,
                "value": p.default,
                "accept": p.text,
                "origin": p.origin,
                "source": p.source,
            }
            for name, p in catalogue.parameters().items()
        },
        overrides=[{"parameter": "password_min_length", "scope": "全部主机", "value": 12}],
        waivers=[WAIVER, UNUSED],
    )


def _verdict(
    dice: random.Random, host: str, check: Check, catalogue: Catalogue, items: Sequence[str], lost: bool
) -> VerdictRow:
    weights = {Status.PASS: 60, Status.FAIL: 24, Status.PARTIAL: 5, Status.NOT_APPLICABLE: 6, Status.ERROR: 1}
    status = dice.choices(list(weights), list(weights.values()))[0]
    status = Status.MANUAL if check.mode != "auto" else status
    status = Status.ERROR if lost else status
    waiver = None
    if not lost and check.id == WAIVER["selector"] and host.startswith("app"):
        status, waiver = Status.WAIVED, WAIVER | {"expired": False, "status": "fail"}
    words = {
        Status.PASS: ("当前有效值为 10", "/etc/security/example.conf 第 12 行生效"),
        Status.FAIL: (
            dice.choice(["当前有效值为 5", "未配置，按默认值 8 生效"]),
            "/etc/login.defs 的设置被 PAM 参数覆盖",
        ),
        Status.PARTIAL: ("两个条件中满足一个", "另一个条件没有配置"),
        Status.NOT_APPLICABLE: ("容器", "容器共享宿主机内核，须在承载它的主机上判定"),
        Status.ERROR: ("", "主机不可达：30 秒内没有应答" if lost else "采集结果中没有 fs.scan"),
        Status.MANUAL: ("已采集 3 项材料", "由管理员对照台账核对"),
        Status.WAIVED: ("当前有效值为 6", "/etc/security/pwquality.conf 第 3 行生效"),
    }[status]
    return VerdictRow(
        host=host,
        control=check.control,
        check=check.id,
        title=check.title,
        target=check.target,
        mode=check.mode,
        scored=check.scored,
        status=status,
        observed=words[0],
        expected=check.expected_text(catalogue.parameters()),
        reason=words[1],
        evidence=() if lost else dice.sample(items, min(3, len(items))),
        waiver=waiver,
    )
