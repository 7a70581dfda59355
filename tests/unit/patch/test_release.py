"""Values of a release that make no sense are told in one line; hosts come in waves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from panshi.patch.release import wrong

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "filter_plugins"))
from panshi_waves import panshi_waves

GOOD: dict[str, Any] = {
    **{"name": "shop", "version": "1.10", "archive": "/srv/shop.tar.gz", "sha256": "ab" * 32, "root": "/opt/shop"},
    **{"strip": 0, "shared": [{"path": "conf/app", "mode": "0750"}], "unit": "shop@1.service", "keep": 2, "drop": []},
    "probes": [{"url": "http://192.0.2.1/", "contains": "ok"}, {"port": 80, "host": "web1"}],
}


def test_good_values_are_good() -> None:
    assert wrong(GOOD) == ""
    assert wrong({**GOOD, "unit": "", "probes": [], "shared": [], "drop": ["1.0"]}) == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../etc"),
        ("version", 1.1),
        ("version", ".hidden"),
        ("version", "1/2"),
        ("archive", ""),
        ("sha256", "AB" * 32),
        ("sha256", ""),
        ("root", "/opt"),
        ("root", "opt/shop"),
        ("root", "/opt/../etc"),
        ("strip", -1),
        ("keep", True),
        ("unit", "shop"),
        ("unit", "-x.service"),
        ("drop", ["1.10"]),
        ("drop", [1.0]),
        ("drop", ["../x"]),
        ("shared", ["conf"]),
        ("shared", [{"path": "/conf"}]),
        ("shared", [{"path": "../conf"}]),
        ("shared", [{"path": "conf", "user": "x"}]),
        ("shared", [{"path": "conf", "mode": 488}]),
        ("shared", [{"path": "conf"}, {"path": "conf/app"}]),
        ("shared", [{"path": "conf"}, {"path": "conf"}]),
        ("probes", []),
        ("probes", [{"url": "x", "port": 1}]),
        ("probes", ["x"]),
    ],
)
def test_value_that_makes_no_sense_is_named(key: str, value: Any) -> None:
    assert f"app_release_{key}" in wrong({**GOOD, key: value})


def test_two_of_one_group_are_never_in_one_wave() -> None:
    variables = {name: {"patch_group": name[:3]} for name in ("app1", "app2", "web1", "web2")}
    variables["web2"]["patch_canary"] = "yes"
    waves = {one["host"]: one["wave"] for one in panshi_waves(variables, variables)}
    assert waves["web2"] == 0
    assert list(waves.values()).count(0) == 1
    assert waves["app1"] != waves["app2"]
