#!/usr/bin/python
"""One ACL user of the Redis on this host: which passwords it has, one more, that one alone, a new login.

Standard library only: the protocol of Redis needs no more than a socket (docs/design.md, 9).
"""

from __future__ import annotations

import hashlib
import socket

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_redis
short_description: Looks at, adds, keeps or tries the password of an ACL user of Redis
version_added: "1.0.0"
author: Panshi
description:
  - For the action plugin C(panshi_rotate) only, which sends it over standard input.
  - Redis is given hashes, except where it keeps the password itself in clear (C(requirepass)), and at a login.
  - What was changed is written to where the server reads it at its next start, or the module fails.
options:
  verb:
    description: What is wanted.
    type: str
    choices: [look, add, keep, login]
    required: true
  account:
    description: Name of the user.
    type: str
    required: true
  password:
    description: For C(add), C(keep) and C(login).
    type: str
  known:
    description: For C(look), passwords by name, to be compared with the hashes that the user has.
    type: dict
    default: {}
  port:
    description: Where Redis listens on the loopback address.
    type: int
    default: 6379
  socket:
    description: Its local socket instead, as where it takes only TLS on the network.
    type: path
  admin:
    description: User that the other verbs than C(login) are done as.
    type: str
    default: default
  admin_passwords:
    description: What may be its password; none for a server that asks for none.
    type: list
    elements: str
    default: []
"""

EXAMPLES = """
- name: Is there a user that can be rotated
  panshi_redis:
    verb: look
    account: shop
"""

RETURN = """
state:
  description: on, off, absent, or unfit when nothing could be changed for good; C(why) says it in words.
  type: str
  returned: look
which:
  description: Name of the known password that the user has, or nothing.
  type: str
  returned: look
accepted:
  description: Whether a new connection with the password was let in; C(detail) is what the server said.
  type: bool
  returned: login
"""

_SECONDS = 10
# Words that begin the server's answer to a wrong password; any other failure says nothing about the password.
_WRONG = "WRONGPASS"


class Refused(Exception):
    """What the server answered instead of doing it."""


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "verb": {"type": "str", "choices": ["look", "add", "keep", "login"], "required": True},
            "account": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "known": {"type": "dict", "no_log": True, "default": {}},
            "port": {"type": "int", "default": 6379},
            "socket": {"type": "path"},
            "admin": {"type": "str", "default": "default"},
            "admin_passwords": {"type": "list", "elements": "str", "no_log": True, "default": []},
        },
        required_if=[("verb", name, ["password"]) for name in ("add", "keep", "login")],
        supports_check_mode=False,
    )
    given = module.params
    account, password = given["account"], given["password"]
    try:
        with Server(given["port"], given["socket"]) as server:
            if given["verb"] == "login":
                result = login(server, account, password)
            else:
                enter(server, given["admin"], given["admin_passwords"])
                if given["verb"] == "look":
                    result = look(server, account, given["known"])
                else:
                    result = {"changed": change(server, account, password, given["verb"] == "keep")}
    except (OSError, Refused, ValueError) as error:
        if given["verb"] != "look":
            module.fail_json(msg=f"Redis：{error}")
        result = {"state": "unfit", "which": "", "why": str(error)}
    module.exit_json(**result)


def look(server: Server, account: str, known: dict) -> dict:
    """Return a user's state and password, after it was seen that the server can keep what will be changed."""
    told = server.ask("ACL", "GETUSER", account)
    state, which = judge(told, known)
    if state == "on":
        save(server)
    return {"state": state, "which": which, "why": ""}


def judge(told: object, known: dict) -> tuple:
    """Return state and name of the known password of a user.

    Args:
        told: answer to ACL GETUSER: names and values by turns, or None.
        known: passwords by name, the one first that is looked for first.
    """
    if told is None:
        return "absent", ""
    about = dict(zip(told[::2], told[1::2]))
    if "on" not in about["flags"]:
        return "off", ""
    return "on", next((name for name, value in known.items() if digest(value) in about["passwords"]), "")


def change(server: Server, account: str, password: str, alone: bool) -> bool:
    """Give a user a password beside those that it has, or instead of them, and keep that over a restart.

    Returns:
        whether anything was changed.
    """
    # The old way to give the default user its password, which the server keeps in clear; an aclfile overrules it.
    clear = setting(server, "requirepass") if account == "default" and not setting(server, "aclfile") else ""
    about = server.ask("ACL", "GETUSER", account)
    if alone and about[about.index("passwords") + 1] == [digest(password)] and clear in ("", password):
        return False
    if alone and clear:
        # The only one by this, too; else the dead password would stand in the configuration for ever.
        server.ask("CONFIG", "SET", "requirepass", password)
    else:
        server.ask("ACL", "SETUSER", account, *(["resetpass"] if alone else []), f"#{digest(password)}")
    save(server)
    return True


def save(server: Server) -> None:
    """Write the users to where the server reads them when it starts.

    Raises:
        Refused: it cannot; they would be gone with the next restart.
    """
    try:
        if setting(server, "aclfile"):
            server.ask("ACL", "SAVE")
        else:
            server.ask("CONFIG", "REWRITE")
    except Refused as refused:
        raise Refused(f"不能写回 aclfile 或 redis.conf，重启后密码会丢失：{refused}") from None


def setting(server: Server, name: str) -> str:
    """Return one setting of the running server, empty where it is not set or not known."""
    told = server.ask("CONFIG", "GET", name)
    return told[1] if len(told) > 1 else ""


def enter(server: Server, admin: str, passwords: list) -> None:
    """Log in as the administrator; without a password only where the server asks for none.

    Raises:
        Refused: none of the passwords is right, or one is needed.
    """
    for password in passwords:
        if login(server, admin, password)["accepted"]:
            return
    if passwords:
        raise Refused(f"管理账户 {admin} 在库里的密码都登录不了")
    try:
        server.ask("PING")
    except Refused as refused:
        raise Refused(f"管理账户 {admin} 的密码不在库里：{refused}") from None


def login(server: Server, account: str, password: str) -> dict:
    """Log in on a connection and return whether that was accepted.

    Raises:
        Refused: it failed for another reason than the password.
    """
    try:
        server.ask("AUTH", account, password)
    except Refused as refused:
        if not str(refused).startswith(_WRONG):
            raise
        return {"accepted": False, "detail": _WRONG}
    return {"accepted": True, "detail": ""}


def digest(password: str) -> str:
    """Return what Redis keeps of a password."""
    return hashlib.sha256(password.encode()).hexdigest()


class Server:
    """A new connection."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path

    def __enter__(self) -> Server:
        if self._path:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(_SECONDS)
            self._socket.connect(self._path)
        else:
            self._socket = socket.create_connection(("127.0.0.1", self._port), _SECONDS)
        self._answers = self._socket.makefile("rb")
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def ask(self, *words: str) -> object:
        """Send a command and return its answer.

        Raises:
            Refused: the server's error.
            ValueError: it does not speak the protocol of Redis.
        """
        encoded = [word.encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)]
        self._socket.sendall(b"".join(parts))
        return self._answer()

    def _answer(self) -> object:
        line = self._answers.readline()
        kind, text = line[:1], line[1:-2].decode("utf-8", "replace")
        if not line.endswith(b"\r\n"):
            raise ValueError("连接被关闭" if not line else "回答不是 Redis 的协议")
        if kind == b"-":
            raise Refused(text)
        if kind == b"+":
            return text
        if kind == b":":
            return int(text)
        if kind == b"$":
            return None if text == "-1" else self._answers.read(int(text) + 2)[:-2].decode("utf-8", "replace")
        if kind == b"*":
            return None if text == "-1" else [self._answer() for _ in range(int(text))]
        raise ValueError("回答不是 Redis 的协议")


if __name__ == "__main__":
    main()
