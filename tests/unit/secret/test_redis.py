"""A user of Redis: what the server is told and answers, in its own protocol, and what is left alone."""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from panshi.errors import PanshiError
from panshi.secret import Entry, SecretId, Version
from panshi.secret.declared import Baseline, connection_last, declared_accounts
from panshi.secret.kinds import KINDS
from panshi.secret.redis import RedisUser

PATH = Path(__file__).resolve().parents[3] / "plugins" / "modules" / "panshi_redis.py"
SECRET = SecretId("app1", "redis", "shop")
CURRENT = Entry(SECRET, current=Version("v", "old", "2026-11-21T03:00:00Z"))


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("panshi_redis_under_test", PATH)
    assert spec and spec.loader
    loaded = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def answering(module: ModuleType, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return what makes a connection to a server that gives these answers and keeps what it was told."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    made = []

    def start(*answers: bytes) -> tuple[Any, list[bytes]]:
        told: list[bytes] = []

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    told.append(connection.recv(9999))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        server = module.Server(0, str(tmp_path / "socket")).__enter__()
        made.append((thread, server))
        return server, told

    yield start
    for thread, server in made:
        server.__exit__()
        thread.join()
    listener.close()


def test_emulated_server_is_spoken_to_in_its_protocol(answering: Callable[..., Any]) -> None:
    server, told = answering(
        b"+OK\r\n", b":7\r\n", b"$5\r\n\r\n\xe5\xb0\x8f\r\n", b"$-1\r\n", b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n"
    )
    assert [server.ask("ACL", "GETUSER", "小") for _ in range(5)] == ["OK", 7, "\r\n小", None, ["a", [1]]]
    assert told[0] == "*3\r\n$3\r\nACL\r\n$7\r\nGETUSER\r\n$3\r\n小\r\n".encode()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+cut"])
def test_emulated_other_server_is_told_from_redis(
    module: ModuleType, answering: Callable[..., Any], answer: bytes
) -> None:
    server, _ = answering(answer)
    with pytest.raises(ValueError, match="连接|协议"):
        server.ask("PING")


def test_emulated_wrong_password_is_an_answer_and_another_failure_is_none(
    module: ModuleType, answering: Callable[..., Any]
) -> None:
    server, told = answering(b"+OK\r\n", b"-WRONGPASS invalid\r\n", b"-ERR max number of clients reached\r\n")
    assert module.login(server, "shop", "v")["accepted"]
    assert not module.login(server, "shop", "v")["accepted"]
    with pytest.raises(module.Refused, match="max number"):
        module.login(server, "shop", "v")


def test_emulated_administrator_without_a_right_password_is_refused(
    module: ModuleType, answering: Callable[..., Any]
) -> None:
    server, _ = answering(b"-WRONGPASS no\r\n", b"-WRONGPASS no\r\n", b"-NOAUTH Authentication required.\r\n")
    with pytest.raises(module.Refused, match="都登录不了"):
        module.enter(server, "admin", ["a", "b"])
    with pytest.raises(module.Refused, match="不在库里"):
        module.enter(server, "admin", [])


def test_emulated_server_that_keeps_nothing_is_found_before_anything_is_changed(
    module: ModuleType, answering: Callable[..., Any]
) -> None:
    user = b"*4\r\n$5\r\nflags\r\n*1\r\n$2\r\non\r\n$9\r\npasswords\r\n*0\r\n"
    server, told = answering(user, b"*2\r\n$7\r\naclfile\r\n$0\r\n\r\n", b"-ERR running without a config file\r\n")
    with pytest.raises(module.Refused, match="重启后密码会丢失"):
        module.look(server, "shop", {})
    assert not any(b"SETUSER" in one for one in told)


@pytest.mark.parametrize(
    ("told", "judged"),
    [
        (None, ("absent", "")),
        (["flags", ["off"], "passwords", ["H"]], ("off", "")),
        (["flags", ["on"], "passwords", []], ("on", "")),
        (["flags", ["on", "sanitize-payload"], "passwords", ["H1", "H2"], "commands", "+@all"], ("on", "pending")),
        (["flags", ["on"], "passwords", ["H2"]], ("on", "current")),
    ],
)
def test_parsed_user(module: ModuleType, monkeypatch: pytest.MonkeyPatch, told: Any, judged: tuple[str, str]) -> None:
    monkeypatch.setattr(module, "digest", {"new": "H1", "old": "H2"}.get)
    assert module.judge(told, {"pending": "new", "current": "old"}) == judged


def user(answer: dict[str, Any], asked: list[dict[str, Any]]) -> RedisUser:
    def ask(**arguments: Any) -> dict[str, Any]:
        asked.append(arguments)
        return answer

    return RedisUser("app1", "shop", ask, lambda: {"admin": "default", "admin_passwords": ["a"]}, "端口 6379")


@pytest.mark.parametrize(("state", "why"), [("absent", "没有"), ("off", "停用"), ("unfit", "NOPERM")])
def test_user_that_cannot_be_rotated_is_left_alone(state: str, why: str) -> None:
    with pytest.raises(PanshiError, match=f"PS-E7130.*{why}"):
        user({"state": state, "why": "NOPERM" if state == "unfit" else "", "which": ""}, []).which(CURRENT)


def test_login_is_never_helped_by_the_administrator() -> None:
    asked: list[dict[str, Any]] = []
    one = user({"state": "on", "which": "current", "accepted": True, "detail": "", "changed": True}, asked)
    assert one.which(CURRENT) == "current"
    one.set("new")
    assert one.prove("new").accepted and one.retire("new") and one.refused("old").accepted
    assert [call["verb"] for call in asked] == ["look", "add", "login", "keep", "login"]
    assert ["admin_passwords" in call for call in asked] == [True, True, False, True, False]


BASELINE = Baseline(min_length=8, min_classes=3, max_days=90)


def test_declared_administrator_goes_last_of_its_kind() -> None:
    at = {"admin": "keeper"}
    names = ["keeper", "default", "shop"]
    declared: list[Any] = [{"account": name, "target": "redis", "at": at} for name in names]
    declared += [{"account": "default", "target": "redis", "scope": "cache"}, "ops", "keeper"]
    order = connection_last(declared_accounts("app1", declared, BASELINE), ["ops"])
    assert [str(one.secret) for one in order] == [
        *("app1/redis/default", "app1/redis/shop", "app1/linux/keeper"),
        *("app1/redis/keeper", "cache/redis/default", "app1/linux/ops"),
    ]


@pytest.mark.parametrize(
    "at",
    [{"port": 0}, {"socket": "redis.sock"}, {"port": 6379, "socket": "/run/redis.sock"}, {"admin": ""}, {"tls": True}],
)
def test_declared_place_that_is_none_is_refused(at: dict[str, Any]) -> None:
    with pytest.raises(PanshiError, match="PS-E7007"):
        declared_accounts("app1", [{"account": "shop", "target": "redis", "at": at}], BASELINE)


def test_administrator_is_tried_with_what_the_store_knows_now_and_the_proven_one_first() -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    known: dict[str, str] = {}

    class Host:
        def ask(self, module: str, /, **arguments: Any) -> dict[str, Any]:
            asked.append((module, arguments))
            return {"state": "on", "which": "", "accepted": True, "detail": ""}

        def known(self, secret: SecretId) -> dict[str, str]:
            assert secret == SecretId("app1", "redis", "keeper")
            return known

    declared = [{"account": "shop", "target": "redis", "at": {"admin": "keeper", "socket": "/run/redis.sock"}}]
    (one,) = declared_accounts("app1", declared, BASELINE)
    target = KINDS["redis"].make(one, Entry(one.secret), Host())  # type: ignore[arg-type]
    target.set("value")
    known.update(pending="new", current="now", previous="old")
    target.set("value")
    target.prove("value")
    assert [name for name, _ in asked] == ["panshi_redis"] * 3
    assert [arguments.get("admin_passwords") for _, arguments in asked] == [[], ["now", "new", "old"], None]
    assert all(arguments["socket"] == "/run/redis.sock" for _, arguments in asked)
