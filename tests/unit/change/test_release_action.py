"""The controller's half of a release: what it refuses itself, and when an archive goes over the wire."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from panshi.errors import PanshiError

from .conftest import load_module


class Controller:
    """The action with a host that answers what it is told to, and counts what is asked of it."""

    def __init__(self, archive: Path, have: bool) -> None:
        module = load_module("panshi_release_action", "action/panshi_release.py")
        self.action = module.ActionModule.__new__(module.ActionModule)
        self.action._task = SimpleNamespace(check_mode=False)
        self.asked: list[dict[str, Any]] = []
        self.brought: list[Path] = []
        self.action._bring = lambda path: self.brought.append(path) or "/tmp-of-the-host/shop.tar.gz"
        self.action._execute_module = lambda _, module_args, task_vars: self.asked.append(module_args) or {"have": have}
        keys = dict.fromkeys(("name", "version", "root", "strip", "owner", "group", "shared", "unit", "keep", "drop"))
        self.spec = {**keys, "archive": str(archive), "sha256": digest(b"good"), "on_host": False}

    def perform(self, state: str, have: bool = False) -> dict[str, Any]:
        answer: dict[str, Any] = self.action._perform(self.spec, state, have, {})
        return answer


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "shop.tar.gz"
    path.write_bytes(b"good")
    return path


def test_good_archive_is_checked_and_brought_once(archive: Path) -> None:
    controller = Controller(archive, have=False)
    controller.perform("checked")
    controller.perform("present")
    assert [one["archive"] for one in controller.asked] == ["", "/tmp-of-the-host/shop.tar.gz"]


def test_release_that_is_there_needs_no_archive(archive: Path) -> None:
    controller = Controller(archive, have=True)
    archive.unlink()
    controller.perform("checked")
    controller.perform("present", have=True)
    assert controller.brought == []


@pytest.mark.parametrize(("content", "code"), [(b"bad", "PS-E6503"), (None, "PS-E6502")])
def test_archive_that_is_not_the_one_or_not_there_is_refused(archive: Path, content: bytes | None, code: str) -> None:
    archive.unlink()
    if content:
        archive.write_bytes(content)
    with pytest.raises(PanshiError) as told:
        Controller(archive, have=False).perform("checked")
    assert told.value.code == code


def test_folder_of_the_controller_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PanshiError, match="PS-E6502"):
        Controller(tmp_path, have=False).perform("checked")


def test_archive_on_the_host_is_left_to_the_host(archive: Path) -> None:
    controller = Controller(archive, have=False)
    controller.spec["on_host"] = True
    archive.unlink()
    controller.perform("checked")
    controller.perform("present")
    assert [one["archive"] for one in controller.asked] == [str(archive), str(archive)]
    assert controller.brought == []
