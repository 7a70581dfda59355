from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from panshi.controls.catalogue import ROOT

MINIMAL: dict[str, Any] = {
    "id": "8.1.4.1 a)",
    "tag": "mlps_8_1_4_1_a",
    "area": "安全计算环境",
    "control_point": "身份鉴别",
    "sag": "S3",
    "title": "口令",
    "requirement": "口令应有足够强度。",
    "rationale": "弱口令最容易被猜到。",
    "level2": {"id": "7.1.4.1 a)", "strengthened": False, "note": "一致"},
    "weight_2021": "重要",
    "weight_origin": "draft",
    "automation": "full",
    "applies_to": ["linux"],
    "not_applicable": [],
    "high_risk": {"2020": None, "2025": None},
    "evidence": [],
    "parameters": {
        "minlen": {
            "title": "最小长度",
            "type": "int",
            "unit": "位",
            "default": 10,
            "accept": {"min": 8},
            "origin": "guide",
            "source": "测试",
            "level2": {"accept": {"min": 6}, "default": 8},
        }
    },
    "checks": [
        {
            "id": "linux-minlen",
            "target": "linux",
            "mode": "auto",
            "title": "最小长度",
            "expected": "最小长度 {minlen}",
            "parameters": ["minlen"],
            "read": "看",
            "fix": "改",
            "risk": {"disruption": "low", "reboot": False, "lockout": False},
        },
        {
            "id": "linux-only-three",
            "target": "linux",
            "mode": "evidence",
            "title": "仅三级",
            "expected": "有记录",
            "parameters": [],
            "read": "看",
            "fix": "改",
            "risk": {"disruption": "low", "reboot": False, "lockout": False},
            "levels": [3],
        },
    ],
}


@pytest.fixture
def write_catalogue(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a small catalogue of the given documents and returns its folder."""

    def write(*documents: dict[str, Any]) -> Path:
        root = tmp_path / "controls"
        shutil.rmtree(root, ignore_errors=True)
        (root / "profiles").mkdir(parents=True)
        shutil.copy(ROOT / "schema.json", root)
        for path in (ROOT / "profiles").glob("*.yml"):
            shutil.copy(path, root / "profiles")
        for number, document in enumerate(documents):
            (root / f"{number}.yml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        return root

    return write
