"""Values that a device has without showing them in its configuration (``defaults.yml``), each with its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from panshi.facts.network.model import Known

_FILE = Path(__file__).with_name("defaults.yml")
_SOURCES = {"D": "厂商资料", "K": "经验，未在真实设备上核实"}


@cache
def table() -> dict[str, dict[str, dict[str, Any]]]:
    """Return platform → question → ``{value, source, note}``; a value null differs between releases."""
    loaded: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return loaded


def default(platform: str, question: str) -> Known[Any]:
    """Return what a platform does where its configuration is silent.

    Args:
        platform: for example ``huawei_vrp``.
        question: key of ``defaults.yml``.

    Returns:
        unknown when releases of the platform differ, so that silence proves nothing.
    """
    entry = table()[platform][question]
    note = entry.get("note", "")
    if entry["value"] is None:
        return Known(None, f"配置中没有写明 {question}，默认值随版本不同{note and '：' + note}；请写成明确的配置")
    return Known(entry["value"], f"隐含默认值（{_SOURCES[entry['source']]}{note and '：' + note}）")
