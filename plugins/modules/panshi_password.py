#!/usr/bin/python
"""One local account's password, on its host: which one it has, a new one, whether PAM takes one (docs/design.md, 9)."""

from __future__ import annotations

import ctypes
import fnmatch
import grp
import locale
import os
import pwd
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.panshi_crypt import crypt
from ansible.module_utils.panshi_session import address_matches, ssh_connection, sshd_settings

DOCUMENTATION = """
module: panshi_password
short_description: Looks at, sets or tries the password of a local account
version_added: "1.0.0"
author: Panshi
description:
  - For the action plugin C(panshi_rotate) only, which sends it over standard input, and refuses to where a password
    would be written to a file on the way.
  - C(set) goes through PAM as C(passwd) does. The rules that bind users bind it too, although it runs as root; what a
    module of PAM complains about is not set.
options:
  verb:
    description: What is wanted.
    type: str
    choices: [look, set, login]
    required: true
  account:
    description: Name.
    type: str
    required: true
  password:
    description: For C(set) and C(login).
    type: str
  known:
    description: For C(look), passwords by name, to be compared with the account's hash.
    type: dict
    default: {}
"""

EXAMPLES = """
- name: Is there an account that can be rotated
  panshi_password:
    verb: look
    account: ops
"""

RETURN = """
state:
  description: set, empty, disabled (never had one), locked, expired, foreign (of another directory) or absent.
  type: str
  returned: look
which:
  description: Name of the known password that the account has, or nothing.
  type: str
  returned: look
ssh:
  description: Whether sshd lets this account in with a password, from where this session comes from; C(why) not.
  type: bool
  returned: look
refusal:
  description: What PAM complained about; nothing was changed then.
  type: str
  returned: set
accepted:
  description: Whether PAM takes the password; C(detail) says why not.
  type: bool
  returned: login
"""

_DAY = 86400
_NO_SHELLS = ("nologin", "false")

# From security/_pam_types.h
_SUCCESS, _CONV_ERR = 0, 19
_ECHO_OFF, _ERROR_MSG, _TEXT_INFO = 1, 3, 4
_TTY, _RHOST = 3, 4


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "verb": {"type": "str", "choices": ["look", "set", "login"], "required": True},
            "account": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "known": {"type": "dict", "no_log": True, "default": {}},
        },
        required_if=[("verb", "set", ["password"]), ("verb", "login", ["password"])],
        supports_check_mode=False,
    )
    account, password = module.params["account"], module.params["password"]
    # What PAM says is shown to the operator: in one language whatever the host speaks.
    locale.setlocale(locale.LC_ALL, "C")
    try:
        if module.params["verb"] == "look":
            result = look(module, account, module.params["known"])
        elif module.params["verb"] == "set":
            result = {"refusal": change(account, password)}
        else:
            result = login(account, password)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{type(error).__name__}: {error}")
    module.exit_json(changed=module.params["verb"] == "set" and not result["refusal"], **result)


def look(module: AnsibleModule, account: str, known: dict) -> dict:
    """Return the account's state, the password that it has, and whether it can log in by SSH with one."""
    try:
        person = pwd.getpwnam(account)
    except KeyError:
        return {"state": "absent", "which": "", "ssh": False, "why": ""}
    fields = _shadow(account)
    state = _state(fields)
    hashed = fields[1] if state == "set" else ""
    which = next((name for name, value in known.items() if hashed and crypt(value, hashed) == hashed), "")
    why = "登录 shell 不允许登录" if os.path.basename(person.pw_shell) in _NO_SHELLS else _ssh_refusal(module, person)
    return {"state": state, "which": which, "ssh": not why, "why": why}


def change(account: str, password: str) -> str:
    """Set a password; return what the host's own rules say against it, or an empty text."""
    talk = _Conversation(password)
    with _Pam("passwd", account, talk) as pam:
        status = pam.call("pam_chauthtok", 0)
    if status == _SUCCESS:
        return ""
    if talk.complaints:
        return "；".join(talk.complaints)
    raise ValueError(pam.says(status))


def login(account: str, password: str) -> dict:
    """Do what sshd does with a password: ask PAM, as its service, whether it is right and the account may log in."""
    talk = _Conversation(password)
    client = ssh_connection().split(" ")[0]
    with _Pam(_service(), account, talk) as pam:
        pam.item(_TTY, "ssh")
        if client:
            pam.item(_RHOST, client)
        status = pam.call("pam_authenticate", 0)
        if status == _SUCCESS:
            status = pam.call("pam_acct_mgmt", 0)
    detail = "" if status == _SUCCESS else "；".join([pam.says(status), *talk.complaints])
    return {"accepted": status == _SUCCESS, "detail": detail}


def _shadow(account: str) -> list:
    with open("/etc/shadow", encoding="utf-8", errors="surrogateescape") as file:
        lines = (line.rstrip("\n").split(":") for line in file)
        return next((fields for fields in lines if fields[0] == account and len(fields) > 7), [])


def _state(fields: list) -> str:
    if not fields:
        return "foreign"
    if fields[7] and int(fields[7]) * _DAY <= time.time():
        return "expired"
    if not fields[1]:
        return "empty"
    bare = fields[1].lstrip("!")
    if bare in ("", "*", "x"):
        return "disabled"
    return "locked" if bare != fields[1] else "set"


def _ssh_refusal(module: AnsibleModule, person: pwd.struct_passwd) -> str:
    """Return why sshd does not let an account in with a password from where this session comes, or an empty text."""
    settings = sshd_settings(module, person.pw_name)
    if settings is None:
        return "没有 sshd 会话，或 sshd -T 没有回答"
    groups = [grp.getgrgid(number).gr_name for number in os.getgrouplist(person.pw_name, person.pw_gid)]
    return ssh_refusal(settings, person.pw_name, person.pw_uid, groups, ssh_connection().split(" ")[0])


def ssh_refusal(settings: dict, account: str, uid: int, groups: list, client: str) -> str:
    """Return the setting of sshd that keeps an account from logging in with a password, or an empty text.

    Args:
        settings: of ``sshd -T`` for this account: lists of values by lower-case name.
        account: name.
        uid: its number.
        groups: names.
        client: address that the login comes from.
    """

    def one(name: str, default: str) -> str:
        return (settings.get(name) or [default])[0].lower()

    def words(name: str) -> list:
        return " ".join(settings.get(name, [])).split()

    def user(pattern: str) -> bool:
        name, _, host = pattern.partition("@")
        return fnmatch.fnmatchcase(account, name) and (not host or address_matches(client, host))

    def group(pattern: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for name in groups)

    spoken = one("kbdinteractiveauthentication", one("challengeresponseauthentication", "no"))
    if one("passwordauthentication", "yes") != "yes" and (spoken != "yes" or one("usepam", "no") != "yes"):
        return "PasswordAuthentication no"
    methods = words("authenticationmethods") or ["any"]
    if not any(method == "any" or method.split(":")[0] in ("password", "keyboard-interactive") for method in methods):
        return "AuthenticationMethods " + " ".join(methods)
    if uid == 0 and one("permitrootlogin", "prohibit-password") != "yes":
        return "PermitRootLogin " + one("permitrootlogin", "prohibit-password")
    for name, matches, wanted in (
        ("denyusers", user, False),
        ("allowusers", user, True),
        ("denygroups", group, False),
        ("allowgroups", group, True),
    ):
        if words(name) and any(matches(pattern) for pattern in words(name)) is not wanted:
            return name
    return ""


def _service() -> str:
    """Return the PAM service of sshd; that of a console login where there is none. Neither lets root in unasked."""
    folders = ("/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d")
    return "sshd" if any(os.path.exists(f"{folder}/sshd") for folder in folders) else "login"


class _Message(ctypes.Structure):
    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


class _Response(ctypes.Structure):
    _fields_ = [("text", ctypes.c_void_p), ("code", ctypes.c_int)]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(_Message)),
    ctypes.POINTER(ctypes.POINTER(_Response)),
    ctypes.c_void_p,
)


class _Callback(ctypes.Structure):
    _fields_ = [("function", _CALLBACK), ("data", ctypes.c_void_p)]


class _Conversation:
    """Answers PAM: the password wherever one is asked for, until a module complains; then nothing more.

    pam_pwquality and its like warn root and go on; here their warning is the refusal that a user would get.
    """

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self.complaints = []
        self._over = False
        self._libc = ctypes.CDLL(None)
        self._libc.calloc.restype = ctypes.c_void_p
        self._libc.calloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
        self._libc.strdup.restype = ctypes.c_void_p
        self._libc.strdup.argtypes = [ctypes.c_char_p]
        self.callback = _Callback(_CALLBACK(self._answer), None)

    def _answer(self, count: int, messages: object, responses: object, data: object) -> int:
        styles = [messages[number].contents.style for number in range(count)]
        for number in range(count):
            if styles[number] == _ERROR_MSG and not self._over:
                self.complaints.append((messages[number].contents.text or b"").decode("utf-8", "replace").strip())
        if any(style not in (_ECHO_OFF, _ERROR_MSG, _TEXT_INFO) for style in styles):
            return _CONV_ERR
        if self.complaints and _ECHO_OFF in styles:
            self._over = True
            return _CONV_ERR
        # PAM frees both the array and the texts.
        array = ctypes.cast(self._libc.calloc(count, ctypes.sizeof(_Response)), ctypes.POINTER(_Response))
        for number in range(count):
            if styles[number] == _ECHO_OFF:
                array[number].text = self._libc.strdup(self._password)
        responses[0] = array
        return _SUCCESS


class _Pam:
    """One PAM transaction."""

    def __init__(self, service: str, account: str, talk: _Conversation) -> None:
        self._library = ctypes.CDLL("libpam.so.0")
        self._library.pam_strerror.restype = ctypes.c_char_p
        self._library.pam_strerror.argtypes = [ctypes.c_void_p, ctypes.c_int]
        self._handle = ctypes.c_void_p()
        self._talk = talk
        self._status = 0
        status = self._library.pam_start(
            service.encode(), account.encode(), ctypes.byref(talk.callback), ctypes.byref(self._handle)
        )
        if status != _SUCCESS:
            raise ValueError(f"pam_start: {status}")

    def __enter__(self) -> _Pam:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.pam_end(self._handle, self._status)

    def item(self, kind: int, value: str) -> None:
        """Set PAM_TTY or PAM_RHOST."""
        self._library.pam_set_item(self._handle, kind, ctypes.c_char_p(value.encode()))

    def call(self, name: str, flags: int) -> int:
        """Call a function of PAM and return its status."""
        self._status = getattr(self._library, name)(self._handle, flags)
        return self._status

    def says(self, status: int) -> str:
        """Return PAM's words for a status."""
        return (self._library.pam_strerror(None, status) or b"").decode("utf-8", "replace")


if __name__ == "__main__":
    main()
