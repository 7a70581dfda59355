"""Tables that must be in a backup, and those that are not."""

from __future__ import annotations

from typing import Any

import pytest

from panshi.backup.agent.evidence import Evidence
from panshi.backup.agent.mark import Table
from panshi.backup.agent.prove import Wanted, _present
from panshi.backup.agent.scratch import Bounds

from .made import mark

WANTED: dict[str, Any] = {
    "database": True,
    "files": (),
    "redis": False,
    "logical": (),
    "expect": {"shop": ["orders", "customers"]},
    "newest": {},
    "smoke": {},
    "last": (),
    "hours": 26,
    "rpo": 60,
    "bounds": Bounds(1, 1, 1, 1),
    "threads": 1,
}
WHOLE = (("shop.orders", 7), ("shop.customers", 2), ("shop.log", 0))


def found(*tables: tuple[str, int], **wanted: Any) -> list[str]:
    evidence = Evidence()
    _present(mark(*tables), Wanted(**{**WANTED, **wanted}), evidence)
    assert {one["code"] for one in evidence.findings} <= {"PS-E7450"}
    return [one["message"] for one in evidence.findings]


def test_parsed_whole_backup_has_no_finding() -> None:
    assert found(*WHOLE) == []
    assert found(*WHOLE, last=("shop.orders", "shop.log")) == []


def test_parsed_table_that_is_new_is_no_finding() -> None:
    assert found(*WHOLE, ("shop.fresh", 1), last=("shop.orders",)) == []


@pytest.mark.parametrize(
    ("tables", "wanted", "said"),
    [
        ((), {"expect": {}}, ["备份里没有任何业务表"]),
        (WHOLE[1:], {}, ["清单要求的表 shop.orders 不在备份里"]),
        (WHOLE[:2], {"last": ("shop.log",)}, ["表 shop.log 上次验证时还在，这份备份里没有"]),
        (WHOLE[1:], {"last": ("shop.orders",)}, ["清单要求的表 shop.orders 不在备份里"]),
        ((("shop.orders", 0), *WHOLE[1:]), {}, ["清单要求的表 shop.orders 在备份里是空的"]),
        ((("Shop.orders", 7), *WHOLE[1:]), {}, ["清单要求的表 shop.orders 不在备份里"]),
    ],
    ids=["nothing", "declared", "seen last time", "said once", "empty", "another database"],
)
def test_parsed_missing_table_is_named_once(tables: Any, wanted: dict[str, Any], said: list[str]) -> None:
    assert found(*tables, **wanted) == said


@pytest.mark.parametrize(
    ("restored", "same"),
    [(("shop.orders", 7), True), (("shop.orders", 6), False), (None, False)],
    ids=["same", "a row less", "not there"],
)
def test_parsed_table_is_held_against_its_source(restored: tuple[str, int] | None, same: bool) -> None:
    evidence = Evidence()
    other = mark(restored).tables[0] if restored else None
    row = evidence.compare(mark(("shop.orders", 7)).tables[0], other)
    assert row["same"] is same and [one["code"] for one in evidence.findings] == ([] if same else ["PS-E7452"])


def _against(engine: str, restored: Table | None) -> tuple[bool, list[str]]:
    evidence = Evidence()
    row = evidence.compare(Table("shop", "orders", engine, 7, "111"), restored)
    return row["same"], [one["message"] for one in evidence.findings]


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM", "Aria"])
def test_parsed_table_that_differs_is_a_finding_whatever_its_engine(engine: str) -> None:
    assert _against(engine, Table("shop", "orders", engine, 7, "111")) == (True, [])
    for other in (Table("shop", "orders", engine, 6, "111"), Table("shop", "orders", engine, 7, "112")):
        same, told = _against(engine, other)
        assert not same and len(told) == 1 and "shop.orders 与来源不同" in told[0]
        assert ("不是事务表" in told[0]) is (engine != "InnoDB")
    assert _against(engine, None) == (False, ["表 shop.orders 没有恢复出来"])
