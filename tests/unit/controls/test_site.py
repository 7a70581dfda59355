from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from panshi.controls import Catalogue, find_waiver, load_catalogue, load_waivers, resolve_params
from panshi.errors import PanshiError

from .conftest import MINIMAL

GOOD: dict[str, Any] = {
    "check": "linux-minlen",
    "hosts": ["db*"],
    "owner": "王工",
    "reason": "老系统限制，已由堡垒机代管口令",
    "expires": dt.date(2027, 3, 31),
}


@pytest.fixture
def catalogue(write_catalogue: Callable[..., Path]) -> Catalogue:
    return load_catalogue(write_catalogue(MINIMAL))


def waivers_file(tmp_path: Path, *entries: Any) -> Path:
    path = tmp_path / "waivers.yml"
    path.write_text(yaml.safe_dump({"waivers": list(entries)}, allow_unicode=True), encoding="utf-8")
    return path


def test_an_override_inside_accept_becomes_the_value_in_force(catalogue: Catalogue) -> None:
    params = resolve_params(catalogue, 3, {"mlps_minlen": 12, "ansible_host": "192.0.2.1"}, "db1")
    assert params.value("minlen") == 12
    assert resolve_params(catalogue, 3, {}, "db1").value("minlen") == 10


@pytest.mark.parametrize("value", [7, "12", True, None, [12]])
def test_an_override_outside_accept_or_of_a_wrong_type_is_refused(catalogue: Catalogue, value: Any) -> None:
    with pytest.raises(PanshiError) as caught:
        resolve_params(catalogue, 3, {"mlps_minlen": value}, "db1")
    assert caught.value.code == "PS-E1103"
    assert "db1" in str(caught.value)


def test_an_override_of_nothing_is_refused_with_a_near_name(catalogue: Catalogue) -> None:
    with pytest.raises(PanshiError) as caught:
        resolve_params(catalogue, 3, {"mlps_minlan": 12}, "db1")
    assert caught.value.code == "PS-E1104"
    assert "mlps_minlen" in caught.value.hint


def test_no_file_is_an_estate_without_waivers(catalogue: Catalogue, tmp_path: Path) -> None:
    assert load_waivers(tmp_path / "waivers.yml", catalogue) == []


def test_a_waiver_covers_its_hosts_and_its_check_until_its_last_day(catalogue: Catalogue, tmp_path: Path) -> None:
    (waiver,) = load_waivers(waivers_file(tmp_path, GOOD), catalogue)
    check = catalogue.checks["linux-minlen"]
    assert waiver.covers("db1", check)
    assert not waiver.covers("web1", check)
    assert not waiver.covers("db1", catalogue.checks["linux-only-three"])
    assert not waiver.expired(dt.date(2027, 3, 31))
    assert waiver.expired(dt.date(2027, 4, 1))


def test_a_waiver_of_a_clause_covers_all_its_checks(catalogue: Catalogue, tmp_path: Path) -> None:
    entry = {**{k: v for k, v in GOOD.items() if k != "check"}, "control": "8.1.4.1 a)", "hosts": "all"}
    (waiver,) = load_waivers(waivers_file(tmp_path, entry), catalogue)
    assert all(waiver.covers("any", check) for check in catalogue.checks.values())


def test_of_two_waivers_the_one_that_holds_longest_is_taken(catalogue: Catalogue, tmp_path: Path) -> None:
    later = {**GOOD, "expires": dt.date(2028, 1, 1)}
    waivers = load_waivers(waivers_file(tmp_path, GOOD, later), catalogue)
    found = find_waiver(waivers, "db1", catalogue.checks["linux-minlen"])
    assert found is not None
    assert found.expires == dt.date(2028, 1, 1)
    assert find_waiver(waivers, "web1", catalogue.checks["linux-minlen"]) is None


@pytest.mark.parametrize(
    "entry",
    [
        "not a mapping",
        {k: v for k, v in GOOD.items() if k != "owner"},
        {k: v for k, v in GOOD.items() if k != "expires"},
        {**GOOD, "reason": ""},
        {**GOOD, "expires": "someday"},
        {**GOOD, "expires": dt.datetime(2027, 1, 1, 8)},
        {**GOOD, "check": "linux-nothing"},
        {**GOOD, "control": "8.1.4.1 a)"},
        {**GOOD, "until": 3},
    ],
)
def test_a_malformed_waiver_is_refused_by_one_line(catalogue: Catalogue, tmp_path: Path, entry: Any) -> None:
    with pytest.raises(PanshiError) as caught:
        load_waivers(waivers_file(tmp_path, entry), catalogue)
    assert caught.value.code == "PS-E1105"
    assert "第 1 条" in str(caught.value)


@pytest.mark.parametrize("text", ["waivers: [", "[]", "waivers: 3", "其他: 1"])
def test_a_file_of_another_shape_is_refused(catalogue: Catalogue, tmp_path: Path, text: str) -> None:
    path = tmp_path / "waivers.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PanshiError) as caught:
        load_waivers(path, catalogue)
    assert caught.value.code == "PS-E1105"
