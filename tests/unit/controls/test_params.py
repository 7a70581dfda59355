from __future__ import annotations

from typing import Any

import pytest

from panshi.controls import Parameter


def parameter(kind: str, accept: dict[str, Any], unit: str = "") -> Parameter:
    return Parameter(name="p", title="参数", type=kind, default=None, accept=accept, origin="guide", unit=unit)


@pytest.mark.parametrize(
    ("kind", "accept", "good", "bad"),
    [
        ("int", {"min": 3, "max": 5}, [3, 4, 5], [2, 6, True, "4", None, 4.0]),
        ("int", {}, [-1, 0], ["0", False]),
        ("bool", {"any_of": [True]}, [True], [False, 1, "yes"]),
        ("str", {"any_of": ["yescrypt", "sha512"]}, ["sha512"], ["md5", None]),
        ("list", {"none_of": ["3des-cbc"]}, [["aes256-ctr"], []], [["3des-cbc"], "3des-cbc"]),
        ("list", {"subset_of": ["a", "b"]}, [["a"], []], [["c"], ["a", "c"]]),
        ("list", {"superset_of": ["a"]}, [["a", "b"]], [["b"], []]),
    ],
)
def test_accepts_only_the_range_and_the_type(
    kind: str, accept: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    found = parameter(kind, accept)
    assert [value for value in good if not found.accepts(value)] == []
    assert [value for value in bad if found.accepts(value)] == []


@pytest.mark.parametrize(
    ("kind", "accept", "unit", "text"),
    [
        ("int", {"min": 8}, "位", "≥ 8 位"),
        ("int", {"max": 90}, "天", "≤ 90 天"),
        ("int", {"min": 3, "max": 5}, "次", "3～5 次"),
        ("str", {"any_of": ["a", "b"]}, "", "a 或 b"),
        ("list", {"none_of": ["x"]}, "", "不得包含 x"),
    ],
)
def test_text_says_the_range_in_chinese(kind: str, accept: dict[str, Any], unit: str, text: str) -> None:
    assert parameter(kind, accept, unit).text == text
