"""New SSH logins with one password, or one key, and nothing else: no shared connection, the host key checked."""

# mypy: disable-error-code="import-untyped"
# (ansible-core has no types)
from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from panshi.errors import PanshiError
from panshi.secret.keys import public_key
from panshi.secret.rotate import Answer

WAY, KEY_WAY = "SSH 口令登录", "SSH 密钥登录"
_SECONDS = 15
# First in the command line, so that they hold against whatever the inventory says after them.
_ALONE = (
    "-o ControlMaster=no -o ControlPath=none -o PubkeyAuthentication=no -o GSSAPIAuthentication=no"
    " -o HostbasedAuthentication=no -o PreferredAuthentications=password,keyboard-interactive"
    " -o NumberOfPasswordPrompts=1 -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
)
# What ssh then says tells which key was offered and which one was taken, so that no other one can pass for it.
_KEY_ALONE = (
    "-o LogLevel=DEBUG1 -o ControlMaster=no -o ControlPath=none -o IdentitiesOnly=yes -o IdentityAgent=none"
    " -o StrictHostKeyChecking=yes -o GSSAPIAuthentication=no -o HostbasedAuthentication=no"
    " -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no -o PreferredAuthentications=publickey"
    " -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
)
_LOGGED_IN = re.compile(r"^Authenticated to |^debug1: Authentication succeeded ", re.M)
# The last words of OpenSSH's client, with the methods that the server would still take.
_DENIED = re.compile(r"Permission denied \(([\w,-]+)\)")
_BY_PASSWORD = {"password", "keyboard-interactive"}


def need_sshpass() -> None:
    """Refuse to start without the program that hands ssh a password through a pipe: no argument, file or environment.

    Raises:
        PanshiError: PS-E7014.
    """
    if shutil.which("sshpass") is None:
        raise PanshiError("PS-E7014", "本机没有 sshpass，无法以口令登录证明轮换", "安装 sshpass；没有改动任何目标")


def password_login(
    variables: Mapping[str, Any], template: Callable[[Any], Any], context: Any, account: str
) -> Callable[[str], Answer]:
    """Return a function that logs in to a host as an account with a password.

    Args:
        variables: of the host, as Ansible resolves them.
        template: resolves one value.
        context: Ansible's play context of the task.
        account: who.

    The function raises PanshiError PS-E7013 when the login could not even be tried, or was not about the password.
    """
    from ansible.errors import AnsibleError

    def attempt(value: str) -> Answer:
        settings = {"password": value, "password_mechanism": "sshpass", "ssh_args": _ALONE}
        try:
            status, _ = _session(variables, template, context, account, settings)
        except AnsibleError as error:
            return judge(account, str(error))
        # The login is what is asked about; what its shell makes of the command is not.
        return Answer(True, WAY, "" if status == 0 else f"退出码 {status}")

    return attempt


def key_login(
    variables: Mapping[str, Any], template: Callable[[Any], Any], context: Any, account: str
) -> Callable[[str], Answer]:
    """Return a function that logs in to a host as an account with a private key; see :func:`password_login`."""
    from ansible.errors import AnsibleError

    def attempt(value: str) -> Answer:
        with in_memory(value) as path:
            settings = {"password": None, "private_key": None, "private_key_file": path, "ssh_args": _KEY_ALONE}
            try:
                _, said = _session(variables, template, context, account, settings)
            except AnsibleError as error:
                said = str(error)
        return judge_key(account, public_key(value).fingerprint, said)

    return attempt


@contextmanager
def in_memory(value: str) -> Iterator[str]:
    """Yield the path of a file in anonymous memory that holds a private key: it is gone with this process."""
    descriptor = os.memfd_create("key")
    try:
        # ssh takes no key that others could read.
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, f"{value}\n".encode())
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _session(
    variables: Mapping[str, Any],
    template: Callable[[Any], Any],
    context: Any,
    account: str,
    settings: Mapping[str, Any],
) -> tuple[int, str]:
    """Log in on a connection of its own and do nothing; return the exit status and what ssh said.

    Raises:
        AnsibleError: ssh failed.
    """
    from ansible import constants
    from ansible.plugins.loader import connection_loader

    connection = connection_loader.get("ssh", context.copy())
    named = constants.config.get_plugin_vars("connection", connection._load_name)
    options = {key: template(variables[key]) for key in named if key in variables}
    try:
        connection.set_options(var_options={**options, "ansible_user": account, "ansible_ssh_user": account})
        for option, setting in {**settings, "timeout": _SECONDS, "reconnection_retries": 0}.items():
            connection.set_option(option, setting)
        status, _, said = connection.exec_command("true", sudoable=False)
    finally:
        connection.close()
    return status, bytes(said).decode("utf-8", "replace")


def in_one_line(said: str) -> str:
    """Return what Ansible says of a connection: its first line; of a warning in ssh's frame, all it says."""
    lines = [line for line in (line.strip("@ ") for line in said.splitlines()) if line]
    return " ".join(lines if "@@@" in said else lines[:1])[:300]


def judge(account: str, said: str) -> Answer:
    """Return what ssh's words about a failed login mean: a refused password, or nothing about the password at all.

    Raises:
        PanshiError: PS-E7013.
    """
    denied = _DENIED.search(said)
    if denied is not None and _BY_PASSWORD & set(denied[1].split(",")):
        return Answer(False, WAY, denied[0])
    reason = denied[0] if denied else (said.strip().splitlines() or [""])[-1][:200]
    raise PanshiError(
        "PS-E7013", f"以 {account} 的口令登录没能尝试：{reason}；新旧密码都在库里", "按原因处理后再运行，会从这里继续"
    )


def judge_key(account: str, fingerprint: str, said: str) -> Answer:
    """Return what ssh's words (LogLevel DEBUG1) about a login mean for one key.

    Args:
        account: who.
        fingerprint: of the key, as ssh says it.
        said: standard error; another key may have logged in where this one was refused.

    Raises:
        PanshiError: PS-E7013 the key was not even offered, or the login failed after it was accepted.
    """
    offered, taken = (re.search(rf"{words} .*{re.escape(fingerprint)}", said) for words in _ABOUT_KEYS)
    denied, logged_in = _DENIED.search(said), _LOGGED_IN.search(said)
    if taken and logged_in:
        return Answer(True, KEY_WAY)
    if offered and not taken and (logged_in or (denied and "publickey" in denied[1].split(","))):
        return Answer(False, KEY_WAY, denied[0] if denied else "这把密钥没有被接受")
    lines = [line for line in said.strip().splitlines() if not line.startswith("debug")]
    reason = denied[0] if denied else (lines or [""])[-1][:200]
    raise PanshiError(
        "PS-E7013", f"以 {account} 的密钥登录没能尝试：{reason}；新旧密钥都在库里", "按原因处理后再运行，会从这里继续"
    )


_ABOUT_KEYS = ("Offering public key:", "Server accepts key:")
