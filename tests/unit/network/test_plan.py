"""A plan is carried out as it was approved, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from panshi.errors import PanshiError
from panshi.network.plan import DevicePlan, Plan, approved, load_plan, save_plan

PLAN = Plan(
    job="network_policy",
    estate="bureau",
    run="20261122T010203Z-abcdef",
    made="2026-11-22T01:02:03Z",
    operator="zhangsan@ops1",
    about={"day": "2026-11-22"},
    devices={"fw1": DevicePlan("0" * 64, ("security-policy", "quit"), {"差异": ["设备上缺少策略 web"]})},
)


def test_parsed_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "plans" / "plan.yml"
    sha256 = save_plan(path, PLAN)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_plan(path, "network_policy") == PLAN
    approved(load_plan(path, "network_policy"), sha256.upper())
    assert PLAN.device("fw1").commands == ("security-policy", "quit")
    assert PLAN.device("fw2").commands == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- quit", "- undo rule name deny-all"),
        ("缺少策略 web", "缺少策略 dns"),
        ("2026-11-22'", "2026-11-23'"),
        ("0" * 64, "1" * 64),
    ],
)
def test_parsed_a_plan_that_was_changed_is_not_the_approved_one(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "plan.yml"
    sha256 = save_plan(path, PLAN)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(PanshiError, match="PS-E8109"):
        approved(load_plan(path, "network_policy"), sha256)


@pytest.mark.parametrize("given", ["", PLAN.sha256()[:16]])
def test_parsed_a_digest_must_be_whole(given: str) -> None:
    with pytest.raises(PanshiError, match="PS-E8109"):
        approved(PLAN, given)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("panshi_network_plan: 1", "panshi_network_plan: 2"),
        ("job: network_policy", "job: network_change"),
        ("estate: bureau", "estate: bureau\nmore: 1"),
        ("operator:", "who:"),
        ("devices:", "devices: {"),
        ("    running:", "    was:"),
    ],
)
def test_parsed_what_is_no_plan_of_the_job_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "plan.yml"
    save_plan(path, PLAN)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(PanshiError, match="PS-E8108"):
        load_plan(path, "network_policy")


def test_parsed_a_plan_that_is_missing_or_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(PanshiError, match="PS-E8108"):
        load_plan(tmp_path / "none.yml", "network_policy")
    (tmp_path / "file").write_text("")
    with pytest.raises(PanshiError, match="PS-E8108"):
        save_plan(tmp_path / "file" / "plan.yml", PLAN)
