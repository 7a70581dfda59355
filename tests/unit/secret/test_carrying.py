"""Which accounts Ansible's connection uses, and that it is given a new password only where it used the old one."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from panshi.errors import PanshiError
from panshi.secret import Entry, SecretId
from panshi.secret.keys import KeyPolicy
from panshi.secret.rotate import imported

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


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({}, True),
        ({"private_key_file": "/keys/id"}, False),
        ({"private_key_file": "/keys/id", "private_key": "of a variable"}, True),
        ({"password": "old"}, False),
    ],
)
def test_key_of_the_connection_must_be_in_a_file(action: ModuleType, options: dict[str, Any], refused: bool) -> None:
    made = connection(None, None)
    made.update(options)
    one = carrying(action, made)
    assert (str(one.key_file) if one.key_file else None) == options.get("private_key_file")
    if refused:
        with pytest.raises(PanshiError, match="PS-E7294"):
            one.need_key_file("web1/ssh_key/ops")
    else:
        one.need_key_file("web1/ssh_key/ops")


def test_file_of_the_connections_key_is_updated_only_when_it_holds_that_key(action: ModuleType, tmp_path: Path) -> None:
    ours, other = (KeyPolicy().make("ops") for _ in range(2))
    path = tmp_path / "id"
    path.write_text(ours)
    made = connection(None, None)
    made["private_key_file"] = str(path)
    one = carrying(action, made)
    entry = Entry(SecretId("web1", "ssh_key", "ops"))
    assert action._key_file(one, replace(entry, current=imported(other, ""))) == []
    (file,) = action._key_file(one, replace(entry, pending=imported(ours, ""), current=imported(other, "")))
    one.log_in_by("/proc/7/fd/9")
    assert file.update({}, other).accepted and made["private_key_file"] == str(path)
