"""New SSH logins with a password and nothing else: no key, no shared connection, the host key checked."""

# mypy: disable-error-code="import-untyped"
# (ansible-core has no types)
from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from panshi.errors import PanshiError
from panshi.secret.rotate import Answer

WAY = "SSH 口令登录"
_SECONDS = 15
# First in the command line, so that they hold against whatever the inventory says after them.
_ALONE = (
    "-o ControlMaster=no -o ControlPath=none -o PubkeyAuthentication=no -o GSSAPIAuthentication=no"
    " -o HostbasedAuthentication=no -o PreferredAuthentications=password,keyboard-interactive"
    " -o NumberOfPasswordPrompts=1 -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
)
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
    from ansible import constants
    from ansible.errors import AnsibleError
    from ansible.plugins.loader import connection_loader

    def attempt(value: str) -> Answer:
        connection = connection_loader.get("ssh", context.copy())
        named = constants.config.get_plugin_vars("connection", connection._load_name)
        options = {key: template(variables[key]) for key in named if key in variables}
        try:
            connection.set_options(var_options={**options, "ansible_user": account, "ansible_ssh_user": account})
            for option, setting in (
                ("password", value),
                ("password_mechanism", "sshpass"),
                ("ssh_args", _ALONE),
                ("timeout", _SECONDS),
                ("reconnection_retries", 0),
            ):
                connection.set_option(option, setting)
            status, _, _ = connection.exec_command("true", sudoable=False)
        except AnsibleError as error:
            return judge(account, str(error))
        finally:
            connection.close()
        # The login is what is asked about; what its shell makes of the command is not.
        return Answer(True, WAY, "" if status == 0 else f"退出码 {status}")

    return attempt


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
