"""The controller's half of the guard: proving ways in with sessions that share nothing with the working connection."""

# mypy: disable-error-code="import-untyped"
# (ansible-core has no types)
from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from panshi.errors import PanshiError

_SECONDS = 15
_COMMAND_SECONDS = 60
# Every option that lets ssh use, or leave behind, a shared connection is off: the point is a new login.
_ALONE = "-o ControlMaster=no -o ControlPath=none -o ConnectTimeout=10"


@dataclass(frozen=True, slots=True)
class Login:
    """One way in that is proven by going it: an account of the target.

    Args:
        user: account; empty for the one that the inventory connects with.
        key: private key on the controller; empty for the inventory's.
        sudo: whether it must reach root.
    """

    user: str = ""
    key: str = ""
    sudo: bool = True


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of an attempt to get in."""

    ok: bool
    detail: str
    seconds: float


def second_way(declared: Any, login: Callable[[Login], Proof]) -> Proof:
    """Prove the second way in that the estate declares.

    Args:
        declared: ``guard_second_way``: ``{user, key}``, or ``{command: argv}`` for a console path.
        login: opens a fresh session.

    Raises:
        PanshiError: PS-E5002 none is declared, or it is not understood.
    """
    if isinstance(declared, Mapping) and isinstance(declared.get("command"), list) and declared["command"]:
        return _console([str(word) for word in declared["command"]])
    if isinstance(declared, Mapping) and declared.get("user"):
        return login(Login(str(declared["user"]), str(declared.get("key", ""))))
    raise PanshiError(
        "PS-E5002",
        "没有声明第二条进入途径（变量 guard_second_way），可能锁定账户的改动不会开始",
        "写 {user: 另一账户, key: 私钥} 或 {command: [控制台命令]}",
    )


def operators(declared: Any) -> list[Login]:
    """Return the logins that must still work after a guarded change.

    Args:
        declared: ``guard_operators``: a list of ``{user, key, sudo}``; empty for the connecting account alone.

    Raises:
        PanshiError: PS-E5002 it is not such a list.
    """
    if not declared:
        return [Login()]
    if not isinstance(declared, list) or not all(isinstance(one, Mapping) and one.get("user") for one in declared):
        raise PanshiError("PS-E5002", "变量 guard_operators 应为 {user, key} 的列表", "写法见 docs/runbook-harden.md")
    return [Login(str(one["user"]), str(one.get("key", "")), bool(one.get("sudo", True))) for one in declared]


def open_session(variables: Mapping[str, Any], template: Callable[[Any], Any], context: Any, login: Login) -> Proof:
    """Open a new session as a login and become root in it.

    Args:
        variables: of the host, as Ansible resolves them.
        template: resolves one value.
        context: Ansible's play context of the task.
        login: who.
    """
    from ansible import constants
    from ansible.errors import AnsibleError
    from ansible.plugins.loader import connection_loader

    began = time.monotonic()
    name = login.user or str(template(variables.get("ansible_user") or "")) or "当前账户"
    kind = str(template(variables.get("ansible_connection") or "ssh")).removeprefix("ansible.builtin.")
    kind = "ssh" if kind == "smart" else kind
    connection = connection_loader.get(kind, context.copy())
    named = constants.config.get_plugin_vars("connection", connection._load_name)
    options = {key: template(variables[key]) for key in named if key in variables}
    if login.user:
        options["ansible_user"] = options["ansible_ssh_user"] = login.user
        for key in ("ansible_password", "ansible_ssh_password", "ansible_ssh_pass"):
            options.pop(key, None)
    if login.key:
        options["ansible_private_key_file"] = options["ansible_ssh_private_key_file"] = login.key
    password = "" if login.user else str(template(variables.get("ansible_become_password") or ""))
    try:
        connection.set_options(var_options=options)
        if kind == "ssh":
            connection.set_option("ssh_args", _ALONE)
            connection.set_option("timeout", _SECONDS)
            connection.set_option("reconnection_retries", 0)
        command, text = _command(login, password)
        status, _, err = connection.exec_command(command, in_data=text, sudoable=False)
        problem = b"" if status == 0 else err.strip() or f"exit status {status}".encode()
    except AnsibleError as error:
        problem = str(error).encode()
    finally:
        connection.close()
    seconds = time.monotonic() - began
    what = "登录并 sudo" if login.sudo else "登录"
    if problem:
        return Proof(False, f"{name} 新会话{what}失败：{_last_line(problem)}", seconds)
    return Proof(True, f"{name} 新会话{what}成功", seconds)


def _command(login: Login, password: str) -> tuple[str, bytes | None]:
    if not login.sudo:
        return "true", None
    if password:
        return "sudo -S -k -p '' true", f"{password}\n".encode()
    return "sudo -n true", None


def _console(argv: list[str]) -> Proof:
    began = time.monotonic()
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Proof(False, f"控制台命令 {argv[0]} 失败：{error}", time.monotonic() - began)
    seconds = time.monotonic() - began
    if done.returncode:
        return Proof(False, f"控制台命令 {argv[0]} 退出码 {done.returncode}：{_last_line(done.stderr)}", seconds)
    return Proof(True, f"控制台命令 {argv[0]} 成功", seconds)


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines() or [""]
    return lines[-1][:300]
