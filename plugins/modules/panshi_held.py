#!/usr/bin/python
"""A service's file that holds an account's password: a new one in it, taken up and proven (docs/design.md, 9)."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.request

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_held
short_description: Replaces a password in a service's file, has the service take it, and probes the service
version_added: "1.0.0"
author: Panshi
description:
  - For the action plugin C(panshi_rotate) only, which sends it over standard input.
  - The file is replaced as a whole with owner, mode and labels kept. It is not in the ledger of changes, since an undo
    would bring back a password that no longer works.
options:
  verb:
    description: What is wanted.
    type: str
    choices: [look, update]
    required: true
  path:
    description: The file.
    type: path
    required: true
  key:
    description: Name of the setting whose value the password is; without it, known passwords are replaced everywhere.
    type: str
  known:
    description: Passwords by name that the file may hold.
    type: dict
    default: {}
  password:
    description: For C(update), the new one.
    type: str
  reload:
    description: Unit that is reloaded afterwards.
    type: str
  restart:
    description: Unit that is restarted afterwards.
    type: str
  port:
    description: Of this host, must take connections afterwards.
    type: int
  url:
    description: Must answer with a status below 400 afterwards.
    type: str
"""

EXAMPLES = """
- name: Can the new password be put there
  panshi_held:
    verb: look
    path: /etc/shop/db.conf
    key: password
"""

RETURN = """
why:
  description: What keeps the file from being updated, or an empty text.
  type: str
  returned: look
problem:
  description: What did not work afterwards, or an empty text.
  type: str
  returned: update
way:
  description: What was probed.
  type: str
  returned: update
"""

_UNIT_SECONDS = 90
_PROBE_SECONDS = 30
_PAUSE = 0.3
_PREFIX = ".panshi-held-"
# Characters. A shorter password, as people make them, may stand in a file as something else too: a name, a path.
_UNMISTAKABLE = 16


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "verb": {"type": "str", "choices": ["look", "update"], "required": True},
            "path": {"type": "path", "required": True},
            "key": {"type": "str", "no_log": False},
            "known": {"type": "dict", "no_log": True, "default": {}},
            "password": {"type": "str", "no_log": True},
            "reload": {"type": "str"},
            "restart": {"type": "str"},
            "port": {"type": "int"},
            "url": {"type": "str"},
        },
        required_if=[("verb", "update", ["password"])],
        supports_check_mode=False,
    )
    given = module.params
    path = os.path.realpath(given["path"])
    try:
        text = read(path)
        if given["verb"] == "look":
            module.exit_json(changed=False, why=unfit(text, given["key"], given["known"]))
        new = replaced(text, given["key"], given["known"], given["password"])
        if new != text:
            write(module, path, new)
        problem = take_up(given["reload"], given["restart"])
        way, failed = probe(given)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, problem=problem or failed, way=way)


def read(path: str) -> str:
    """Return the file's text; bytes that are none survive."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def unfit(text: str, key: str | None, known: dict) -> str:
    """Return why a password cannot be put into a text, or an empty one."""
    if key:
        found = len(_setting(key).findall(text))
        return "" if found == 1 else f"文件里有 {found} 行 {key} 的设置，应为一行"
    found = [value for value in known.values() if value in text]
    if not found:
        return "文件里没有库里的密码，也没有写明 key"
    short = min(map(len, found)) < _UNMISTAKABLE
    return f"库里的密码不到 {_UNMISTAKABLE} 个字符，文件里同样的字也可能是别的内容，须写明 key" if short else ""


def replaced(text: str, key: str | None, known: dict, password: str) -> str:
    """Return the text with a new password.

    Raises:
        ValueError: it cannot be put there.
    """
    if why := unfit(text, key, known):
        raise ValueError(why)
    if not key:
        for value in sorted(known.values(), key=len, reverse=True):
            text = text.replace(value, password)
        return text

    def line(found: re.Match) -> str:
        value = found[2]
        quote = value[0] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else ""
        return found[1] + quote + password + quote + found[3]

    return _setting(key).sub(line, text)


def _setting(key: str) -> re.Pattern:
    return re.compile(rf"^([ \t]*(?:export[ \t]+)?{re.escape(key)}[ \t]*[=:][ \t]*)(.*?)([ \t]*\r?)$", re.M)


def write(module: AnsibleModule, path: str, text: str) -> None:
    """Replace a file; what a killed writer left beside it goes."""
    folder = os.path.dirname(path)
    prefix = f"{_PREFIX}{os.path.basename(path)}-"
    for left in os.listdir(folder):
        if left.startswith(prefix):
            os.unlink(os.path.join(folder, left))
    descriptor, name = tempfile.mkstemp(prefix=prefix, dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    module.atomic_move(name, path)


def take_up(reload: str | None, restart: str | None) -> str:
    """Have units take the new file; return what they said against it."""
    for action, unit in (("reload", reload), ("restart", restart)):
        if unit:
            done = _systemctl(action, unit)
            if done.returncode:
                return f"systemctl {action} {unit}：{(done.stderr.strip().splitlines() or ['失败'])[-1]}"
    return ""


def probe(given: dict) -> tuple:
    """Return what was probed and what did not work within the time for it."""
    unit = given["restart"] or given["reload"]
    probes = [
        *([(f"单元 {unit} 在运行", lambda: _active(unit))] if unit else []),
        *([(f"端口 {given['port']} 可连接", lambda: _connects(given["port"]))] if given["port"] else []),
        *([(f"{given['url']} 有应答", lambda: _answers(given["url"]))] if given["url"] else []),
    ]
    deadline = time.monotonic() + _PROBE_SECONDS
    for what, works in probes:
        while problem := works():
            if time.monotonic() > deadline:
                return what, problem
            time.sleep(_PAUSE)
    return "、".join(["文件已更新", *(what for what, _ in probes)]), ""


def _active(unit: str) -> str:
    state = _systemctl("is-active", unit).stdout.strip()
    return "" if state == "active" else f"单元 {unit} 是 {state}"


def _connects(port: int) -> str:
    try:
        socket.create_connection(("localhost", port), 5).close()
    except OSError as error:
        return f"端口 {port}：{error}"
    return ""


def _answers(url: str) -> str:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5):
            return ""
    except OSError as error:
        return f"{url}：{error}"


def _systemctl(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["systemctl", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=_UNIT_SECONDS,
        universal_newlines=True,
    )


if __name__ == "__main__":
    main()
