"""Every error code that the program can say has a page, and every page belongs to a code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# A code that is said stands in quotes or in brackets; prose about ranges does not.
CODE = re.compile(r"[\"\[](PS-E\d{4})")
PARTS = ("## 含义", "## 常见原因", "## 处理")


def used() -> set[str]:
    sources = [path for folder in ("panshi", "plugins", "roles") for path in (ROOT / folder).rglob("*.py")]
    sources += [path for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*.yml")]
    return {code for path in sources for code in CODE.findall(path.read_text(encoding="utf-8"))}


def pages() -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "errors").glob("PS-E*.md")}


def test_parsed_every_code_has_a_page() -> None:
    assert used() - set(pages()) == set()


def test_parsed_every_page_has_a_code() -> None:
    assert set(pages()) - used() == set()


def test_parsed_every_page_has_its_parts() -> None:
    for code, text in pages().items():
        assert text.startswith(f"# {code} "), code
        assert [part for part in PARTS if part not in text] == [], code
