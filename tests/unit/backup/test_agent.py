"""What travels to a host needs nothing but its Python, from 3.8 on."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

AGENT = Path(__file__).resolve().parents[3] / "panshi" / "backup" / "agent"
MODULES = sorted(AGENT.glob("*.py"))
# Younger than Python 3.8, and easily written: what a parser of 3.8 would not see.
_YOUNGER = {"UTC", "removeprefix", "removesuffix", "readlink", "pairwise", "is_relative_to", "with_stem", "file_digest"}
_YOUNGER_MODULES = {"tomllib", "zoneinfo", "graphlib"}
_GENERIC = {"list", "dict", "tuple", "set", "type", "Callable", "Iterator", "Iterable", "Mapping", "Sequence"}
_IMPORT = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
for name in sys.argv[2:]:
    importlib.import_module("panshi_backup." + name)
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(" ".join(sorted(tops - set(sys.stdlib_module_names) - {"panshi_backup"})))
"""


def younger(source: str) -> list[str]:
    """Return what a source has that Python 3.8 has not."""
    tree = ast.parse(source, feature_version=(3, 8))
    notes = {id(inner) for node in ast.walk(tree) for note in _annotations(node) for inner in ast.walk(note)}
    out = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _YOUNGER:
            out.append(node.attr)
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {one.name for one in node.names} | {getattr(node, "module", "") or ""}
            out += sorted(names & (_YOUNGER | _YOUNGER_MODULES))
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and id(node) not in notes:
            out += [node.value.id] if node.value.id in _GENERIC else []
        if isinstance(node, ast.keyword) and node.arg in {"strict", "slots", "kw_only"}:
            out.append(node.arg)
    return out


def _annotations(node: ast.AST) -> list[ast.AST]:
    found = [getattr(node, name, None) for name in ("annotation", "returns")]
    return [note for note in found if note is not None]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_parsed_module_is_python_3_8(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert younger(source) == []
    # Annotations are only words there: list[str] is younger than 3.8 as an expression.
    assert len(ast.parse(source).body) == 1 or "from __future__ import annotations" in source


@pytest.mark.parametrize(
    "source",
    [
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "from datetime import UTC",
        "import tomllib",
        "'a'.removeprefix('b')",
        "rows = list[str]()",
        "zip([], [], strict=True)",
        "Ask = Callable[[str], None]",
    ],
)
def test_parsed_check_sees_what_is_younger(source: str) -> None:
    assert younger(source)


@pytest.mark.parametrize("source", ["match x:\n  case 1: pass", "with (open('a') as a, open('b') as b): pass"])
def test_parsed_check_sees_younger_syntax(source: str) -> None:
    with pytest.raises(SyntaxError):
        younger(source)


def imported(folder: Path, modules: list[str]) -> subprocess.CompletedProcess[str]:
    """Import modules of a package in a Python that has the standard library and nothing else."""
    command = [sys.executable, "-I", "-S", "-B", "-c", _IMPORT, str(folder), *modules]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_real_package_imports_with_nothing_but_the_standard_library(tmp_path: Path) -> None:
    """As the role puts it on a host, under another name."""
    shutil.copytree(AGENT, tmp_path / "panshi_backup", ignore=shutil.ignore_patterns("__pycache__"))
    done = imported(tmp_path, [path.stem for path in MODULES if path.stem != "__init__"])
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_real_import_of_something_else_is_seen(tmp_path: Path) -> None:
    (tmp_path / "panshi_backup").mkdir()
    (tmp_path / "panshi_backup" / "bad.py").write_text("import yaml\n")
    (tmp_path / "panshi_backup" / "worse.py").write_text("from panshi.errors import PanshiError\n")
    assert imported(tmp_path, ["bad"]).returncode != 0 and imported(tmp_path, ["worse"]).returncode != 0


def test_parsed_errors_have_codes_of_their_room() -> None:
    said = {code for path in MODULES for code in re.findall(r'"(PS-E\d+)"', path.read_text(encoding="utf-8"))}
    assert said and all(7400 <= int(code[4:]) <= 7499 for code in said)
