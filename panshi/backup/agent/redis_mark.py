"""What a Redis held when it was saved: the number of its keys, and the content of some or all of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .redis import Connection, pairs

# What is read of a key: its length first, and the content only where reading it does not stop the server for long.
_LONGEST = {b"string": 1 << 20}
_ELEMENTS = 10_000
_READ: Mapping[bytes, tuple[str, tuple[str, ...]]] = {
    b"string": ("STRLEN", ("GET",)),
    b"list": ("LLEN", ("LRANGE", "0", "-1")),
    b"hash": ("HLEN", ("HGETALL",)),
    b"set": ("SCARD", ("SMEMBERS",)),
    b"zset": ("ZCARD", ("ZRANGE", "0", "-1", "WITHSCORES")),
    b"stream": ("XLEN", ("XRANGE", "-", "+")),
}


@dataclass(frozen=True)
class Key:
    """A key as it was.

    Args:
        database: number.
        name: its bytes, as Latin 1.
        digest: of type and content.
        until: second (UTC) at which it expires, 0 without one.
    """

    database: int
    name: str
    digest: str
    until: int


@dataclass(frozen=True)
class Mark:
    """A Redis at one moment.

    Args:
        keys: number of keys, and of those that expire, by database.
        sample: keys that were the same before and after that moment.
    """

    keys: Mapping[str, tuple[int, int]]
    sample: tuple[Key, ...]

    @property
    def total(self) -> int:
        """Number of all keys."""
        return sum(keys for keys, _ in self.keys.values())

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)


def read_mark(raw: Mapping[str, Any]) -> Mark:
    """Return the mark that ``as_json`` gave."""
    keys = {str(name): (int(counts[0]), int(counts[1])) for name, counts in raw["keys"].items()}
    return Mark(keys, tuple(Key(**one) for one in raw["sample"]))


def counted(info: bytes) -> dict[str, tuple[int, int]]:
    """Return keys, and those that expire, by database, as ``INFO keyspace`` gives them."""
    found = {}
    for name, value in pairs(info).items():
        fields = dict(field.split("=", 1) for field in value.split(",") if "=" in field)
        if name.startswith("db") and "keys" in fields:
            found[name[2:]] = (int(fields["keys"]), int(fields.get("expires", 0)))
    return found


def sampled(server: Connection, most: int) -> list[Key]:
    """Read up to ``most`` keys of each database, in the order in which the server walks them."""
    return [
        one
        for number in sorted(map(int, counted(server.ask("INFO", "keyspace"))))
        for one in measured(server, number, _some(server, number, most))
    ]


def again(server: Connection, keys: tuple[Key, ...] | list[Key]) -> list[Key]:
    """Read the same keys once more; what is gone, or cannot be read, is left out."""
    return [
        one
        for number in sorted({key.database for key in keys})
        for one in measured(server, number, [key.name.encode("latin-1") for key in keys if key.database == number])
    ]


def measured(server: Connection, database: int, names: list[bytes]) -> Iterator[Key]:
    """Give the keys of these names that can be read; what is too long, or of a type of a module, is left out."""
    server.ask("SELECT", database)
    for name in names:
        kind, left = server.all([("TYPE", name), ("PTTL", name)])
        if kind not in _READ or not isinstance(left, int) or left == -2:
            continue
        length, words = _READ[kind]
        size = server.ask(length, name)
        if size <= _LONGEST.get(kind, _ELEMENTS):
            content = server.ask(words[0], name, *words[1:])
            until = 0 if left == -1 else int(time.time() + left / 1000)
            yield Key(database, name.decode("latin-1"), digest(kind, content), until)


def digest(kind: bytes, content: Any) -> str:
    """Return a digest that does not depend on the order in which a server happens to keep a set or a hash."""
    if kind == b"set":
        content = sorted(content)
    if kind == b"hash":
        content = sorted(zip(content[::2], content[1::2]))
    return hashlib.sha256(repr((kind, content)).encode()).hexdigest()[:32]


def same(before: list[Key], after: list[Key]) -> tuple[Key, ...]:
    """Return the keys that nobody has changed in between."""
    known = {(one.database, one.name): one.digest for one in after}
    return tuple(one for one in before if known.get((one.database, one.name)) == one.digest)


@dataclass(frozen=True)
class Compared:
    """A restored Redis held against the mark.

    Args:
        same: number of sampled keys that are the same.
        differ: number of those that are others, or not there.
        expired: number of those that have come to their end meanwhile: they say nothing.
        counts: databases whose numbers of keys are others: (database, of the source, restored).
    """

    same: int
    differ: int
    expired: int
    counts: tuple[tuple[str, tuple[int, int], tuple[int, int]], ...]


def compare(mark: Mark, server: Connection, now: float) -> Compared:
    """Hold a server against a mark.

    Args:
        mark: of the source.
        server: the restored one; it keeps keys that have come to their end, so that all of them are counted.
        now: the present, seconds.
    """
    keys = counted(server.ask("INFO", "keyspace"))
    names = sorted(mark.keys.keys() | keys.keys(), key=int)
    numbers = [(name, mark.keys.get(name, (0, 0)), keys.get(name, (0, 0))) for name in names]
    living = [one for one in mark.sample if not one.until or one.until > now]
    equal = len(same(living, again(server, living)))
    counts = tuple(row for row in numbers if row[1] != row[2])
    return Compared(equal, len(living) - equal, len(mark.sample) - len(living), counts)


def _some(server: Connection, database: int, most: int) -> list[bytes]:
    names: dict[bytes, None] = {}
    server.ask("SELECT", database)
    cursor = b"0"
    while len(names) < most:
        cursor, found = server.ask("SCAN", cursor, "COUNT", 500)
        names.update(dict.fromkeys(found))
        if cursor == b"0":
            break
    return list(names)[:most]
