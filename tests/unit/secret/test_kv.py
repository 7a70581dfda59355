"""The KV version 2 back end against an emulated server that keeps versions and checks check-and-set."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hvac")

from panshi.errors import PanshiError
from panshi.secret import Entry, SecretId, Version
from panshi.secret.kv import KvStore
from panshi.secret.rotate import rotate

from .conftest import ORDER, SECRET, FileAccount

TOKEN = "emulated-token"
NEW = Version("v1", "Xy-canary-7", "2026-11-21T03:00:00Z", "CHG-1", "20 lower")


class Emulated(ThreadingHTTPServer):
    """Vault's HTTP interface as far as KV version 2 goes, mounted at ``secret``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kept: dict[str, list[dict[str, Any]]] = {}
        self.sealed = False


class Handler(BaseHTTPRequestHandler):
    server: Emulated

    def do_GET(self) -> None:
        if not self.allowed():
            return
        kind, _, path = self.path.removeprefix("/v1/secret/").partition("?")[0].partition("/")
        if kind == "metadata" or self.command == "LIST":
            self.names(path)
        elif path not in self.server.kept:
            self.answer(404, {"errors": []})
        else:
            versions = self.server.kept[path]
            self.answer(200, {"data": {"data": versions[-1], "metadata": {"version": len(versions)}}})

    do_LIST = do_GET

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.allowed():
            return
        path = self.path.removeprefix("/v1/secret/data/")
        versions = self.server.kept.setdefault(path, [])
        if body["options"].get("cas", len(versions)) != len(versions):
            text = "check-and-set parameter did not match the current version"
            self.answer(400, {"errors": [text]})
            return
        versions.append(body["data"])
        self.answer(200, {"data": {"version": len(versions)}})

    do_PUT = do_POST

    def names(self, path: str) -> None:
        inside = [one.removeprefix(f"{path}/") for one in self.server.kept if one.startswith(f"{path}/")]
        keys = sorted({one.split("/")[0] + "/" * ("/" in one) for one in inside})
        self.answer(200, {"data": {"keys": keys}}) if keys else self.answer(404, {"errors": []})

    def allowed(self) -> bool:
        if self.server.sealed:
            self.answer(503, {"errors": ["Vault is sealed"]})
        elif self.headers["X-Vault-Token"] != TOKEN:
            self.answer(403, {"errors": ["permission denied"]})
        else:
            return True
        return False

    def answer(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Emulated]:
    with Emulated() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def kv(server: Emulated, tmp_path: Path) -> KvStore:
    return declared(server, tmp_path, TOKEN)


def declared(server: Emulated, folder: Path, token: str) -> KvStore:
    (folder / "token").write_text(f"{token}\n")
    url = f"http://127.0.0.1:{server.server_port}"
    return KvStore.declared("bureau", {"url": url, "token_file": str(folder / "token")})


def test_emulated_what_was_written_is_read(kv: KvStore) -> None:
    assert kv.read(SECRET) == Entry(SECRET)
    written = kv.write(Entry(SECRET, pending=NEW))
    assert kv.read(SECRET) == written == Entry(SECRET, pending=NEW, revision=1)
    kv.check(["web1"])
    assert kv.names() == [SECRET]


def test_emulated_writer_that_did_not_see_the_newest_is_refused(kv: KvStore) -> None:
    kv.write(Entry(SECRET, pending=NEW))
    with pytest.raises(PanshiError, match="PS-E7005"):
        kv.write(Entry(SECRET, pending=NEW))


def test_emulated_rotation_keeps_every_step(kv: KvStore, account: FileAccount, server: Emulated) -> None:
    for _ in range(2):
        with kv.hold("web1"):
            rotate(kv, account, kv.read(SECRET), ORDER, lambda row: None)
    entry = kv.read(SECRET)
    assert entry.current is not None and entry.current.value == account.password and entry.pending is None
    (path,) = server.kept
    assert [bool(one["pending"]) for one in server.kept[path]] == [True, False, True, False]


def test_emulated_two_operators_at_once_set_the_same_password(kv: KvStore, account: FileAccount) -> None:
    """The second one reads between the first one's pending version and its promotion."""
    inner = []

    class Watched(FileAccount):
        def prove(self, value: str) -> Any:
            if not inner:
                inner.append(rotate(kv, account, kv.read(SECRET), ORDER, lambda row: None))
            return super().prove(value)

    with pytest.raises(PanshiError, match="PS-E7005"):
        rotate(kv, Watched(account.path), kv.read(SECRET), ORDER, lambda row: None)
    entry = kv.read(SECRET)
    assert entry.current is not None and entry.current.value == account.password and entry.pending is None


def test_emulated_token_without_permission_is_one_line(server: Emulated, tmp_path: Path) -> None:
    with pytest.raises(PanshiError, match="PS-E7002"):
        declared(server, tmp_path, "another").check(["web1"])


def test_emulated_sealed_store_is_one_line(kv: KvStore, server: Emulated) -> None:
    server.sealed = True
    for ask in (lambda: kv.check(["web1"]), lambda: kv.read(SECRET), lambda: kv.write(Entry(SECRET, pending=NEW))):
        with pytest.raises(PanshiError, match="PS-E7004") as told:
            ask()
        assert "\n" not in str(told.value) and NEW.value not in str(told.value)


def test_real_server_that_is_not_there_is_one_line(server: Emulated, tmp_path: Path) -> None:
    kv = declared(server, tmp_path, TOKEN)
    server.server_close()
    with pytest.raises(PanshiError, match="PS-E7004"):
        kv.read(SecretId("web1", "linux", "ops"))


def test_emulated_content_that_is_no_entry_is_damage(kv: KvStore, server: Emulated) -> None:
    server.kept["panshi/bureau/web1/linux.ops"] = [{"value": "Xy-canary-7"}]
    with pytest.raises(PanshiError, match="PS-E7003") as told:
        kv.read(SECRET)
    assert NEW.value not in str(told.value)


def test_missing_token_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PanshiError, match="PS-E7001"):
        KvStore.declared("bureau", {"url": "https://vault.example", "token_file": str(tmp_path / "none")})
