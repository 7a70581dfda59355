"""The two files that travel to targets, loaded as Ansible loads them there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import ansible.module_utils
import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="session")
def ledger() -> ModuleType:
    loaded = _load("ansible.module_utils.panshi_ledger", PLUGINS / "module_utils/panshi_ledger.py")
    ansible.module_utils.panshi_ledger = loaded
    return loaded


@pytest.fixture(scope="session")
def replication(ledger: ModuleType) -> ModuleType:
    loaded = _load("ansible.module_utils.panshi_replication", PLUGINS / "module_utils/panshi_replication.py")
    ansible.module_utils.panshi_replication = loaded
    return loaded


@pytest.fixture(scope="session")
def change(ledger: ModuleType) -> ModuleType:
    return _load("panshi_change_under_test", PLUGINS / "modules/panshi_change.py")


@pytest.fixture(scope="session")
def action_plugin() -> ModuleType:
    return _load("panshi_change_action", PLUGINS / "action/panshi_change.py")


def load_module(name: str, path: str) -> ModuleType:
    """Load a file below plugins/ that no fixture stands for."""
    return _load(name, PLUGINS / path)
