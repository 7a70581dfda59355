"""Plans: what they hold, in which order hosts come, what a signature covers, and what is refused."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from plans import answer, made, update

from panshi.errors import PanshiError
from panshi.patch import digest, load_plan, refusals, save_plan
from panshi.patch.document import lines_of, write_workbook
from panshi.patch.gate import drift, outside, untested
from panshi.patch.plan import Plan, order_waves

NOW = dt.datetime(2026, 11, 21, 22, 30)


def planned(**settings: Any) -> Plan:
    return Plan(Path("plan.yml"), {**made({"web1": answer(update("openssl"))}), **settings})


def codes(plan: Plan, signed: str = "", now: dt.datetime = NOW) -> list[str]:
    return [error.code for error in refusals(plan, signed or digest(plan.document), now)]


def test_host_without_updates_is_named_and_not_planned() -> None:
    document = made({"web1": answer(update("openssl")), "web2": answer()})
    assert (list(document["hosts"]), document["unchanged"]) == (["web1"], ["web2"])


def test_service_that_carries_sessions_is_never_in_the_restarts() -> None:
    assert made({"web1": answer(update("openssl"))})["hosts"]["web1"]["restarts"] == ["nginx.service"]


def test_held_package_is_left_out_and_named() -> None:
    host = made({"web1": answer(update("openssl"), update("nginx"), held=[{"name": "nginx"}])})["hosts"]["web1"]
    assert ([one["name"] for one in host["packages"]], host["held"]) == (["openssl"], ["nginx"])


def test_file_is_read_once_and_again_when_it_was_changed_in_place(tmp_path: Path) -> None:
    path = tmp_path / "plan.yml"
    save_plan(path, made({"web1": answer(update("openssl"))}))
    first = load_plan(path)
    assert load_plan(path) is first
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("openssl", "libssl9"), encoding="utf-8")
    again = load_plan(path)
    assert [one["name"] for one in again.hosts["web1"]["packages"]] == ["libssl9"]
    assert digest(again.document) != digest(first.document)


@pytest.mark.parametrize(
    ("more", "settings", "code"),
    [
        ({"problems": [{"code": "PS-E6005", "text": "/ 只剩 10 MiB"}]}, {}, "PS-E6005"),
        ({"removes": [{"name": "mail", "version": "1"}]}, {}, "PS-E6006"),
        ({"backup_age_hours": 30.0}, {"backup_hours": 24}, "PS-E6007"),
        ({}, {"backup_hours": 24}, "PS-E6007"),
        ({"failed_units": ["cron.service"]}, {}, "PS-E6008"),
        ({"partners": [{"kind": "database", "state": "从库", "problem": "复制中断"}]}, {}, "PS-E6009"),
    ],
)
def test_what_stands_in_the_way_is_a_blocker(more: dict[str, Any], settings: dict[str, Any], code: str) -> None:
    document = made({"web1": answer(update("openssl"), **more)}, {"web1": settings})
    (blocker,) = document["hosts"]["web1"]["blockers"]
    assert blocker.startswith(f"[{code}]")
    assert codes(Plan(Path("plan.yml"), document)) == ["PS-E6106"]


def test_fresh_backup_is_no_blocker() -> None:
    facts = {"web1": answer(update("openssl"), backup_age_hours=3.0)}
    assert made(facts, {"web1": {"backup_hours": 24}})["hosts"]["web1"]["blockers"] == []


def test_kernel_of_a_machine_asks_for_a_reboot_and_that_of_a_container_does_not() -> None:
    kernel = update("linux-image-amd64", kernel=True)
    machine = answer(kernel, kernel={"running": "6.1.0-1", "newest": "6.1.0-1", "update": True})
    assert made({"vm": machine})["hosts"]["vm"]["reboot"] == "更新内核（linux-image-amd64 1.0-2）"
    assert made({"ct": answer(kernel)})["hosts"]["ct"]["reboot"] == ""


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True),
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["", "g1", "g2"])),
)
def test_every_host_is_in_one_wave_and_no_wave_has_two_of_a_group(names: list[str], groups: dict[str, str]) -> None:
    waves = order_waves(names, {name: {"group": groups.get(name, "")} for name in names})
    assert sorted(name for _, wave in waves for name in wave) == sorted(names)
    assert len(waves[0][1]) == 1
    for _, wave in waves:
        found = [groups.get(name) for name in wave if groups.get(name)]
        assert len(found) == len(set(found))


def test_balancer_is_in_no_wave_with_whom_it_drains() -> None:
    settings = {name: {"drained_by": ["lb1", "lb2"]} for name in ("app1", "app2", "app3")}
    waves = [set(hosts) for _, hosts in order_waves(["app1", "app2", "app3", "lb1", "lb2"], {**settings, "lb1": {}})]
    assert all(not (wave & {"lb1", "lb2"} and wave & set(settings)) for wave in waves)


def test_canary_is_the_marked_one_and_replicas_come_before_primaries() -> None:
    settings: dict[str, dict[str, Any]] = {
        "db1": {"group": "db", "order": 9},
        "db2": {"group": "db", "order": 1},
        "try": {"canary": True},
    }
    waves = [wave for _, wave in order_waves(settings, settings)]
    assert waves[0] == ["try"]
    assert [name for wave in waves for name in wave].index("db2") < [n for wave in waves for n in wave].index("db1")


def test_signature_covers_content_and_not_its_order() -> None:
    document = planned().document
    assert digest(dict(reversed(list(document.items())))) == digest(document)
    assert digest({**document, "waves": []}) != digest(document)


def test_plan_survives_its_file(tmp_path: Path) -> None:
    document = planned().document
    save_plan(tmp_path / "plan.yml", document)
    assert digest(load_plan(tmp_path / "plan.yml").document) == digest(document)


def test_signed_plan_in_its_window_is_let_through() -> None:
    assert codes(planned(window={"from": "2026-11-21 22:00", "until": "2026-11-22 05:00"})) == []


@pytest.mark.parametrize("signed", ["0" * 64, digest({})[:12]])
def test_other_digest_is_refused(signed: str) -> None:
    assert codes(planned(), signed) == ["PS-E6103"]


def test_no_digest_is_refused() -> None:
    assert [error.code for error in refusals(planned(), "", NOW)] == ["PS-E6103"]


@pytest.mark.parametrize(
    "window", [{"from": "2026-11-21 23:00"}, {"until": "2026-11-21 22:00"}, {"from": "tonight"}, {"until": "25:00"}]
)
def test_time_outside_the_window_is_refused(window: dict[str, str]) -> None:
    assert outside(window, NOW)
    assert codes(planned(window=window)) == ["PS-E6104"]


@pytest.mark.parametrize(
    ("copy", "free"),
    [
        ({"host": "", "days": 1}, True),
        ({"host": "try", "patched_on": "2026-11-20", "days": 1}, True),
        ({"host": "try", "patched_on": dt.date(2026, 11, 20), "days": 1}, True),
        ({"host": "try", "patched_on": "2026-11-21", "days": 1}, False),
        ({"host": "try", "patched_on": "", "days": 1}, False),
    ],
)
def test_test_copy_comes_first(copy: dict[str, Any], free: bool) -> None:
    assert (untested(copy, NOW.date()) == "") is free
    assert codes(planned(test_copy=copy)) == ([] if free else ["PS-E6105"])


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("just text", "不是补丁计划"),
        ({"panshi_patch_plan": 2}, "不是补丁计划"),
        ({"panshi_patch_plan": 1, "hosts": []}, "缺少"),
        ({"waves": [{"name": "a", "hosts": ["web1", "web1"]}]}, "不止一次"),
        ({"waves": [{"name": "a", "hosts": ["web1", "web9"]}]}, "web9"),
        ({"waves": []}, "不在任何一批"),
        ({"waves": ["web1"]}, "hosts 列表"),
        ({"hosts": {"web1": {"packages": "all"}}}, "packages"),
        ({"hosts": {"web1": {"packages": [{"name": "a", "arch": "b", "from": "c", "to": 4}]}}}, "packages"),
    ],
)
def test_plan_that_contradicts_itself_is_refused(tmp_path: Path, broken: Any, said: str) -> None:
    document = {**planned().document, **broken} if isinstance(broken, dict) else broken
    (tmp_path / "plan.yml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    with pytest.raises(PanshiError, match="PS-E6102") as told:
        load_plan(tmp_path / "plan.yml")
    assert said in str(told.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"web1": {"group": "web"}, "web2": {"group": "web"}},
        {"web1": {"drained_by": ["web2"]}},
        {"web2": {"drained_by": ["web1"]}},
    ],
)
def test_two_that_would_be_away_at_once_are_refused_in_one_wave(
    tmp_path: Path, settings: dict[str, dict[str, Any]]
) -> None:
    facts = {"web1": answer(update("openssl")), "web2": answer(update("openssl"))}
    document = made(facts, settings)
    document["waves"] = [{"name": "一起", "hosts": ["web1", "web2"]}]
    save_plan(tmp_path / "plan.yml", document)
    with pytest.raises(PanshiError, match="同一批中有 web1 与 web2"):
        load_plan(tmp_path / "plan.yml")


@pytest.mark.parametrize("text", ["a: [", "\x00"])
def test_file_that_is_no_yaml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.yml").write_text(text, encoding="utf-8")
    with pytest.raises(PanshiError, match="PS-E6102"):
        load_plan(tmp_path / "plan.yml")


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PanshiError, match="PS-E6101"):
        load_plan(tmp_path / "none.yml")


def test_drift_names_what_somebody_has_changed_and_what_the_mirror_has_moved() -> None:
    packages = [update("openssl"), update("nginx"), update("curl")]
    here = {"openssl": "1.0-1", "nginx": "9", "curl": "1.0-2"}
    lines = drift(packages, here, {"openssl": "1.0-3", "curl": "1.0-4", "other": "7"})
    assert [line.split()[0] for line in lines] == ["openssl", "nginx"]


def test_version_that_the_source_has_no_more_is_drift() -> None:
    assert drift([update("openssl")], {"openssl": "1.0-1"}, {}) == ["openssl 计划 1.0-2，软件源现在没有"]


def test_host_that_could_not_be_asked_is_not_said_to_have_nothing_to_install() -> None:
    facts = {"web1": answer(problems=[{"code": "PS-E6001", "text": "软件源不可达"}]), "web2": answer()}
    document = made(facts)
    assert (list(document["hosts"]), document["unchanged"]) == (["web1"], ["web2"])


def test_host_with_nothing_but_a_held_update_says_so() -> None:
    held = {"name": "nginx", "version": "1.0-1", "candidate": "1.0-2"}
    document = made({"web1": answer(held=[held]), "web2": answer(held=[{**held, "candidate": "1.0-1"}])})
    assert (document["hosts"]["web1"]["held"], document["unchanged"]) == (["nginx"], ["web2"])


def test_workbook_and_lines_name_hosts_packages_and_digest(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    save_plan(tmp_path / "plan.yml", {**planned().document, "unreachable": ["gone1"]})
    plan = load_plan(tmp_path / "plan.yml")
    book = load_workbook(write_workbook(plan))
    text = "\n".join(str(value) for sheet in book for row in sheet.values for value in row)
    assert {"web1", "openssl", "1.0-2", digest(plan.document), "gone1"} <= set(text.split("\n"))
    assert any("gone1" in line for line in lines_of(plan))
