"""A Redis is asked by its protocol, measured, and held against its measure; here it is emulated."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from panshi.backup.agent import redis_backup, redis_mark
from panshi.backup.agent.errors import BackupError
from panshi.backup.agent.redis import Connection, connected
from panshi.backup.agent.settings import Redis

INFO = b"# Persistence\r\nrdb_changes_since_last_save:%d\r\n# Keyspace\r\ndb0:keys=%d,expires=1,avg_ttl=9\r\n"


class Emulated:
    """A server that knows strings, sets and hashes in database 0, and refuses every other command loudly."""

    def __init__(self, data: dict[bytes, Any], password: str = "") -> None:
        self.data, self.password, self.asked, self.busy = data, password, list[tuple[bytes, ...]](), 0
        self.ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        with wire, wire.makefile("rb") as asked:
            while line := asked.readline():
                words = []
                for _ in range(int(line[1:])):
                    size = int(asked.readline()[1:])
                    words.append(asked.read(size + 2)[:-2])
                self.asked.append(tuple(words))
                wire.sendall(_told(self._answer(*words)))

    def _answer(self, name: bytes, *words: bytes) -> Any:
        key = self.data.get(words[0]) if words else None
        kind = {bytes: b"string", set: b"set", dict: b"hash", type(None): b"none"}.get(type(key), b"")
        if name == b"INFO":
            return INFO % (0, len(self.data))
        if name == b"BGSAVE" and self.busy:
            self.busy -= 1
            return ValueError("ERR Background save already in progress")
        if name == b"SCAN":
            return [b"0", list(self.data)]
        if name == b"SMEMBERS" and isinstance(key, set):
            return list(key)
        if name == b"HGETALL" and isinstance(key, dict):
            return [part for pair in key.items() for part in pair]
        known = {b"SELECT": b"OK", b"BGSAVE": b"Background saving started", b"TYPE": kind, b"PTTL": -1, b"GET": key}
        if name in (b"STRLEN", b"SCARD", b"HLEN"):
            return len(key or ())
        return known.get(name, ValueError(f"ERR emulated server does not know {name!r}"))


def _told(answer: Any) -> bytes:
    if isinstance(answer, ValueError):
        return b"-%b\r\n" % str(answer).encode()
    if isinstance(answer, int):
        return b":%d\r\n" % answer
    if isinstance(answer, list):
        return b"*%d\r\n" % len(answer) + b"".join(map(_told, answer))
    return b"$-1\r\n" if answer is None else b"$%d\r\n%b\r\n" % (len(answer), answer)


DATA: dict[bytes, Any] = {b"a": b"one", b"\xff\r\n": b"\x00\r\n", b"tags": {b"x", b"y"}, b"h": {b"k": b"v", b"l": b"w"}}


@pytest.fixture
def server() -> Iterator[tuple[Connection, Emulated]]:
    emulated = Emulated(dict(DATA))
    with emulated.ours:
        yield Connection(emulated.ours), emulated


def test_emulated_server_refuses_what_it_does_not_emulate(server: tuple[Connection, Emulated]) -> None:
    with pytest.raises(BackupError) as caught:
        server[0].ask("FLUSHALL")
    assert caught.value.code == "PS-E7485" and "does not know" in caught.value.message


def test_emulated_measure_of_any_bytes_comes_back_from_json(server: tuple[Connection, Emulated]) -> None:
    keys = redis_mark.sampled(server[0], 100)
    assert [one.name.encode("latin-1") for one in keys] == list(DATA)
    mark = redis_mark.Mark({"0": (4, 1)}, tuple(keys))
    assert redis_mark.read_mark(mark.as_json()) == mark
    assert redis_mark.compare(mark, server[0], 0) == redis_mark.Compared(4, 0, 0, ())


def test_emulated_sample_is_bounded(server: tuple[Connection, Emulated]) -> None:
    assert len(redis_mark.sampled(server[0], 2)) == 2


@pytest.mark.parametrize(
    ("key", "value", "differ", "counts"),
    [(b"a", b"onf", 1, 0), (b"tags", {b"x"}, 1, 0), (b"h", {b"k": b"w", b"l": b"v"}, 1, 0), (b"new", b"", 0, 1)],
    ids=["a byte", "a member less", "values changed round", "a key more"],
)
def test_emulated_other_content_is_found(
    server: tuple[Connection, Emulated], key: bytes, value: Any, differ: int, counts: int
) -> None:
    mark = redis_mark.Mark({"0": (4, 1)}, tuple(redis_mark.sampled(server[0], 100)))
    server[1].data[key] = value
    done = redis_mark.compare(mark, server[0], 0)
    assert (done.differ, len(done.counts)) == (differ, counts)


def test_emulated_key_that_is_gone_differs_and_one_that_has_expired_says_nothing(
    server: tuple[Connection, Emulated],
) -> None:
    keys = redis_mark.sampled(server[0], 100)
    ended = redis_mark.Key(0, "session", "x", until=50)
    del server[1].data[b"a"]
    done = redis_mark.compare(redis_mark.Mark({"0": (4, 1)}, (*keys, ended)), server[0], 51)
    assert (done.same, done.differ, done.expired) == (3, 1, 1)
    assert done.counts == (("0", (4, 1), (3, 1)),)


def test_parsed_key_that_somebody_changed_meanwhile_is_no_measure() -> None:
    one, other = redis_mark.Key(0, "a", "1", 0), redis_mark.Key(0, "b", "1", 0)
    assert redis_mark.same([one, other], [one, redis_mark.Key(0, "b", "2", 0)]) == (one,)


def test_parsed_order_of_a_set_is_none_and_that_of_a_list_is_one() -> None:
    assert redis_mark.digest(b"set", [b"x", b"y"]) == redis_mark.digest(b"set", [b"y", b"x"])
    assert redis_mark.digest(b"list", [b"x", b"y"]) != redis_mark.digest(b"list", [b"y", b"x"])


def test_emulated_snapshot_waits_for_one_that_the_server_makes_by_itself(server: tuple[Connection, Emulated]) -> None:
    server[1].busy = 2
    assert redis_backup._begun(server[0], float("inf")) == {"0": (4, 1)}
    assert [words[0] for words in server[1].asked].count(b"BGSAVE") == 3


def test_emulated_snapshot_that_was_written_into_is_no_measure(
    server: tuple[Connection, Emulated], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = iter(range(100))
    monkeypatch.setattr(Emulated, "_answer", lambda self, name: INFO % (next(changes), 1) if name == b"INFO" else b"OK")
    with pytest.raises(BackupError) as caught:
        redis_backup._begun(server[0], 0)
    assert caught.value.code == "PS-E7486" and "总有写入" in caught.value.message


def test_real_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    for about in (Redis(socket=str(tmp_path / "sock")), Redis(password_file=str(tmp_path / "none"))):
        with pytest.raises(BackupError) as caught, connected(about):
            pass
        assert caught.value.code == "PS-E7485" and "\n" not in str(caught.value)
