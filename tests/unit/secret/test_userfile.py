"""Files of users: what is read from them, that nothing but one password changes, and how Tomcat keeps passwords."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import ansible.module_utils
import pytest

from panshi.errors import PanshiError
from panshi.secret import Entry, SecretId
from panshi.secret.declared import Baseline, declared_accounts
from panshi.secret.userfile import FileUser

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
VALUE = "Kn7-wordOFtest"
# As digest.sh of Tomcat 10.1.60 printed them for this password.
DIGESTS = [
    (
        {"algorithm": "SHA-256", "iterations": "1000", "saltLength": "16"},
        "5d8a9c77acfc82b268137b70658e3566$1000$bb8c7fac0f5cbe98e74f93af7639066ef261c1e97c7882a4ce7b32a05c9c0e6e",
    ),
    (
        {"algorithm": "SHA-512"},
        "5adc45d5f7933b244fac87e403cf4e1e6c9294f2b56362298a09cdee326f83a7$1$c66c18f1a5e56269293e23c3462959b5d97ff8b0"
        "7690818f3440506ca54a85fb063fea9f404f009010d184aedf177eeab48c794d57c785581e07ceeecda3d659",
    ),
    ({"algorithm": "SHA-256", "saltLength": "0"}, "f5e754a7013326b5f14168c22390d58c9fa97c2713e22a9194f5577329e345f4"),
    (
        {"algorithm": "SHA-256", "saltLength": "0", "iterations": "3"},
        "$3$2d10aa3a3792acfb3ff4c09e702d6cf89dbc7b9fff79478aeee40da2a00d05df",
    ),
]
SECRET_KEYS = [
    (
        {"algorithm": "PBKDF2WithHmacSHA512", "iterations": "20000", "saltLength": "16", "keyLength": "256"},
        "a243abec6bff7dc13a6e4ca8304855d7$20000$60dfae485610a927f539355fbc872de09eeab1e7c56ad3afe8b8a4447c5cbe71",
    ),
    (
        {},
        "6f503cb0eefd7605c32e18fedfba214aaebf1052494b05f14b1dc65638e4867b$20000$"
        "651577684121c11196db9409e0df0ff881d7de88",
    ),
]
USERS = """<?xml version="1.0" encoding="UTF-8"?>
<!-- kept <user username="ops" password="in-a-comment" roles="x"/> -->
<tomcat-users xmlns="http://tomcat.apache.org/xml"
              version="1.0">
  <role rolename="manager-gui"/>
  <user username="ops" password="old" roles="manager-gui"/>\r
  <user password='o&amp;ther'
        username = "审计" roles="manager-status" />   <!-- 审计员 -->
  <user username="norole" password="x"/>
</tomcat-users>
"""
CLEAR = '<Server><Realm className="org.apache.catalina.realm.UserDatabaseRealm" resourceName="UserDatabase"/></Server>'


@pytest.fixture(scope="module")
def module() -> ModuleType:
    loaded = {}
    for name, path in (
        ("ansible.module_utils.panshi_crypt", "module_utils/panshi_crypt.py"),
        ("panshi_userfile_under_test", "modules/panshi_userfile.py"),
    ):
        spec = importlib.util.spec_from_file_location(name, PLUGINS / path)
        assert spec and spec.loader
        loaded[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded[name])
    ansible.module_utils.panshi_crypt = loaded["ansible.module_utils.panshi_crypt"]
    return loaded["panshi_userfile_under_test"]


def tomcat(module: ModuleType, folder: Path, server: str = CLEAR) -> Any:
    (folder / "server.xml").write_text(server)
    return module.Tomcat(str(folder / "server.xml"))


def realm(*handlers: str) -> str:
    name = "org.apache.catalina.realm.UserDatabaseRealm"
    return f'<Server><Realm className="{name}" resourceName="UserDatabase">{"".join(handlers)}</Realm></Server>'


def handler(name: str, attributes: str = "", inner: str = "") -> str:
    return f'<CredentialHandler className="org.apache.catalina.realm.{name}" {attributes}>{inner}</CredentialHandler>'


def test_parsed_only_the_users_own_password_changes(module: ModuleType, tmp_path: Path) -> None:
    kind = tomcat(module, tmp_path)
    assert kind.stored(USERS.encode(), "ops") == "old"
    assert kind.stored(USERS.encode(), "审计") == "o&ther"
    assert kind.stored(USERS.encode(), "nobody") is None
    new = kind.replaced(USERS.encode(), "ops", "new")
    assert new == USERS.replace('password="old"', 'password="new"').encode()
    new = kind.replaced(USERS.encode(), "审计", 'a"<&')
    assert new.decode() == USERS.replace("'o&amp;ther'", "'a\"&lt;&amp;'")
    assert kind.stored(new, "审计") == 'a"<&'


def test_parsed_other_encoding_stays(module: ModuleType, tmp_path: Path) -> None:
    data = USERS.replace("UTF-8", "GB18030").encode("gb18030")
    new = tomcat(module, tmp_path).replaced(data, "审计", "new")
    assert new == USERS.replace("UTF-8", "GB18030").replace("'o&amp;ther'", '"new"').encode("gb18030")
    marked = b"\xef\xbb\xbf" + USERS.encode()
    assert tomcat(module, tmp_path).replaced(marked, "ops", "n") == marked.replace(b'"old"', b'"n"')


@pytest.mark.parametrize(
    "text",
    [
        USERS.replace('"norole"', '"ops"'),
        USERS.replace("<tomcat-users", '<!DOCTYPE a [<!ENTITY p "x">]><tomcat-users'),
        USERS.replace("</tomcat-users>", ""),
        USERS.replace("UTF-8", "US-ASCII"),
        USERS.replace('"norole"', '"nor&#111;le"'),
    ],
)
def test_parsed_file_that_is_not_surely_understood_is_not_written(
    module: ModuleType, tmp_path: Path, text: str
) -> None:
    with pytest.raises((ValueError, module.ElementTree.ParseError)):
        tomcat(module, tmp_path).stored(text.encode(), "ops")


@pytest.mark.parametrize(
    ("kind", "attributes", "printed"),
    [*(("Digest", *one) for one in DIGESTS), *(("SecretKey", *one) for one in SECRET_KEYS)],
)
def test_parsed_digest_is_that_of_tomcats_own_program(
    module: ModuleType, kind: str, attributes: dict[str, str], printed: str
) -> None:
    way = getattr(module, kind)(attributes)
    assert way.has(VALUE, printed) and way.has(VALUE, printed.upper())
    assert not way.has(VALUE + "x", printed) and not way.has(VALUE, printed[:-1] + "g")
    made = way.kept(VALUE)
    assert way.has(VALUE, made)
    assert [len(part) for part in made.split("$")] == [len(part) for part in printed.split("$")]
    assert made != printed or attributes.get("saltLength") == "0"


def test_parsed_server_says_how_passwords_are_kept(module: ModuleType, tmp_path: Path) -> None:
    sha = handler("MessageDigestCredentialHandler", 'algorithm="SHA-512" iterations="9" saltLength="8"')
    clear = handler("MessageDigestCredentialHandler")
    assert tomcat(module, tmp_path).kept("new", "") == "new"
    kind = tomcat(module, tmp_path, realm(sha))
    made = kind.kept("new", "old")
    assert made.split("$")[1] == "9" and len(made.split("$")[0]) == 16 and kind.has("new", made)
    assert not kind.has("old", "old")
    kind = tomcat(module, tmp_path, realm(handler("NestedCredentialHandler", inner=sha + clear)))
    assert kind.has("old", "old") and kind.has("new", kind.kept("new", "old")) and "$9$" in kind.kept("new", "old")


@pytest.mark.parametrize(
    "server",
    [
        "<Server/>",
        CLEAR.replace("resourceName", 'digest="SHA" resourceName'),
        realm(handler("OwnHandler")),
        realm(handler("MessageDigestCredentialHandler", 'algorithm="${a}"')),
        realm(handler("MessageDigestCredentialHandler", 'algorithm="no-7"')),
        realm(handler("SecretKeyCredentialHandler", 'algorithm="AES"')),
        f"<a>{CLEAR}{realm(handler('SecretKeyCredentialHandler'))}</a>",
    ],
)
def test_parsed_server_that_keeps_passwords_in_another_way_is_refused(
    module: ModuleType, tmp_path: Path, server: str
) -> None:
    with pytest.raises(ValueError):
        tomcat(module, tmp_path, server)


def test_real_hashes_of_htpasswd(module: ModuleType) -> None:
    kind = module.Htpasswd("")
    data = b"# users\nops:$6$saltsaltsaltsalt$gone:the boss\r\nops2:{PLAIN}x\naudit:$2y$05$" + b"a" * 53 + b"\n"
    new = kind.replaced(data, "ops", VALUE)
    start, _, rest = new.partition(b"ops:")
    assert start == b"# users\n" and rest.endswith(b":the boss\r\n" + data.partition(b"boss\r\n")[2])
    stored = kind.stored(new, "ops")
    assert stored.startswith("$6$") and kind.has(VALUE, stored) and not kind.has(VALUE + "x", stored)
    assert kind.stored(new, "op") is None and kind.stored(data, "# users") is None
    bcrypt = kind.stored(kind.replaced(data, "audit", VALUE), "audit")
    assert bcrypt.startswith("$2y$05$") and kind.has(VALUE, bcrypt) and not kind.has("x", bcrypt)
    assert kind.has("x", "{PLAIN}x") and not kind.has("y", "{PLAIN}x")
    assert kind.has("password", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")
    assert not kind.has(VALUE, "") and not kind.has(VALUE, "$apr1$x$y")
    with pytest.raises(ValueError, match="2 处"):
        kind.stored(data + b"ops:x\n", "ops")


def test_real_file_keeps_mode_and_owner_and_is_never_half_written(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users"
    path.write_text("ops:x\n")
    path.chmod(0o640)
    os.chown(path, -1, 12345)
    module.change(module.Htpasswd(""), str(path), "ops", VALUE)
    about = path.stat()
    assert (about.st_mode & 0o777, about.st_gid) == (0o640, 12345)
    assert [one.name for one in tmp_path.iterdir()] == ["users"]
    before = path.read_bytes()

    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="disk full"):
        module.change(module.Htpasswd(""), str(path), "ops", "other")
    assert path.read_bytes() == before


class Site:
    """A page: what it answers, one after another."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)

    def login(self, account: str, password: str) -> dict[str, Any]:
        return {"accepted": self.statuses.pop(0) == 200, "detail": ""}


def test_server_that_reads_its_file_later_is_not_asked_more_often_than_it_can_bear(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users"
    path.write_text("")
    now = [path.stat().st_mtime]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    monkeypatch.setattr(module.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    ages = module.Tomcat.TAKEN_AFTER
    site = Site(401, 200)
    assert module.login_when_taken(site, "ops", VALUE, str(path), ages)["accepted"]
    assert now[0] - path.stat().st_mtime == pytest.approx(15)
    # Two rotations that go wrong one after another come to four failures; Tomcat locks after five.
    site = Site(401, 401, 401, 401)
    now[0] = path.stat().st_mtime
    assert not module.login_when_taken(site, "ops", VALUE, str(path), ages)["accepted"]
    assert not module.login_when_taken(site, "ops", VALUE, str(path), ages)["accepted"]
    assert site.statuses == []


def test_server_forgets_the_failure_by_which_the_old_password_is_refused() -> None:
    tried: list[tuple[str, bool]] = []

    def ask(**arguments: Any) -> dict[str, Any]:
        tried.append((arguments["password"], arguments["expected"]))
        return {"accepted": arguments["password"] == "new", "detail": ""}

    one = FileUser("app1", "ops", ask, "/etc/users", "http://127.0.0.1/")
    assert not one.refused("old").accepted
    assert one.prove("new").accepted and not one.refused("old").accepted
    assert tried == [("old", False), ("new", True), ("old", False), ("new", True)]


@pytest.mark.parametrize(("state", "why"), [("absent", "没有这个用户"), ("unfit", "DOCTYPE")])
def test_user_that_cannot_be_rotated_is_left_alone(state: str, why: str) -> None:
    told = {"state": state, "why": "DOCTYPE" if state == "unfit" else "", "which": ""}
    one = FileUser("app1", "ops", lambda **_: told, "/etc/users", "http://127.0.0.1/")
    with pytest.raises(PanshiError, match=f"PS-E7131.*{why}"):
        one.which(Entry(SecretId("app1", "tomcat", "ops")))


@pytest.mark.parametrize(
    ("account", "at"),
    [
        ("ops", {"file": "/etc/users"}),
        ("ops", {"file": "users", "url": "http://127.0.0.1/"}),
        ("ops", {"file": "/etc/users", "url": "ftp://127.0.0.1/"}),
        ("ops", {"file": "/etc/users", "url": "http://127.0.0.1/", "restart": "nginx"}),
        ("o:ps", {"file": "/etc/users", "url": "http://127.0.0.1/"}),
    ],
)
def test_declared_file_that_is_none_is_refused(account: str, at: dict[str, Any]) -> None:
    baseline = Baseline(min_length=8, min_classes=3, max_days=90)
    with pytest.raises(PanshiError, match="PS-E7007"):
        declared_accounts("app1", [{"account": account, "target": "htpasswd", "at": at}], baseline)
