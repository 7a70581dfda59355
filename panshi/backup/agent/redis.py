"""A Redis server, asked by its own protocol: no password is in an argument or in an environment."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Union

from .errors import BackupError
from .settings import Redis

_SECONDS = 60
Word = Union[bytes, str, int]


class Refused(BackupError):
    """What the server answered instead of doing it; ``said`` is its own word."""

    def __init__(self, said: str) -> None:
        super().__init__("PS-E7485", f"Redis：{said[:300]}", "按它的提示处理（账户、权限、配置）后重做")
        self.said = said


class Connection:
    """An open connection.

    Args:
        wire: socket on which the server answers.
    """

    def __init__(self, wire: socket.socket) -> None:
        self._wire, self._answers = wire, wire.makefile("rb")

    def ask(self, *words: Word) -> Any:
        """Send a command and return its answer: bytes, int, None, or a list of such.

        Raises:
            Refused: PS-E7485, the server's error.
        """
        (answer,) = self.all([words])
        if isinstance(answer, Refused):
            raise answer
        return answer

    def all(self, commands: list[tuple[Word, ...]]) -> list[Any]:
        """Send commands in one go, and return the answers; one that the server refuses is a ``Refused``."""
        try:
            self._wire.sendall(b"".join(_encoded(words) for words in commands))
            return [self._answer() for _ in commands]
        except (OSError, ValueError) as error:
            raise _lost(str(error)) from error

    def text(self, *words: Word) -> str:
        """Return the answer as text."""
        return str(self.ask(*words).decode("utf-8", "replace"))

    def setting(self, name: str) -> str:
        """Return one setting of the running server."""
        told = self.ask("CONFIG", "GET", name)
        return str(told[1].decode("utf-8", "surrogateescape")) if len(told) > 1 else ""

    def about(self, section: str) -> dict[str, str]:
        """Return a section of INFO."""
        return pairs(self.ask("INFO", section))

    def _answer(self) -> Any:
        line = self._answers.readline()
        if not line.endswith(b"\r\n"):
            raise ValueError("连接被关闭" if not line else "回答不是 Redis 的协议")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            return Refused(rest.decode("utf-8", "replace"))
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._bytes(int(rest))
        if kind == b"*":
            return None if rest == b"-1" else [self._answer() for _ in range(int(rest))]
        raise ValueError("回答不是 Redis 的协议")

    def _bytes(self, size: int) -> bytes:
        found = self._answers.read(size + 2)
        if len(found) != size + 2:
            raise ValueError("连接被关闭")
        return found[:-2]


def pairs(info: bytes) -> dict[str, str]:
    """Return the lines ``name:value`` of an INFO."""
    lines = (line.partition(":") for line in info.decode("utf-8", "replace").splitlines())
    return {name: value for name, mark, value in lines if mark}


@contextmanager
def connected(about: Redis) -> Iterator[Connection]:
    """Connect and log in.

    Raises:
        BackupError: PS-E7485, it does not answer or does not let the account in.
    """
    try:
        password = Path(about.password_file).read_text(encoding="utf-8").strip() if about.password_file else ""
        wire = _wire(about)
    except OSError as error:
        raise _lost(str(error)) from error
    with wire:
        server = Connection(wire)
        if password:
            # The form with a name is of Redis 6; before, there was one account.
            server.ask("AUTH", *([] if about.user == "default" else [about.user]), password)
        server.ask("PING")
        yield server


def _wire(about: Redis) -> socket.socket:
    if about.socket:
        wire = socket.socket(socket.AF_UNIX)
        wire.settimeout(_SECONDS)
        wire.connect(about.socket)
        return wire
    return socket.create_connection(("127.0.0.1", about.port), _SECONDS)


def _encoded(words: tuple[Word, ...]) -> bytes:
    raw = [word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in raw)


def _lost(why: str) -> BackupError:
    return BackupError(
        "PS-E7485", f"Redis 没有回答：{why}", "确认它在运行、backup_redis 的套接字或端口与账户正确后重做"
    )
