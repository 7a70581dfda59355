"""Every error code of the lab has its page, and every page its code."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def test_codes_and_pages_are_the_same_set() -> None:
    sources = [*(REPOSITORY / "panshi" / "lab").rglob("*.py"), REPOSITORY / "scripts" / "system-packages"]
    used = {code for path in sources for code in re.findall(r"PS-E2\d{3}", path.read_text(encoding="utf-8"))}
    pages = {path.stem for path in (REPOSITORY / "docs" / "errors").glob("PS-E2*.md")}
    assert used - {"PS-E2099"} == pages
