"""What a host has proven of its logs, judged: nothing lost, nothing doubled, kept as long as it must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from panshi.logs.declared import COPY, TEMPORARY
from panshi.record import LogProofRow, list_runs, read_run, verify_run

JOB = "logs_proof"
DAY = 86400.0
RETENTION_ZH = {
    "kept": "达到期限", "growing": "未到期限，自起存之日无缺失", "legal": "达到法定期限，不足声明的天数",
    "short": "缺失", "unknown": "读不到时间", "none": "不留存",
}  # fmt: skip
STATUS_ZH = {"pass": "符合", "partial": "部分符合", "fail": "不符合"}
WAY_ZH = {"real": "产品实测", "scratch": "副本实测", "none": "未轮转"}
# A log may have had no line on the day from which it must reach back.
_SLACK = 2 * DAY
# Earlier proofs that are looked through for one of the same log; monthly ones reach back two years.
_RUNS = 24


def row_of(
    host: str, policy: Mapping[str, Any], proof: Mapping[str, Any], now: float, before: LogProofRow | None
) -> LogProofRow:
    """Judge the proof of one log.

    Args:
        host: name of the host.
        policy: as :func:`panshi.logs.declared.policies` makes it.
        proof: what the module found.
        now: the host's clock, seconds since 1970.
        before: the last proof of the same log; what it could read then must be there still.
    """
    style, way = policy["style"], proof["way"]
    findings = [str(one) for one in proof["wrong"]]
    if proof["lost"] and style != COPY:
        findings.append(f"[PS-E7336] 丢失 {proof['lost']} 行（共 {proof['lines']} 行）")
    if proof["doubled"]:
        findings.append(f"[PS-E7337] 重复 {proof['doubled']} 行（共 {proof['lines']} 行）")
    if way != "none":
        if not proof["reopened"] and not any("PS-E7331" in one for one in findings):
            findings.append("[PS-E7331] 轮转之后仍写在旧文件里：策略没有让程序重新打开日志")
        if not proof["lines"]:
            findings.append("[PS-E7335] 一行也没有写成，没有证明")
        if not proof["packed"]:
            findings.append("轮转出的文件没有压缩归档")
    if before and before.head and not proof.get("head_known", False):
        findings.append(f"[PS-E7338] 归档清单被重写：上次证明时的链头 {before.head[:16]}… 已不在其中")
    retention, words = _retention(policy, proof, now, before)
    if retention == "short":
        findings.append(f"[PS-E7339] {words}")
    partial = retention in ("growing", "legal", "unknown") or (style == COPY and way != "none")
    oldest = proof.get("oldest")
    return LogProofRow(
        host=host,
        name=policy["name"],
        style=policy["kind"],
        environment=policy["environment"],
        paths=list(policy["paths"]),
        way=way,
        said=proof["said"],
        lines=proof["lines"],
        lost=proof["lost"],
        doubled=proof["doubled"],
        rotations=proof["rotations"],
        reopened=proof["reopened"],
        packed=proof["packed"],
        archives=proof.get("archives", 0),
        bytes=proof.get("bytes", 0),
        immutable=proof.get("immutable", False),
        begun=_iso(proof.get("begun")),
        oldest=_iso(oldest),
        days=int((now - oldest) // DAY) if oldest is not None else 0,
        legal_days=policy["legal_days"],
        keep_days=policy["keep_days"],
        retention=retention,
        status="fail" if findings else "partial" if partial else "pass",
        findings=findings,
        head=proof.get("head", ""),
        cpu=proof["cpu"],
        seconds=proof["seconds"],
    )


def _retention(
    policy: Mapping[str, Any], proof: Mapping[str, Any], now: float, before: LogProofRow | None
) -> tuple[str, str]:
    """Return the verdict on the oldest line, and what is to be said when it is too young.

    A line must be there from the end of the declared term, or from when the log is known to have begun, whichever is
    later. What was deleted for room, the guard's doing, may be missing between the law's term and the declared one.
    """
    if policy["style"] == TEMPORARY:
        return "none", ""
    oldest: float | None = proof.get("oldest")
    known = [
        proof.get("begun"),
        _seconds(before.oldest) if before else None,
        _seconds(policy["since"]),
    ]
    begun = min((one for one in known if one is not None), default=None)
    if oldest is None:
        return ("unknown", "") if begun is None else ("short", f"应有自 {_day(begun)} 起的日志，一行也读不到")
    reached = now - policy["keep_days"] * DAY
    if oldest <= reached:
        return "kept", ""
    since = oldest if begun is None else begun
    if oldest <= max(reached, since) + _SLACK:
        return "growing", ""
    required = max(now - (policy["legal_days"] or policy["keep_days"]) * DAY, since)
    if oldest <= required + _SLACK:
        return "legal", ""
    return "short", f"最早一行在 {_day(oldest)}，应有自 {_day(required)} 起的日志"


def earlier(root: Path, estate: str, host: str) -> dict[str, LogProofRow]:
    """Return the newest proof of each log of a host, from records that are whole."""
    found: dict[str, LogProofRow] = {}
    for path in list(reversed(list_runs(root, estate, JOB)))[:_RUNS]:
        if not verify_run(path):
            for row in read_run(path).log_proofs:
                if row.host == host:
                    found.setdefault(row.name, row)
    return found


def lines_of(rows: Iterable[LogProofRow]) -> list[str]:
    """Return what is shown on the terminal, one line per log and one per finding."""
    shown = []
    for row in rows:
        count = f"{row.lines} 行，丢 {row.lost}，重 {row.doubled}" if row.way != "none" else WAY_ZH[row.way]
        oldest = f"最早 {row.oldest[:10]}（{row.days} 天，须 {row.keep_days}）" if row.oldest else ""
        times = f"轮转 {row.rotations} 次" if row.way != "none" else ""
        parts = [WAY_ZH[row.way], count, times, oldest, RETENTION_ZH[row.retention]]
        shown.append(
            f"{row.host}：{row.name} {STATUS_ZH[row.status]}：" + "；".join(filter(None, dict.fromkeys(parts)))
        )
        shown += [f"   {finding}" for finding in row.findings]
    return shown


def totals(rows: Iterable[LogProofRow]) -> dict[str, int]:
    """Return the counts of the cover: logs, lines written, lost where none may be lost, doubled, by status."""
    kept = list(rows)
    proven = [row for row in kept if row.way != "none"]
    lossless = [row for row in proven if row.style not in ("tomcat", "copytruncate")]
    return {
        "logs": len(kept),
        "lines": sum(row.lines for row in proven),
        "lost": sum(row.lost for row in lossless),
        "lost_said": sum(row.lost for row in proven) - sum(row.lost for row in lossless),
        "doubled": sum(row.doubled for row in proven),
        **{status: sum(row.status == status for row in kept) for status in STATUS_ZH},
    }


def _iso(moment: float | None) -> str:
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _seconds(text: str) -> float | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
