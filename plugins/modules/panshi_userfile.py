#!/usr/bin/python
"""One user of a file of users: which password stands there, a new one, a new login by HTTP (docs/design.md, 9).

Standard library only. What a format is stands in one class; everything else is the same for all of them.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import re
import secrets
import ssl
import string
import time
import urllib.parse
from contextlib import closing
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr, unescape

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.panshi_crypt import crypt

DOCUMENTATION = """
module: panshi_userfile
short_description: Looks at, sets or tries the password of a user in a file of users
version_added: "1.0.0"
author: Panshi
description:
  - For the action plugin C(panshi_rotate) only, which sends it over standard input.
  - Only the user's own password is changed; every other byte of the file, its mode and its owner stay.
options:
  verb:
    description: What is wanted.
    type: str
    choices: [look, set, login]
    required: true
  account:
    description: Name of the user.
    type: str
    required: true
  password:
    description: For C(set) and C(login).
    type: str
  known:
    description: For C(look), passwords by name, to be compared with what the file has.
    type: dict
    default: {}
  format:
    description: Of the file.
    type: str
    choices: [tomcat, htpasswd]
    required: true
  file:
    description: Where it is.
    type: path
    required: true
  server:
    description: For C(tomcat), the server.xml that says how passwords are kept; by default the one beside the file.
    type: path
  url:
    description: What asks for a name and a password (HTTP Basic); on this host, as this host reaches it.
    type: str
    required: true
  ca:
    description: Certificates that an C(https) address is checked with, instead of the system's.
    type: path
  restart:
    description: Unit that reads the file only when it starts.
    type: str
  expected:
    description: For C(login), whether it should be let in; a server that has not read the file yet is waited for then.
    type: bool
    default: true
"""

EXAMPLES = """
- name: Is there a user that can be rotated
  panshi_userfile:
    verb: look
    account: deployer
    format: tomcat
    file: /etc/tomcat10/tomcat-users.xml
    url: http://127.0.0.1:8080/manager/text/list
"""

RETURN = """
state:
  description: on, absent, or unfit when nothing could be changed or proven; C(why) says it in words.
  type: str
  returned: look
which:
  description: Name of the known password that the file has, or nothing.
  type: str
  returned: look
accepted:
  description: Whether the password was let in; C(detail) is the status of HTTP.
  type: bool
  returned: login
"""

_SECONDS = 20
_START_SECONDS = 120
# With the right password; without one the page answers 401, which is looked at before anything is changed.
_LET_IN = (200, 204, 301, 302, 303, 307, 308, 403, 404)


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "verb": {"type": "str", "choices": ["look", "set", "login"], "required": True},
            "account": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "known": {"type": "dict", "no_log": True, "default": {}},
            "format": {"type": "str", "choices": sorted(FORMATS), "required": True},
            "file": {"type": "path", "required": True},
            "server": {"type": "path"},
            "url": {"type": "str", "required": True},
            "ca": {"type": "path"},
            "restart": {"type": "str"},
            "expected": {"type": "bool", "default": True},
        },
        required_if=[("verb", "set", ["password"]), ("verb", "login", ["password"])],
        supports_check_mode=False,
    )
    given = module.params
    account, password = given["account"], given["password"]
    path = os.path.realpath(given["file"])
    page = Page(given["url"], given["ca"])
    try:
        kind = FORMATS[given["format"]](given["server"] or os.path.join(os.path.dirname(path), "server.xml"))
        if given["verb"] == "look":
            page.need_password()
            result = look(kind, path, account, given["known"])
        elif given["verb"] == "set":
            result = {}
            change(kind, path, account, password)
        elif given["expected"]:
            ages = kind.TAKEN_AFTER
            if given["restart"]:
                restart_after(module, given["restart"], path, page)
                ages = (0,)
            result = login_when_taken(page, account, password, path, ages)
        else:
            result = page.login(account, password)
    except (OSError, ValueError, ElementTree.ParseError) as error:
        if given["verb"] != "look":
            module.fail_json(msg=str(error))
        result = {"state": "unfit", "which": "", "why": str(error)}
    module.exit_json(changed=given["verb"] == "set", **result)


def look(kind: object, path: str, account: str, known: dict) -> dict:
    """Return whether a user stands in a file, and with which of the known passwords."""
    stored = kind.stored(_read(path), account)
    if stored is None:
        return {"state": "absent", "which": "", "why": ""}
    which = next((name for name, value in known.items() if kind.has(value, stored)), "")
    # What cannot be written later is said now.
    kind.kept("", stored)
    return {"state": "on", "which": which, "why": ""}


def change(kind: object, path: str, account: str, password: str) -> None:
    """Write a file with a new password for a user, whole or not at all, with the owner and the rights that it had."""
    new = kind.replaced(_read(path), account, password)
    about = os.stat(path)
    beside = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.panshi")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with open(os.open(beside, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(new)
        file.flush()
        os.fchown(file.fileno(), about.st_uid, about.st_gid)
        # Labels of SELinux and lists of access rights; not the time, by which servers see that there is something new.
        for name in os.listxattr(path):
            os.setxattr(beside, name, os.getxattr(path, name))
        os.fchmod(file.fileno(), about.st_mode & 0o7777)
        os.fsync(file.fileno())
    os.replace(beside, path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


class Tomcat:
    """tomcat-users.xml: passwords are kept as the CredentialHandler of the realm in server.xml says."""

    # Ages of the file, in seconds, at which a login is tried. Tomcat looks at it every 10 s and waits until it is 2 s
    # old; each try that fails counts for its LockOutRealm, which locks a user after five of them.
    TAKEN_AFTER = (4, 15, 30)

    def __init__(self, server: str) -> None:
        self._handlers = handlers(_read(server))

    def stored(self, data: bytes, account: str) -> str:
        """Return what a user's password is kept as, or None for no such user."""
        found = [stored for name, stored, _ in tomcat_users(_text(data)[0]) if name == account]
        if len(found) > 1:
            raise ValueError(f"用户 {account} 在文件里有 {len(found)} 处")
        return found[0] if found else None

    def replaced(self, data: bytes, account: str, value: str) -> bytes:
        """Return the file with a new password for a user who stands in it once."""
        text, encoding = _text(data)
        before = tomcat_users(text)
        ((stored, (start, end)),) = [(stored, span) for name, stored, span in before if name == account]
        kept = self.kept(value, stored)
        new = text[:start] + quoteattr(kept) + text[end:]
        wanted = [(name, kept if name == account else stored) for name, stored, _ in before]
        if [(name, stored) for name, stored, _ in tomcat_users(new)] != wanted:
            raise ValueError("改写的结果与预期不符，文件没有改动")
        return new.encode(encoding)

    def kept(self, value: str, stored: str) -> str:
        """Return what a password is kept as from now on."""
        return self._handlers[0].kept(value)

    def has(self, value: str, stored: str) -> bool:
        """Return whether a password is the one that is kept."""
        return any(handler.has(value, stored) for handler in self._handlers)


class Htpasswd:
    """A file of htpasswd as nginx and Apache read it: with every request, so that a change counts at once."""

    TAKEN_AFTER = (0,)

    def __init__(self, server: str) -> None:
        pass

    def stored(self, data: bytes, account: str) -> str:
        """Return what a user's password is kept as, or None for no such user."""
        found = self._line(account).findall(data)
        if len(found) > 1:
            raise ValueError(f"用户 {account} 在文件里有 {len(found)} 处")
        return found[0].decode("utf-8", "replace") if found else None

    def replaced(self, data: bytes, account: str, value: str) -> bytes:
        """Return the file with a new password for a user who stands in it once."""
        match = self._line(account).search(data)
        kept = self.kept(value, match[1].decode("utf-8", "replace"))
        return data[: match.start(1)] + kept.encode() + data[match.end(1) :]

    def kept(self, value: str, stored: str) -> str:
        """Return the hash of a password: bcrypt where that was used, else SHA-512 with 16 signs of salt (crypt(5))."""
        signs = "./" + string.ascii_letters + string.digits
        if stored.startswith("$2"):
            # The last sign of a salt of bcrypt holds two bits only.
            salt = "".join(secrets.choice(signs) for _ in range(21)) + secrets.choice(".Oeu")
            setting = stored[:7] + salt
        else:
            setting = "$6$" + "".join(secrets.choice(signs) for _ in range(16)) + "$"
        made = crypt(value, setting)
        if not made:
            raise ValueError(f"这台主机的 libcrypt 算不出 {setting[:3]} 散列")
        return made

    def has(self, value: str, stored: str) -> bool:
        """Return whether a password is the one that is kept; Apache's own MD5 is not known here."""
        if stored.startswith("{PLAIN}"):
            return stored == "{PLAIN}" + value
        if stored.startswith("{SHA}"):
            return stored == "{SHA}" + base64.b64encode(hashlib.sha1(value.encode()).digest()).decode()
        return bool(stored) and crypt(value, stored) == stored

    @staticmethod
    def _line(account: str) -> re.Pattern:
        return re.compile(b"^" + re.escape(account.encode()) + rb":([^:\s]*)", re.M)


FORMATS = {"tomcat": Tomcat, "htpasswd": Htpasswd}

# Comments and the like first, so that a user in one of them is none.
_TAG = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    r"|<(?:[\w.-]+:)?(?P<name>[\w.-]+)(?P<attributes>(?:\s+[\w.:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*/?>",
    re.S,
)
_ATTRIBUTE = re.compile(r"([\w.:-]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)[\"']")


def tomcat_users(text: str) -> list:
    """Return the users of a tomcat-users.xml: name, password as it is kept, where that stands with its quotes.

    Raises:
        ValueError: the file is not understood, or a reader of XML understands it otherwise.
    """
    if "<!DOCTYPE" in text:
        raise ValueError("文件里有 DOCTYPE，不改写")
    found = []
    for tag in _TAG.finditer(text):
        if tag["name"] == "user":
            attributes = {part[1]: part for part in _ATTRIBUTE.finditer(tag["attributes"])}
            name, password = attributes.get("username") or attributes.get("name"), attributes.get("password")
            if name is not None and password is not None:
                start = tag.start("attributes")
                found.append(
                    (_value(name[2]), _value(password[2]), (start + password.start(2), start + password.end(2)))
                )
    parsed = []
    for element in ElementTree.fromstring(text.lstrip("\ufeff")).iter():
        name = element.get("username") or element.get("name")
        if element.tag.rpartition("}")[2] == "user" and name is not None and element.get("password") is not None:
            parsed.append((name, element.get("password")))
    if [(name, stored) for name, stored, _ in found] != parsed:
        raise ValueError("文件的写法不认识，不改写")
    return found


def _value(quoted: str) -> str:
    return unescape(quoted[1:-1], {"&quot;": '"', "&apos;": "'"})


def _text(data: bytes) -> tuple:
    match = _ENCODING.match(data.lstrip(b"\xef\xbb\xbf"))
    encoding = match[1].decode() if match else "utf-8"
    try:
        text = data.decode(encoding)
    except (LookupError, UnicodeDecodeError):
        raise ValueError(f"文件不是它自己所说的编码 {encoding}") from None
    return text, encoding


_REALMS = ("org.apache.catalina.realm.UserDatabaseRealm", "org.apache.catalina.realm.MemoryRealm")


def handlers(data: bytes) -> list:
    """Return how the realm of a server.xml keeps passwords: the first way is that of new ones, all are accepted.

    Raises:
        ValueError: there is no realm with a file of users, or it keeps them in a way that is not known here.
    """
    found = []
    for realm in ElementTree.fromstring(data).iter("Realm"):
        if realm.get("className") in _REALMS:
            if realm.get("digest"):
                raise ValueError("server.xml 的 Realm 用了已废弃的 digest 属性，改用 CredentialHandler")
            given = realm.find("CredentialHandler")
            found.append([Digest({})] if given is None else _nested(given))
    if not found:
        raise ValueError("server.xml 里没有 UserDatabaseRealm 或 MemoryRealm")
    if (
        any(vars(one) != vars(other) for way in found for one, other in zip(found[0], way))
        or len({*map(len, found)}) > 1
    ):
        raise ValueError("server.xml 里几个 Realm 保存口令的方式不同")
    return found[0]


def _nested(element: ElementTree.Element) -> list:
    name = (element.get("className") or "").rpartition(".")[2]
    if any("${" in value for value in element.attrib.values()):
        raise ValueError("server.xml 的 CredentialHandler 用了变量，读不出保存口令的方式")
    if name == "NestedCredentialHandler":
        made = [one for inner in element.findall("CredentialHandler") for one in _nested(inner)]
        if made:
            return made
    if name == "MessageDigestCredentialHandler":
        return [Digest(element.attrib)]
    if name == "SecretKeyCredentialHandler":
        return [SecretKey(element.attrib)]
    raise ValueError(f"server.xml 的 CredentialHandler {name} 不认识")


class Digest:
    """Tomcat's MessageDigestCredentialHandler: salt, rounds, hexadecimal digest; clear without an algorithm."""

    def __init__(self, attributes: dict) -> None:
        self.algorithm = attributes.get("algorithm", "")
        self.salt = int(attributes.get("saltLength", 32))
        self.rounds = int(attributes.get("iterations", 1))
        if self.algorithm:
            self._digest("", b"", 1)

    def kept(self, value: str) -> str:
        """Return what a password is kept as."""
        if not self.algorithm:
            return value
        salt = secrets.token_bytes(self.salt)
        made = self._digest(value, salt, self.rounds)
        return made if not salt and self.rounds == 1 else f"{salt.hex()}${self.rounds}${made}"

    def has(self, value: str, stored: str) -> bool:
        """Return whether a password is the one that is kept."""
        if not self.algorithm:
            return value == stored
        parts = stored.split("$")
        try:
            if len(parts) == 3:
                return self._digest(value, bytes.fromhex(parts[0]), int(parts[1])) == parts[2].lower()
        except ValueError:
            return False
        return self._digest(value, b"", self.rounds) == stored.lower()

    def _digest(self, value: str, salt: bytes, rounds: int) -> str:
        name = {"SHA": "sha1"}.get(self.algorithm.upper(), self.algorithm.lower().replace("-", ""))
        made = hashlib.new(name, salt + value.encode()).digest()
        for _ in range(rounds - 1):
            made = hashlib.new(name, made).digest()
        return made.hex()


class SecretKey(Digest):
    """Tomcat's SecretKeyCredentialHandler: the same with PBKDF2."""

    def __init__(self, attributes: dict) -> None:
        self.bits = int(attributes.get("keyLength", 160))
        super().__init__({"algorithm": "PBKDF2WithHmacSHA1", "iterations": 20000, **attributes})

    def _digest(self, value: str, salt: bytes, rounds: int) -> str:
        prefix, name = self.algorithm[:14], self.algorithm[14:].lower()
        if prefix != "PBKDF2WithHmac":
            raise ValueError(f"server.xml 的 CredentialHandler 的算法 {self.algorithm} 不认识")
        return hashlib.pbkdf2_hmac(name, value.encode(), salt, rounds, self.bits // 8).hex()


class Unreachable(ValueError):
    """A page did not answer at all."""


class Page:
    """What asks for a name and a password by HTTP Basic."""

    def __init__(self, url: str, ca: str) -> None:
        self._url = urllib.parse.urlsplit(url)
        self._ca = ca
        if self._url.scheme not in ("http", "https") or not self._url.hostname or self._url.username:
            raise ValueError(f"不是 http(s) 地址：{url}")

    def need_password(self) -> None:
        """Make sure that nobody is let in without a password.

        Raises:
            ValueError: the page does not ask for one, so that nothing could be proven by it.
        """
        status, asks = self._get({})
        if status != 401 or not asks.lower().startswith("basic"):
            raise ValueError(f"{self._url.geturl()} 没有要求 HTTP Basic 口令（{status}），不能用它证明")

    def login(self, account: str, password: str) -> dict:
        """Ask for the page as a user.

        Raises:
            ValueError: the answer says nothing about the password.
        """
        pair = base64.b64encode(f"{account}:{password}".encode()).decode()
        status, _ = self._get({"Authorization": f"Basic {pair}"})
        if status != 401 and status not in _LET_IN:
            raise ValueError(f"{self._url.geturl()} 回答 {status}")
        return {"accepted": status != 401, "detail": f"HTTP {status}"}

    def wait(self, seconds: float) -> None:
        """Wait until the server answers at all."""
        over = time.monotonic() + seconds
        while True:
            try:
                self._get({})
                return
            except Unreachable:
                if time.monotonic() > over:
                    raise
                time.sleep(0.5)

    def _get(self, headers: dict) -> tuple:
        host, port = self._url.hostname, self._url.port
        if self._url.scheme == "https":
            context = ssl.create_default_context(cafile=self._ca)
            connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        try:
            with closing(connection):
                connection.request("GET", path, headers={"Connection": "close", **headers})
                answer = connection.getresponse()
                return answer.status, answer.getheader("WWW-Authenticate", "")
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self._url.geturl()} 没有回答：{error}") from None


def login_when_taken(page: Page, account: str, password: str, path: str, ages: tuple) -> dict:
    """Log in, giving a server that looks at its file from time to time the time to do so."""
    told = {}
    for age in ages:
        left = age - (time.time() - os.stat(path).st_mtime)
        if left > 0 or not told:
            time.sleep(min(max(left, 0), age))
            told = page.login(account, password)
        if told["accepted"]:
            break
    return told


def restart_after(module: AnsibleModule, unit: str, path: str, page: Page) -> None:
    """Restart a unit that was started before a file was written, and wait until it answers.

    Raises:
        ValueError: it does not start.
    """
    _, out, _ = module.run_command(["systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", "--value", unit])
    started = time.time() - time.monotonic() + int(out.strip() or 0) / 1e6
    if started < os.stat(path).st_mtime:
        status, _, said = module.run_command(["systemctl", "restart", unit])
        if status:
            raise ValueError(f"{unit} 重启失败：{said.strip()}")
    page.wait(_START_SECONDS)


if __name__ == "__main__":
    main()
