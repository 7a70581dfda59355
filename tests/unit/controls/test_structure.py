"""The shape of GB/T 22239-2019: how many items each control point has at level 3 and at level 2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from panshi.controls import load_catalogue
from panshi.controls.catalogue import Catalogue, clause_key
from panshi.controls.cli import CONFIDENCE_ZH, GROUP_ZH, app
from panshi.errors import PanshiError

from .conftest import MINIMAL

# section of level 3: (control point, S/A/G, items at level 3, section of level 2, items at level 2)
STRUCTURE = {
    "8.1.2.1": ("网络架构", "G3", 5, "7.1.2.1", 2),
    "8.1.2.2": ("通信传输", "G3", 2, "7.1.2.2", 1),
    "8.1.2.3": ("可信验证", "S3", 1, "7.1.2.3", 1),
    "8.1.3.1": ("边界防护", "G3", 4, "7.1.3.1", 1),
    "8.1.3.2": ("访问控制", "G3", 5, "7.1.3.2", 4),
    "8.1.3.3": ("入侵防范", "G3", 4, "7.1.3.3", 1),
    "8.1.3.4": ("恶意代码和垃圾邮件防范", "G3", 2, "7.1.3.4", 1),
    "8.1.3.5": ("安全审计", "G3", 4, "7.1.3.5", 3),
    "8.1.3.6": ("可信验证", "S3", 1, "7.1.3.6", 1),
    "8.1.4.1": ("身份鉴别", "S3", 4, "7.1.4.1", 3),
    "8.1.4.2": ("访问控制", "S3", 7, "7.1.4.2", 4),
    "8.1.4.3": ("安全审计", "G3", 4, "7.1.4.3", 3),
    "8.1.4.4": ("入侵防范", "G3", 6, "7.1.4.4", 5),
    "8.1.4.5": ("恶意代码防范", "G3", 1, "7.1.4.5", 1),
    "8.1.4.6": ("可信验证", "S3", 1, "7.1.4.6", 1),
    "8.1.4.7": ("数据完整性", "S3", 2, "7.1.4.7", 1),
    "8.1.4.8": ("数据保密性", "S3", 2, None, 0),
    "8.1.4.9": ("数据备份恢复", "A3", 3, "7.1.4.8", 2),
    "8.1.4.10": ("剩余信息保护", "S3", 2, "7.1.4.9", 1),
    "8.1.4.11": ("个人信息保护", "S3", 2, "7.1.4.10", 2),
    "8.1.5.1": ("系统管理", "G3", 2, "7.1.5.1", 2),
    "8.1.5.2": ("审计管理", "G3", 2, "7.1.5.2", 2),
    "8.1.5.3": ("安全管理", "G3", 2, None, 0),
    "8.1.5.4": ("集中管控", "G3", 6, None, 0),
    "8.1.10.1": ("环境管理", "G3", 3, "7.1.10.1", 3),
    "8.1.10.2": ("资产管理", "G3", 3, "7.1.10.2", 1),
    "8.1.10.3": ("介质管理", "G3", 2, "7.1.10.3", 2),
    "8.1.10.4": ("设备维护管理", "G3", 4, "7.1.10.4", 2),
    "8.1.10.5": ("漏洞和风险管理", "G3", 2, "7.1.10.5", 1),
    "8.1.10.6": ("网络和系统安全管理", "G3", 10, "7.1.10.6", 5),
    "8.1.10.7": ("恶意代码防范管理", "G3", 2, "7.1.10.7", 3),
    "8.1.10.8": ("配置管理", "G3", 2, "7.1.10.8", 1),
    "8.1.10.9": ("密码管理", "G3", 2, "7.1.10.9", 2),
    "8.1.10.10": ("变更管理", "G3", 3, "7.1.10.10", 1),
    "8.1.10.11": ("备份与恢复管理", "G3", 3, "7.1.10.11", 3),
    "8.1.10.12": ("安全事件处置", "G3", 4, "7.1.10.12", 3),
    "8.1.10.13": ("应急预案管理", "G3", 4, "7.1.10.13", 2),
    "8.1.10.14": ("外包运维管理", "G3", 4, "7.1.10.14", 2),
}
AREAS = {
    "8.1.2": ("安全通信网络", 8, 4),
    "8.1.3": ("安全区域边界", 20, 11),
    "8.1.4": ("安全计算环境", 34, 23),
    "8.1.5": ("安全管理中心", 12, 4),
    "8.1.10": ("安全运维管理", 48, 31),
}
# Level 2 asks for written rules on malware; level 3 has no item of its own for them.
WITHOUT_SUCCESSOR = {"7.1.10.7 b)"}
# The rows of appendix G that name a general clause outside the physical area; the rest are extensions or name none.
TRIGGERS = {f"A-{number:02}" for number in (3, 9, 10, 11, *range(13, 16), *range(18, 27))}
# The cases of the 2025 guideline for level 3 that belong to our chapters: of 42 general ones without the physical area
# (6.1), the level-4 case 6.4.6.3, and the management chapters that the catalogue leaves out (6.6 to 6.9).
CASES = {
    *("6.2.1.1", "6.2.1.2", "6.2.1.3", "6.2.2.1"),
    *("6.3.1.1", "6.3.1.2", "6.3.2.1", "6.3.3.1", "6.3.3.2", "6.3.3.3"),
    *("6.4.1.1", "6.4.1.2", "6.4.1.3", "6.4.2.1", "6.4.2.2", "6.4.3.1", "6.4.3.2", "6.4.3.3", "6.4.4.1"),
    *("6.4.5.1", "6.4.5.2", "6.4.6.1", "6.4.6.2", "6.4.7.1", "6.4.7.2"),
    *("6.5.1.1", "6.5.1.2", "6.10.1.1", "6.10.1.2"),
}


def items(section: str, count: int) -> list[str]:
    """Return the ids of a section's items; a section with one item carries no letter."""
    return [section] if count == 1 else [f"{section} {chr(ord('a') + index)})" for index in range(count)]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_the_structure_adds_up_to_the_known_totals() -> None:
    found = dict.fromkeys(AREAS, (0, 0))
    for section, (_, _, level3, _, level2) in STRUCTURE.items():
        before = found[section.rpartition(".")[0]]
        found[section.rpartition(".")[0]] = (before[0] + level3, before[1] + level2)
    assert found == {chapter: (level3, level2) for chapter, (_, level3, level2) in AREAS.items()}


def test_every_item_of_level_3_is_there_under_its_control_point(catalogue: Catalogue) -> None:
    expected = {
        clause: (AREAS[section.rpartition(".")[0]][0], point, sag)
        for section, (point, sag, count, _, _) in STRUCTURE.items()
        for clause in items(section, count)
    }
    found = {key: (control.area, control.control_point, control.sag) for key, control in catalogue.controls.items()}
    assert found == expected


def test_every_item_of_level_2_has_exactly_one_successor(catalogue: Catalogue) -> None:
    expected = {item for *_, section, count in STRUCTURE.values() if section for item in items(section, count)}
    found = Counter(control.level2["id"] for control in catalogue.controls.values() if control.level2)
    assert found == Counter(expected - WITHOUT_SUCCESSOR)


def test_level_2_counterparts_stay_in_their_section_and_order(catalogue: Catalogue) -> None:
    pairs = [(key, str(control.level2["id"])) for key, control in catalogue.controls.items() if control.level2]
    assert [second for _, second in pairs] == sorted((second for _, second in pairs), key=clause_key)
    assert {(first.split()[0], second.split()[0]) for first, second in pairs} == {
        (section, level2) for section, (_, _, _, level2, _) in STRUCTURE.items() if level2
    }


def test_the_triggers_of_2025_are_each_named_by_one_clause(catalogue: Catalogue) -> None:
    rules = [control.high_risk["2025"] or {} for control in catalogue.controls.values()]
    assert Counter(rule["trigger"] for rule in rules if "trigger" in rule) == Counter(TRIGGERS)


def test_each_2025_case_of_our_chapters_belongs_to_one_clause(catalogue: Catalogue) -> None:
    rules = [control.high_risk["2025"] or {} for control in catalogue.controls.values()]
    assert Counter(rule["case"] for rule in rules if "case" in rule) == Counter(CASES)


def test_every_clause_says_how_sure_its_facts_are(catalogue: Catalogue) -> None:
    assert [key for key, control in catalogue.controls.items() if set(control.confidence) != set(GROUP_ZH)] == []


def test_a_weight_is_called_verified_only_when_it_is_official(catalogue: Catalogue) -> None:
    sure = {key for key, control in catalogue.controls.items() if control.confidence["weight_2021"] == "verified"}
    assert sure == {key for key, control in catalogue.controls.items() if control.weight_origin == "official"}


def test_show_says_how_sure_the_facts_of_a_clause_are() -> None:
    shown = "".join(CliRunner().invoke(app, ["show", "8.1.4.1_a"]).output.split())
    assert f"{GROUP_ZH['level2']}{CONFIDENCE_ZH['verified']}" in shown
    assert f"高风险判例2025{CONFIDENCE_ZH['digest']}" in shown


@pytest.mark.parametrize("confidence", [{"clause": "verified"}, dict.fromkeys(GROUP_ZH, "perhaps")])
def test_a_confidence_that_leaves_a_gap_or_invents_a_word_is_refused(
    write_catalogue: Callable[..., Path], confidence: dict[str, str]
) -> None:
    with pytest.raises(PanshiError) as caught:
        load_catalogue(write_catalogue({**MINIMAL, "confidence": confidence}))
    assert caught.value.code == "PS-E1101"


def test_a_catalogue_of_ones_own_may_say_nothing_about_confidence(write_catalogue: Callable[..., Path]) -> None:
    assert load_catalogue(write_catalogue(MINIMAL)).controls["8.1.4.1 a)"].confidence == {}
