"""The program that keeps logs and the modules that go with it, loaded as Ansible loads them on a host."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import ansible.module_utils
import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"


def _load(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PLUGINS / path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="session")
def keeper() -> ModuleType:
    loaded = _load("ansible.module_utils.panshi_logs", "module_utils/panshi_logs.py")
    ansible.module_utils.panshi_logs = loaded
    return loaded


@pytest.fixture(scope="session")
def prober() -> ModuleType:
    loaded = _load("ansible.module_utils.panshi_log_probe", "module_utils/panshi_log_probe.py")
    ansible.module_utils.panshi_log_probe = loaded
    return loaded


@pytest.fixture(scope="session")
def prover(keeper: ModuleType, prober: ModuleType) -> ModuleType:
    return _load("panshi_log_proof_under_test", "modules/panshi_log_proof.py")


@pytest.fixture(scope="session")
def liner(keeper: ModuleType) -> ModuleType:
    loaded = _load("ansible.module_utils.panshi_log_lines", "module_utils/panshi_log_lines.py")
    ansible.module_utils.panshi_log_lines = loaded
    return loaded


@pytest.fixture(scope="session")
def reviewer(keeper: ModuleType, liner: ModuleType) -> ModuleType:
    return _load("panshi_log_review_under_test", "modules/panshi_log_review.py")


class Room:
    """A folder of logs and its archive, kept by the program itself."""

    def __init__(self, keeper: ModuleType, folder: Path) -> None:
        self.keeper, self.logs, self.archive = keeper, folder / "log", folder / "archive"
        self.logs.mkdir()
        self.live = self.logs / "app.log"
        self.policy: dict[str, Any] = {
            "name": "app",
            "style": "reopen",
            "paths": [str(self.live)],
            "keep_days": 366,
            "legal_days": 180,
            "group": "root",
            "archive_mode": "0440",
            "config": "",
        }
        self.config: dict[str, Any] = {"archive": str(self.archive), "min_free_percent": 0, "logs": [self.policy]}

    def rotated(self, days: float, lines: int = 3, text: str = "") -> Path:
        """Make a rotated file whose lines are so many days old."""
        moment = time.time() - days * 86400
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
        path = self.logs / f"app.log-{time.strftime('%Y%m%d', time.gmtime(moment))}-{int(moment)}"
        path.write_text(text or "".join(f"{stamp} INFO line {number}\n" for number in range(lines)))
        return path

    def keep(self) -> list[str]:
        """Keep."""
        return list(self.keeper.keep(self.config))

    def kept(self) -> list[str]:
        """Names of the archives that are there."""
        return sorted(path.name for path in (self.archive / "app").glob("*.gz"))

    def manifest(self) -> Path:
        """The manifest."""
        return self.archive / "app" / "manifest.jsonl"

    def verified(self) -> list[str]:
        """What is wrong with the archive."""
        return list(self.keeper.verify(self.config, self.policy)[1])


@pytest.fixture
def room(keeper: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    # Whoever runs the tests; and no attribute that would keep pytest from removing the folder.
    monkeypatch.setattr(keeper, "owner_of", lambda policy: (os.getuid(), os.getgid()))
    monkeypatch.setattr(keeper, "_flag", lambda *_: False)
    monkeypatch.setattr(keeper, "_say", lambda *_: None)
    yield Room(keeper, tmp_path)
