from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import panshi.checks.linux  # noqa: F401 - fills the register
import panshi.checks.mysql  # noqa: F401 - fills the register
from panshi.checks import CHECKS
from panshi.controls import load_catalogue, load_profile, select
from panshi.controls.catalogue import clause_key
from panshi.errors import PanshiError
from panshi.network import inspection

from .conftest import MINIMAL

ROOT = Path(__file__).resolve().parents[3]
WRITTEN = ("linux", "mysql")


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(MINIMAL)
    *parents, last = path.split("/")
    node: Any = document
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node[part]
    if isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
    return document


def test_the_shipped_catalogue_holds_every_clause_and_check() -> None:
    catalogue = load_catalogue()
    assert len(catalogue.controls) == 122  # 74 technical items of 8.1.2 to 8.1.5 and 48 of 8.1.10
    assert len(catalogue.checks) >= 647
    areas = {control.area for control in catalogue.controls.values()}
    assert areas == {"安全通信网络", "安全区域边界", "安全计算环境", "安全管理中心", "安全运维管理"}


def test_every_written_check_is_an_auto_check_of_the_catalogue() -> None:
    checks = load_catalogue().checks
    assert {name for name in CHECKS if name not in checks or checks[name].mode != "auto"} == set()


def test_no_auto_check_of_a_written_technology_is_unwritten() -> None:
    checks = load_catalogue().checks.values()
    assert [c.id for c in checks if c.target in WRITTEN and c.mode == "auto" and c.id not in CHECKS] == []


def test_every_clause_says_why() -> None:
    assert [control.id for control in load_catalogue().controls.values() if not control.rationale] == []


def test_evidence_checks_name_what_to_show() -> None:
    checks = load_catalogue().checks.values()
    assert [c.id for c in checks if c.target in WRITTEN and c.mode == "evidence" and not c.items] == []


def test_every_parameter_is_used_by_a_check_a_role_or_the_inspection() -> None:
    catalogue = load_catalogue()
    used = {name for check in catalogue.checks.values() for name in check.parameters}
    for defaults in (ROOT / "roles").glob("*/defaults/main.yml"):
        used |= set(re.findall(r"lookup\('mlps', '(\w+)'\)", defaults.read_text(encoding="utf-8")))
    used |= set(inspection.PARAMETERS)
    assert set(catalogue.parameters()) - used == set()


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("title", 7, "PS-E1101"),
        ("area", "别处", "PS-E1101"),
        ("surprise", "x", "PS-E1101"),
        ("checks/0/mode", "perhaps", "PS-E1101"),
        ("checks/0/risk", {"disruption": "low"}, "PS-E1101"),
        ("parameters/minlen/accept", {"minimum": 8}, "PS-E1101"),
        ("parameters/minlen/default", 4, "PS-E1102"),
        ("parameters/minlen/level2", {"default": 4}, "PS-E1102"),
        ("parameters/minlen/default", "ten", "PS-E1102"),
        ("checks/0/parameters", [], "PS-E1102"),
        ("checks/0/parameters", ["minlen", "nothing"], "PS-E1102"),
        ("checks/0/also_covers", ["8.1.9.9 z)"], "PS-E1102"),
        ("checks/1/id", "linux-minlen", "PS-E1102"),
    ],
)
def test_a_broken_catalogue_is_refused_by_one_line(
    write_catalogue: Callable[..., Path], path: str, value: Any, code: str
) -> None:
    with pytest.raises(PanshiError) as caught:
        load_catalogue(write_catalogue(changed(path, value)))
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


def test_yaml_that_is_not_yaml_is_refused(write_catalogue: Callable[..., Path]) -> None:
    root = write_catalogue(MINIMAL)
    (root / "9.yml").write_text("id: [unclosed\n", encoding="utf-8")
    with pytest.raises(PanshiError) as caught:
        load_catalogue(root)
    assert caught.value.code == "PS-E1101"
    assert "9.yml" in str(caught.value)


def test_two_files_cannot_claim_one_clause(write_catalogue: Callable[..., Path]) -> None:
    with pytest.raises(PanshiError, match="已在另一个文件中定义"):
        load_catalogue(write_catalogue(MINIMAL, MINIMAL))


def test_level_2_has_its_own_range_and_fewer_checks(write_catalogue: Callable[..., Path]) -> None:
    root = write_catalogue(MINIMAL)
    catalogue = load_catalogue(root)
    assert catalogue.parameters(3)["minlen"].accepts(7) is False
    assert catalogue.parameters(2)["minlen"].accepts(7) is True
    chosen = {level: [c.id for _, c in select(catalogue, load_profile(f"linux-l{level}", root))] for level in (2, 3)}
    assert chosen == {2: ["linux-minlen"], 3: ["linux-minlen", "linux-only-three"]}


def test_a_clause_new_at_level_3_is_not_asked_at_level_2(write_catalogue: Callable[..., Path]) -> None:
    root = write_catalogue(changed("level2", None))
    assert select(load_catalogue(root), load_profile("linux-l2", root)) == []


def test_expected_names_the_accepted_range(write_catalogue: Callable[..., Path]) -> None:
    catalogue = load_catalogue(write_catalogue(MINIMAL))
    assert catalogue.checks["linux-minlen"].expected_text(catalogue.parameters()) == "最小长度 ≥ 8 位"


@pytest.mark.parametrize("pattern", ["8.1.4.1 a)", "8.1.4.1_a", "mlps_8_1_4_1_a", "8.1.4.*"])
def test_a_clause_is_selected_by_each_of_its_names(write_catalogue: Callable[..., Path], pattern: str) -> None:
    root = write_catalogue(MINIMAL)
    assert len(select(load_catalogue(root), load_profile("linux-l3", root), [pattern])) == 2


def test_an_unknown_pattern_is_refused_with_a_near_name(write_catalogue: Callable[..., Path]) -> None:
    root = write_catalogue(MINIMAL)
    with pytest.raises(PanshiError) as caught:
        select(load_catalogue(root), load_profile("linux-l3", root), ["linux-minlan"])
    assert caught.value.code == "PS-E1108"
    assert "linux-minlen" in caught.value.hint


def test_an_unknown_profile_is_refused(write_catalogue: Callable[..., Path]) -> None:
    with pytest.raises(PanshiError) as caught:
        load_profile("linux-l9", write_catalogue(MINIMAL))
    assert caught.value.code == "PS-E1107"
    assert "linux-l3" in caught.value.hint


def test_clauses_sort_as_the_standard_does() -> None:
    clauses = ["8.1.4.10 a)", "8.1.4.9 b)", "8.1.4.9 a)", "8.1.2.3"]
    assert sorted(clauses, key=clause_key) == ["8.1.2.3", "8.1.4.9 a)", "8.1.4.9 b)", "8.1.4.10 a)"]
