"""A Linux account as a target: how it is tried, what is left alone, and what the words of ssh and sshd mean."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import ansible.module_utils
import pytest

from panshi.errors import PanshiError
from panshi.secret import Entry, Version
from panshi.secret.linux import LinuxAccount
from panshi.secret.login import WAY, in_one_line, judge
from panshi.secret.rotate import Answer, PolicyRefusal

from .conftest import SECRET

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
CURRENT = Entry(SECRET, current=Version("v", "old", "2026-11-21T03:00:00Z"))


@pytest.fixture(scope="module")
def module() -> ModuleType:
    loaded = {}
    for name, path in (
        ("ansible.module_utils.panshi_crypt", "module_utils/panshi_crypt.py"),
        ("ansible.module_utils.panshi_session", "module_utils/panshi_session.py"),
        ("panshi_password_under_test", "modules/panshi_password.py"),
    ):
        spec = importlib.util.spec_from_file_location(name, PLUGINS / path)
        assert spec and spec.loader
        loaded[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded[name])
    ansible.module_utils.panshi_crypt = loaded["ansible.module_utils.panshi_crypt"]
    ansible.module_utils.panshi_session = loaded["ansible.module_utils.panshi_session"]
    return loaded["panshi_password_under_test"]


class Host:
    """What the module answers."""

    def __init__(self, **answer: Any) -> None:
        self.answer = {"state": "set", "which": "current", "ssh": True, "why": "", "refusal": "", **answer}
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, **arguments: Any) -> Mapping[str, Any]:
        self.asked.append(arguments)
        return self.answer


def account(host: Host, login: Any = lambda value: Answer(True, WAY)) -> LinuxAccount:
    return LinuxAccount("web1", "ops", host, login)


@pytest.mark.parametrize("state", ["absent", "foreign", "locked", "expired", "disabled"])
def test_account_that_cannot_be_rotated_is_left_alone(state: str) -> None:
    with pytest.raises(PanshiError, match="PS-E7012"):
        account(Host(state=state)).which(CURRENT)


@pytest.mark.parametrize("state", ["disabled", "empty"])
def test_account_without_a_password_gets_its_first(state: str) -> None:
    assert account(Host(state=state, which="")).which(Entry(SECRET)) is None


def test_login_is_tried_by_ssh_where_sshd_takes_passwords() -> None:
    host = Host()
    one = account(host)
    assert one.which(CURRENT) == "current"
    assert one.prove("new").way == WAY and len(host.asked) == 1


def test_login_is_tried_by_pam_where_sshd_takes_none() -> None:
    host = Host(ssh=False, why="PasswordAuthentication no", accepted=True, detail="")
    one = account(host)
    one.which(CURRENT)
    assert "PAM" in one.prove("new").way and "PasswordAuthentication no" in one.prove("new").way
    assert host.asked[-1] == {"verb": "login", "account": "ops", "password": "new"}


def test_refusal_is_told_and_the_connection_keeps_its_password() -> None:
    changed: list[str] = []
    one = LinuxAccount("web1", "ops", Host(refusal="BAD PASSWORD: too short"), None, changed.append)
    with pytest.raises(PolicyRefusal, match="too short"):
        one.set("new")
    assert changed == []
    LinuxAccount("web1", "ops", Host(), None, changed.append).set("new")
    assert changed == ["new"]


@pytest.mark.parametrize("methods", ["publickey,password", "keyboard-interactive", "password"])
def test_parsed_refused_password_is_an_answer(methods: str) -> None:
    said = f"Failed to connect to the host via ssh: ops@web1: Permission denied ({methods})."
    assert judge("ops", said) == Answer(False, WAY, f"Permission denied ({methods})")


@pytest.mark.parametrize(
    "said",
    [
        "ops@web1: Permission denied (publickey).",
        "ssh: connect to host web1 port 22: Connection refused",
        "Host key verification failed.",
        "/home/ops/.ssh/config: Permission denied",
        "",
    ],
)
def test_parsed_login_that_was_not_about_the_password_is_no_answer(said: str) -> None:
    with pytest.raises(PanshiError, match="PS-E7013"):
        judge("ops", said)


@pytest.mark.parametrize(
    ("settings", "uid", "refused"),
    [
        ("passwordauthentication yes", 1000, ""),
        ("passwordauthentication no", 1000, "PasswordAuthentication no"),
        ("passwordauthentication no;kbdinteractiveauthentication yes;usepam yes", 1000, ""),
        ("passwordauthentication no;kbdinteractiveauthentication yes;usepam no", 1000, "PasswordAuthentication no"),
        ("permitrootlogin without-password", 0, "PermitRootLogin without-password"),
        ("permitrootlogin yes", 0, ""),
        ("authenticationmethods publickey,password", 1000, "AuthenticationMethods publickey,password"),
        ("authenticationmethods publickey password", 1000, ""),
        ("allowusers rescue", 1000, "allowusers"),
        ("allowusers rescue;allowusers o*", 1000, ""),
        ("allowusers ops@203.0.113.0/24", 1000, ""),
        ("allowusers ops@198.51.100.0/24", 1000, "allowusers"),
        ("denyusers ops", 1000, "denyusers"),
        ("allowgroups wheel", 1000, ""),
        ("allowgroups sudo", 1000, "allowgroups"),
        ("denygroups whe*", 1000, "denygroups"),
    ],
)
def test_parsed_settings_of_sshd_that_keep_a_password_out(
    module: ModuleType, settings: str, uid: int, refused: str
) -> None:
    read: dict[str, list[str]] = {}
    for line in settings.split(";"):
        key, _, value = line.partition(" ")
        read.setdefault(key, []).append(value)
    assert module.ssh_refusal(read, "ops", uid, ["ops", "wheel"], "203.0.113.9") == refused


@pytest.mark.parametrize(
    ("hashed", "expire", "state"),
    [
        ("$6$a$b", "", "set"),
        ("", "", "empty"),
        ("!", "", "disabled"),
        ("!!", "", "disabled"),
        ("*", "", "disabled"),
        ("!*", "", "disabled"),
        ("!$6$a$b", "", "locked"),
        ("$6$a$b", "1", "expired"),
        ("$6$a$b", "99999", "set"),
    ],
)
def test_parsed_state_of_an_account(module: ModuleType, hashed: str, expire: str, state: str) -> None:
    assert module._state(["ops", hashed, "1", "0", "9", "7", "", expire, ""]) == state
    assert module._state([]) == "foreign"


def test_real_hash_is_compared(module: ModuleType) -> None:
    whole = module.crypt("secret", "$5$saltsalt$")
    assert whole.startswith("$5$saltsalt$") and module.crypt("secret", whole) == whole
    assert module.crypt("Secret", whole) != whole
    assert module.crypt("secret", "$unknown$x") == ""


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("Failed to connect: timed out\r\nmore", "Failed to connect: timed out"),
        (
            "Failed to connect to the host via ssh: @@@@@@\n@  WARNING: UNPROTECTED PRIVATE KEY FILE!  @\n@@@@@@\n"
            "Permissions 0644 for 'k' are too open.",
            "Failed to connect to the host via ssh: WARNING: UNPROTECTED PRIVATE KEY FILE!"
            " Permissions 0644 for 'k' are too open.",
        ),
        ("", ""),
    ],
)
def test_words_about_a_connection_in_one_line(said: str, line: str) -> None:
    assert in_one_line(said) == line
