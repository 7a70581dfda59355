"""The daily check's judgement: what is good passes, and each fault is named where it belongs."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
from typing import Any

import pytest

from panshi.backup.daily import Rules, judge
from panshi.verdict import Status

NOW = dt.datetime(2026, 11, 22, 6, tzinfo=dt.UTC)
KEYS = {"local": "a", "second": "b"}
RULES = Rules(second=("second",), offsite=("second",))


def _place(name: str, key: str) -> dict[str, Any]:
    sets = [
        {"id": "20261115T013000Z-full", "ended": "20261115T013100Z", "bytes": 100 << 20, "full": True, "lag": 0},
        {"id": "20261122T013000Z-full", "ended": "20261122T013100Z", "bytes": 110 << 20, "full": True, "lag": 0},
    ]
    return {
        "name": name,
        "url": f"/srv/{name}",
        "code": "",
        "message": "",
        "sets": sets,
        "logs": "20261122T054500Z",
        "files": {"etc": "20261122T030000Z-etc"},
        "dumps": {"redis": "20261122T023000Z-redis"},
        "damage": "",
        "chain": "",
        "key": hashlib.sha256(key.encode()).hexdigest()[:16],
    }


def _facts() -> dict[str, Any]:
    job = {"ok": True, "code": "", "message": "", "ended": "2026-11-22T01:31:00Z"}
    return {
        "now": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
        "database": True,
        "files": ["etc"],
        "dumps": ["redis"],
        "jobs": {"database": dict(job), "binlog": dict(job), "files": dict(job), "copy": dict(job)},
        "timers": {"database": "active", "binlog": "active", "files": "active", "dumps": "active"},
        "free": 1 << 34,
        "places": [_place("local", "a"), _place("second", "b")],
    }


def _faults(facts: dict[str, Any], rules: Rules = RULES, days: int = 3) -> dict[str, str]:
    judged = judge(facts, rules, KEYS, NOW - dt.timedelta(days=days))
    assert [one.check for one in judged if (one.status is Status.FAIL) != bool(one.reason)] == []
    return {one.check: one.reason for one in judged if one.status is not Status.PASS}


def test_good_backups_pass_every_check() -> None:
    assert _faults(_facts()) == {}
    assert len(judge(_facts(), RULES, KEYS, NOW)) == 7


@pytest.mark.parametrize(
    ("where", "value", "check", "word"),
    [
        (("jobs", "database", "ok"), False, "bak-success", "数据库："),
        (("timers", "binlog"), "inactive", "bak-policy", "二进制日志的定时没有运行"),
        (("places", 0, "sets"), [], "bak-success", "没有数据库备份"),
        (("places", 0, "sets", 1, "ended"), "20261120T000000Z", "bak-success", "数据库备份是 2 天前的"),
        (("places", 0, "sets", 1, "bytes"), 9 << 20, "bak-success", "只有 9 MiB"),
        (("places", 0, "logs"), "20261122T040000Z", "bak-success", "二进制日志是 2 小时前的"),
        (("places", 0, "logs"), "", "bak-success", "二进制日志没有"),
        (("places", 0, "files"), {}, "bak-success", "文件 etc 没有备份"),
        (("places", 0, "files"), {"etc": "20261101T030000Z-etc"}, "bak-success", "文件 etc 是 21 天前的"),
        (("places", 0, "dumps"), {}, "bak-success", "导出 redis 没有备份"),
        (("places", 0, "dumps"), {"redis": "20261121T023000Z-redis"}, "bak-success", "导出 redis 是 27 小时前的"),
        (("timers", "dumps"), "inactive", "bak-policy", "Redis 与逻辑导出的定时没有运行"),
        (("places", 0, "chain"), "缺少 x 的数据", "bak-success", "缺少 x 的数据"),
        (("places", 1, "logs"), "20261122T040000Z", "bak-offline-copy", "second：二进制日志是 2 小时前的"),
        (("places", 1, "code"), "PS-E7413", "bak-offsite", "PS-E7413"),
        (("places", 1, "damage"), "pack x: hash differs", "bak-checksum", "second：pack x"),
        (("places", 1, "key"), "0" * 16, "bak-encryption", "与密码库中的不同"),
    ],
)
def test_each_fault_is_named_where_it_belongs(where: tuple[Any, ...], value: Any, check: str, word: str) -> None:
    facts = copy.deepcopy(_facts())
    place = facts
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = value
    assert word in _faults(facts)[check]


def test_a_key_that_only_the_host_has_is_a_fault() -> None:
    judged = judge(_facts(), RULES, {"local": "a"}, NOW)
    assert [one.reason for one in judged if one.check == "bak-encryption"][0].startswith("second 的密钥不在密码库里")


def test_a_proof_that_is_old_or_missing_is_a_fault() -> None:
    assert "32 天前" in _faults(_facts(), days=32)["bak-restore-test"]
    judged = judge(_facts(), RULES, KEYS, None)
    assert [one.check for one in judged if one.status is Status.FAIL] == ["bak-restore-test"]


def test_copies_that_nobody_declared_are_faults() -> None:
    assert set(_faults(_facts(), Rules())) == {"bak-offline-copy", "bak-offsite"}
    assert "没有名为 tape 的副本" in _faults(_facts(), Rules(second=("tape",), offsite=("second",)))["bak-offline-copy"]


def test_facts_of_a_program_that_knows_no_dumps_are_judged_by_the_rest() -> None:
    facts = _facts()
    for one in (facts, *facts["places"]):
        del one["dumps"]
    assert _faults(facts) == {}


def test_a_host_of_which_nothing_is_backed_up_is_a_fault() -> None:
    facts = {**_facts(), "database": False, "files": [], "dumps": []}
    assert "没有声明要备份的内容" in _faults(facts)["bak-policy"]
