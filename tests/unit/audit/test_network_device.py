"""A device beside hosts: from the text of its configuration to the rows of the record."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

import pytest

import panshi.checks.network  # noqa: F401 - fills the register
from panshi.audit import Plan, audit_host
from panshi.checks import CHECKS
from panshi.controls import Params, load_catalogue, load_profile, select
from panshi.facts import Facts
from panshi.facts.network import PLATFORMS
from panshi.verdict import Status

ENDS = {"huawei_vrp": "return", "huawei_vrpv8": "return", "hp_comware": "return"}


@cache
def plan() -> Plan:
    catalogue = load_catalogue()
    return Plan(catalogue, 3, select(catalogue, load_profile("linux-l3")), CHECKS, {}, dt.date(2026, 11, 22))


def judged(platform: str, text: str, **item: Any) -> dict[str, Any]:
    running = {"cmd": "display current-configuration", "out": text, **item}
    facts = Facts({"platform": platform, "items": {"net.running": running}})
    rows = audit_host(plan(), "sw1", ["network_device"], facts, Params(plan().catalogue.parameters()))
    return {row.check: row for row in rows}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_parsed_a_configuration_becomes_rows_with_their_evidence(platform: str) -> None:
    line = "line" if platform in ("hp_comware", "cisco_ios", "ruijie_os") else "user-interface"
    silent = "exec-timeout 0 0" if platform in ("cisco_ios", "ruijie_os") else "idle-timeout 0 0"
    rows = judged(platform, f"{line} vty 0 4\n {silent}\n{ENDS.get(platform, 'end')}\n")
    row = rows["net-idle-timeout"]
    assert (row.status, row.observed, row.evidence) == (Status.FAIL, "vty 0 4 0 秒", ["net.running"])
    assert row.expected == "每条线路的空闲超时 60～900 秒，不为 0"
    assert rows["net-loghost"].status is Status.FAIL


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("line vty 0 4\n exec-timeout 10 0\n", {}),
        ("", {}),
        ("end\nreturn\n", {"truncated": True}),
        ("end\nreturn\n", {"rc": 1, "err": "没有权限"}),
    ],
)
def test_parsed_what_was_not_read_whole_passes_nothing(platform: str, text: str, item: dict[str, Any]) -> None:
    statuses = {row.status for row in judged(platform, text, **item).values() if row.mode == "auto" and not row.planned}
    assert statuses == {Status.ERROR}


def test_parsed_a_platform_that_nobody_can_read_passes_nothing() -> None:
    rows = judged("junos", "return\n")
    assert {row.status for row in rows.values() if row.mode == "auto" and not row.planned} == {Status.ERROR}
