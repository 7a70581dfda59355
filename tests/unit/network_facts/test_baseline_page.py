"""docs/network-baseline.md says what the checks really read: every check, every hidden default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from panshi.controls import load_catalogue
from panshi.facts.network.defaults import table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "network-baseline.md"
PLATFORMS = {
    "huawei_vrp": "VRP5",
    "huawei_vrpv8": "VRPv8",
    "hp_comware": "Comware",
    "ruijie_os": "RGOS",
    "cisco_ios": "IOS",
}


def rendered() -> str:
    """Return the table of defaults as the page must have it."""
    questions = list(dict.fromkeys(question for platform in PLATFORMS for question in table()[platform]))
    head = [f"| 问题 | {' | '.join(PLATFORMS.values())} |", "|---" * (len(PLATFORMS) + 1) + "|"]
    rows = [f"| `{one}` | {' | '.join(cell(table()[p].get(one)) for p in PLATFORMS)} |" for one in questions]
    return "\n".join([*head, *rows])


def cell(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "—"
    value = entry["value"]
    if isinstance(value, bool):
        said = "是" if value else "否"
    else:
        said = "?" if value is None else "、".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{said} {entry['source']}" + (f"：{entry['note']}" if "note" in entry else "")


def test_parsed_the_page_has_every_check() -> None:
    checks = load_catalogue().checks.values()
    wanted = {check.id for check in checks if check.target == "network_device" and check.mode == "auto"}
    assert len(wanted) == 34
    assert [one for one in sorted(wanted) if f"`{one}`" not in PAGE.read_text(encoding="utf-8")] == []


def test_parsed_the_page_has_the_defaults_of_the_data() -> None:
    assert rendered() in PAGE.read_text(encoding="utf-8")
