"""What ``ansible-doc`` tells of a module is what the module takes: neither is changed without the other."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import ansible.module_utils
import pytest
from ansible.plugins.action import ActionBase

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
# What only a documentation says of an option, and what only a specification does.
_ONE_SIDED = {"description", "version_added", "no_log"}


class _Specified(Exception):
    """Raised in place of the first thing that a module or an action does with its specification."""


def load(kind: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"documented_{kind}_{name}", ROOT / "plugins" / kind / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def specification(name: str, patch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """What the module takes; or the action of its name, where nothing runs on a target."""

    def specified(argument_spec: Mapping[str, Any], **_: Any) -> None:
        raise _Specified(argument_spec)

    patch.setattr(
        ansible.module_utils, "__path__", [*ansible.module_utils.__path__, str(ROOT / "plugins/module_utils")]
    )
    module = load("modules", name)
    with pytest.raises(_Specified) as raised:
        if hasattr(module, "main"):
            patch.setattr(module, "AnsibleModule", specified)
            module.main()
        else:
            patch.setattr(ActionBase, "run", lambda *_: {})
            patch.setattr(ActionBase, "validate_argument_spec", lambda self, spec: specified(spec))
            action = load("action", name).ActionModule
            action.run(object.__new__(action))
    found: Mapping[str, Any] = raised.value.args[0]
    return found


def comparable(options: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Options without what only one side says, without what says nothing, and with choices in one order."""
    found: dict[str, dict[str, Any]] = {}
    for name, one in options.items():
        said = {key: value for key, value in one.items() if value not in (None, False, "", [], {})}
        found[name] = {"type": "str"} | {key: value for key, value in said.items() if key not in _ONE_SIDED}
        if "choices" in said:
            found[name]["choices"] = sorted(said["choices"])
    return found


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    command = [str(Path(sys.executable).with_name("ansible-doc")), "--json", *MODULES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", MODULES)
def test_parsed_documentation_is_the_specification(
    told: Mapping[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc = told[name]["doc"]
    assert doc["module"] == name
    assert doc["short_description"]
    assert told[name]["return"] is not None
    assert comparable(doc.get("options", {})) == comparable(specification(name, monkeypatch))


@pytest.mark.parametrize("name", MODULES)
def test_parsed_examples_are_tasks_of_the_module(told: Mapping[str, Any], name: str) -> None:
    assert name in (told[name]["examples"] or "")


@pytest.mark.parametrize(
    "drifted",
    [
        {"minutes": {"type": "int", "default": 6}},
        {"minutes": {"type": "str", "default": 5}},
        {"minutes": {"type": "int", "default": 5, "required": True}},
        {"minutes": {"type": "int", "default": 5}, "plan": {"type": "path"}},
        {},
    ],
)
def test_parsed_drift_is_seen(drifted: dict[str, dict[str, Any]]) -> None:
    assert comparable(drifted) != comparable({"minutes": {"type": "int", "default": 5, "description": "Until …"}})
