"""Lines of files that nobody owns as a whole."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(name="module", scope="module")
def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("panshi_change_lines", ROOT / "plugins/modules/panshi_change.py")
    assert spec and spec.loader
    ledger = importlib.util.spec_from_file_location(
        "ansible.module_utils.panshi_ledger", ROOT / "plugins/module_utils/panshi_ledger.py"
    )
    assert ledger and ledger.loader
    sys.modules.setdefault(ledger.name, importlib.util.module_from_spec(ledger))
    import ansible.module_utils

    loaded = sys.modules[ledger.name]
    if not hasattr(loaded, "Journal"):
        ledger.loader.exec_module(loaded)
    ansible.module_utils.panshi_ledger = loaded
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOK = {"match": r"zz-panshi", "line": ". /etc/profile.d/zz-panshi.sh"}


@pytest.mark.parametrize(
    ("text", "edit", "wanted"),
    [
        ("a\n", HOOK, "a\n. /etc/profile.d/zz-panshi.sh\n"),
        ("a\n", {**HOOK, "missing": "first"}, ". /etc/profile.d/zz-panshi.sh\na\n"),
        ("a\n", {**HOOK, "missing": "skip"}, "a\n"),
        ("a\n. zz-panshi old\nb\n# zz-panshi\n", HOOK, "a\n. /etc/profile.d/zz-panshi.sh\nb\n"),
        ("autologin-user=ops\nother=1\n", {"match": r"^\s*autologin-user\s*=", "line": None}, "other=1\n"),
        ("", HOOK, ". /etc/profile.d/zz-panshi.sh\n"),
        ("no newline", {"match": "^x", "line": None}, "no newline"),
    ],
    ids=["last", "first", "skip", "once", "removed", "empty", "untouched"],
)
def test_parsed_one_line(module: ModuleType, text: str, edit: dict[str, Any], wanted: str) -> None:
    assert module.set_lines(text, [edit]) == wanted
    assert module.set_lines(wanted, [edit]) == wanted


def test_parsed_only_small_groups_leave_the_moduli(module: ModuleType) -> None:
    small = "20200101000000 2 6 100 2047 2 F1\n20200101000000 2 6 100 1535 5 F2\n"
    large = "20200101000000 2 6 100 3071 2 F3\n20200101000000 2 6 100 4095 2 F4\n"
    edit = {"match": r"^\d+ \d+ \d+ \d+ ([1-9]\d{0,2}|[12]\d{3}|30[0-6]\d|3070) ", "line": None}
    assert module.set_lines("# note\n" + small + large, [edit]) == "# note\n" + large
