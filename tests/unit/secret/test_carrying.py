"""Which accounts Ansible's connection uses, and that it is given a new password only where it used the old one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

PLUGIN = Path(__file__).resolve().parents[3] / "plugins" / "action" / "panshi_rotate.py"


@pytest.fixture(scope="module")
def action() -> ModuleType:
    spec = importlib.util.spec_from_file_location("panshi_rotate_under_test", PLUGIN)
    assert spec and spec.loader
    loaded = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


class Options(dict[str, Any]):
    """A plugin's options."""

    become: Any = None
    name = "sudo"

    def get_option(self, name: str) -> Any:
        return self[name]

    def set_option(self, name: str, value: Any) -> None:
        self[name] = value


def connection(password: str | None, become: str | None, method: str = "sudo") -> Options:
    made = Options(remote_user="ops", password=password, reconnection_retries=1)
    made.become = Options(become_pass=become)
    made.become.name = method
    return made


def carrying(action: ModuleType, made: Options) -> Any:
    return action._Carrying(made, SimpleNamespace(remote_user="", become_user="root"))


def test_sudo_asks_for_the_password_of_who_logs_in(action: ModuleType) -> None:
    made = connection("old", "old")
    one = carrying(action, made)
    assert one.accounts == ["ops"]
    assert one.use("ops", {"old"}, "new")
    assert (made["password"], made.become["become_pass"]) == ("new", "new")


def test_su_asks_for_the_password_of_root(action: ModuleType) -> None:
    made = connection("old", "of-root", "su")
    one = carrying(action, made)
    assert one.accounts == ["root", "ops"]
    assert one.use("root", {"of-root"}, "new")
    assert (made["password"], made.become["become_pass"]) == ("old", "new")


def test_key_and_other_passwords_stay(action: ModuleType) -> None:
    made = connection(None, "typed by somebody")
    one = carrying(action, made)
    assert not one.use("ops", {"old"}, "new")
    assert not one.use("appsvc", {"typed by somebody"}, "new")
    assert (made["password"], made.become["become_pass"]) == (None, "typed by somebody")


def test_nothing_is_tried_twice(action: ModuleType) -> None:
    made = connection("old", "old")
    carrying(action, made)
    assert made["reconnection_retries"] == 0
