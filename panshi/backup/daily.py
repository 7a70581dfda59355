"""The daily check: facts of a host's backups → verdicts of the catalogue's backup checks (pure)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panshi.backup.agent.sets import moment
from panshi.verdict import Status

_JOBS_ZH = {"database": "数据库", "binlog": "二进制日志", "files": "文件", "dumps": "Redis 与逻辑导出"}


@dataclass(frozen=True, slots=True)
class Rules:
    """What is accepted.

    Args:
        database_hours: age of the newest database backup. Daily by contract, and two hours to carry it out.
        dumps_hours: age of the newest dump of a Redis or a small database. Daily, as the database.
        logs_minutes: age of the newest archive of binary logs, in every copy.
        files_days: age of the newest backup of files. Weekly by contract, and a day to carry it out.
        shrink_percent: a full backup that is smaller than this share of the one before is not plausible.
        proof_days: age of the last proven restore. Monthly by contract.
        second: names of the repositories that are elsewhere and cannot be changed from the host.
        offsite: names of those that are at another site.
    """

    database_hours: int = 26
    dumps_hours: int = 26
    logs_minutes: int = 60
    files_days: int = 8
    shrink_percent: int = 50
    proof_days: int = 31
    second: tuple[str, ...] = ()
    offsite: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict: check id of the catalogue, status, what was seen and why."""

    check: str
    status: Status
    observed: str
    reason: str


def judge(facts: Mapping[str, Any], rules: Rules, keys: Mapping[str, str], proven: dt.datetime | None) -> list[Judged]:
    """Return the verdicts on a host's backups.

    Args:
        facts: what ``panshi-backup check`` has printed.
        rules: what is accepted.
        keys: the store's keys by repository.
        proven: when a restore of this host was last proven.
    """
    # A host whose program is older than this knows of no dumps.
    facts = {"dumps": [], **facts}
    now = dt.datetime.fromisoformat(facts["now"])
    places = {str(one["name"]): one for one in facts["places"]}
    return [
        _verdict("bak-policy", *_policy(facts)),
        _verdict("bak-success", *_success(facts, rules, now)),
        _verdict("bak-checksum", *_checksum(facts["places"])),
        _verdict("bak-encryption", *_encryption(facts["places"], keys)),
        _verdict("bak-restore-test", *_tested(rules, now, proven)),
        _verdict("bak-offline-copy", *_copies(places, facts, rules, rules.second, now, "不可改写的副本")),
        _verdict("bak-offsite", *_copies(places, facts, rules, rules.offsite, now, "异地的副本")),
    ]


def _verdict(check: str, faults: Sequence[str], observed: str) -> Judged:
    return Judged(check, Status.FAIL if faults else Status.PASS, observed, "；".join(faults))


def _policy(facts: Mapping[str, Any]) -> tuple[list[str], str]:
    wanted = ["database", "binlog"] if facts["database"] else []
    wanted += [job for job in ("files", "dumps") if facts[job]]
    faults = [f"{_JOBS_ZH[job]}的定时没有运行（{facts['timers'].get(job)}）" for job in wanted if _stopped(facts, job)]
    if not wanted:
        faults.append("没有声明要备份的内容")
    return (
        faults,
        f"备份 {'、'.join(_JOBS_ZH[job] for job in wanted) or '无'}；文件 {'、'.join(facts['files']) or '无'}；"
        f"导出 {'、'.join(facts['dumps']) or '无'}",
    )


def _stopped(facts: Mapping[str, Any], job: str) -> bool:
    return bool(facts["timers"].get(job) != "active")


def _success(facts: Mapping[str, Any], rules: Rules, now: dt.datetime) -> tuple[list[str], str]:
    local = facts["places"][0]
    failed = {job: one for job, one in facts["jobs"].items() if not one["ok"]}
    faults = [f"{_JOBS_ZH.get(job, job)}：[{one['code']}] {one['message']}" for job, one in failed.items()]
    faults += _stale(local, facts, rules, now) + _shrunk(local["sets"], rules)
    newest, files = local["sets"][-1]["id"] if local["sets"] else "无", "、".join(local["files"].values())
    return faults, f"数据库 {newest}，二进制日志 {local['logs'] or '无'}，文件 {files or '无'}"


def _stale(place: Mapping[str, Any], facts: Mapping[str, Any], rules: Rules, now: dt.datetime) -> list[str]:
    """Return what is too old in a repository, or is not there at all."""
    if place["code"]:
        return [f"{place['name']}：[{place['code']}] {place['message']}"]
    faults = []
    if facts["database"]:
        if not place["sets"]:
            faults.append(f"{place['name']}：没有数据库备份")
        else:
            age = now - moment(place["sets"][-1]["ended"])
            if age > dt.timedelta(hours=rules.database_hours):
                faults.append(f"{place['name']}：数据库备份是 {_long(age)}前的")
        if not place["logs"] or now - moment(place["logs"]) > dt.timedelta(minutes=rules.logs_minutes):
            age_zh = f"是 {_long(now - moment(place['logs']))}前的" if place["logs"] else "没有"
            faults.append(f"{place['name']}：二进制日志{age_zh}")
        if place["chain"]:
            faults.append(f"{place['name']}：{place['chain']}")
    limits = {"files": dt.timedelta(days=rules.files_days), "dumps": dt.timedelta(hours=rules.dumps_hours)}
    for kind, limit in limits.items():
        for name in facts[kind]:
            last = place.get(kind, {}).get(name, "")
            if not last or now - moment(last.partition("-")[0]) > limit:
                age_zh = f"是 {_long(now - moment(last.partition('-')[0]))}前的" if last else "没有备份"
                faults.append(f"{place['name']}：{'文件' if kind == 'files' else '导出'} {name} {age_zh}")
    return faults


def _shrunk(sets: Sequence[Mapping[str, Any]], rules: Rules) -> list[str]:
    full = [one for one in sets if one["full"]]
    if len(full) > 1 and full[-1]["bytes"] * 100 < full[-2]["bytes"] * rules.shrink_percent:
        return [f"完整备份 {full[-1]['id']} 只有 {full[-1]['bytes'] >> 20} MiB，上一个是 {full[-2]['bytes'] >> 20} MiB"]
    return []


def _checksum(places: Sequence[Mapping[str, Any]]) -> tuple[list[str], str]:
    faults = [f"{one['name']}：{one['damage'] or one['message']}" for one in places if one["damage"] or one["code"]]
    return faults, f"restic check：{'、'.join(one['name'] for one in places)}；每个备份另有 SHA-256，恢复时核对"


def _encryption(places: Sequence[Mapping[str, Any]], keys: Mapping[str, str]) -> tuple[list[str], str]:
    faults = []
    for one in places:
        known = keys.get(one["name"], "")
        if not known:
            faults.append(f"{one['name']} 的密钥不在密码库里：主机没有了，备份就打不开")
        elif hashlib.sha256(known.encode()).hexdigest()[:16] != one["key"]:
            faults.append(f"{one['name']} 在主机上的密钥与密码库中的不同")
    return faults, "restic 仓库格式（AES-256-CTR、Poly1305-AES），密钥在密码库中"


def _tested(rules: Rules, now: dt.datetime, proven: dt.datetime | None) -> tuple[list[str], str]:
    if proven is None:
        return ["没有成功的恢复验证记录"], "无"
    age = now - proven
    late = age > dt.timedelta(days=rules.proof_days)
    return ([f"上次恢复验证是 {_long(age)}前的"] if late else []), f"最近一次 {proven:%Y-%m-%dT%H:%M:%SZ}"


def _copies(
    places: Mapping[str, Mapping[str, Any]],
    facts: Mapping[str, Any],
    rules: Rules,
    names: Sequence[str],
    now: dt.datetime,
    what: str,
) -> tuple[list[str], str]:
    if not names:
        return [f"没有声明{what}"], "无"
    faults = [f"没有名为 {name} 的副本" for name in names if name not in places]
    for name in names:
        if name in places:
            faults += _stale(places[name], facts, rules, now)
    return faults, "、".join(names)


def _long(age: dt.timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    if hours >= 48:
        return f"{hours // 24} 天"
    return f"{hours} 小时" if hours else f"{int(age.total_seconds() // 60)} 分钟"
