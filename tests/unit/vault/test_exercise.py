"""The exercise's own parts: what it reads of HTTP/2, and that a single attempt that goes through fails the run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _load(kind: str) -> ModuleType:
    path = ROOT / "plugins" / kind / "panshi_vault_exercise.py"
    spec = importlib.util.spec_from_file_location(f"panshi_vault_exercise_{kind}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


module, action = _load("modules"), _load("action")


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (b"\x88", 200),
        (b"\x20\x8d", 404),
        (b"\x48\x03403", 403),
        # 201 and 302 as HPACK's code for digits makes them; the second is the example of RFC 7541, C.6.1
        (b"\x48\x82\x10\x03", 201),
        (b"\x48\x82\x64\x02", 302),
        (b"", 0),
    ],
)
def test_parsed_status_of_a_response(block: bytes, status: int) -> None:
    assert module.status_of(block) == status


def attempt(name: str, refused: bool = True) -> dict[str, Any]:
    return {"attempt": name, "title": f"尝试 {name}", "refused": refused, "seen": "HTTP 403"}


def test_parsed_all_refused_and_restored_is_good() -> None:
    attempts = [attempt("delete-data"), attempt("restore")]
    assert action.verdict(attempts, "") is None
    assert action.table(attempts) == ["尝试 delete-data：拒绝（HTTP 403）", "尝试 restore：完好（HTTP 403）"]


@pytest.mark.parametrize(
    ("attempts", "trouble", "code"),
    [
        ([attempt("delete-data", False), attempt("restore")], "", "PS-E7350"),
        ([attempt("delete-data"), attempt("restore", False)], "", "PS-E7350"),
        ([attempt("delete-data", False)], "连接断开", "PS-E7350"),
        ([attempt("delete-data")], "", "PS-E7351"),
        ([attempt("delete-data")], "连接断开", "PS-E7351"),
        ([], "", "PS-E7351"),
    ],
)
def test_parsed_what_went_through_or_was_not_done_is_never_good(
    attempts: list[dict[str, Any]], trouble: str, code: str
) -> None:
    assert action.verdict(attempts, trouble).code == code
