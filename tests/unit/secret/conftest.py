"""A store in a folder, and an account that is a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible.parsing.vault import VaultSecret

from panshi.errors import PanshiError
from panshi.secret import Entry, SecretId
from panshi.secret.model import Slot
from panshi.secret.policy import Policy
from panshi.secret.rotate import Answer, Order, PolicyRefusal
from panshi.secret.vault_file import VaultFiles

SECRET = SecretId("web1", "linux", "ops")
ORDER = Order(Policy(), "CHG-1", "run")
Hook = Callable[[str], None]


def vault(password: str = "of-the-estate") -> list[Any]:
    return [("default", VaultSecret(password.encode()))]


@contextmanager
def boundaries(calls: Iterable[tuple[Any, str]], hook: Hook) -> Iterator[None]:
    """Call the hook before and after each of these calls, with its name.

    Args:
        calls: whose they are, and their names there.
        hook: may raise, or end the process.
    """

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            hook(f"before {name}")
            result = real(*args, **kwargs)
            hook(f"after {name}")
            return result

        return call

    with ExitStack() as stack:
        for owner, name in calls:
            stack.enter_context(mock.patch.object(owner, name, watched(name, getattr(owner, name))))
        yield


@dataclass
class FileAccount:
    """A target whose password is the content of a file; ``rule`` is its own policy."""

    path: Path
    rule: str = ""
    keeps_old: str = ""

    @property
    def password(self) -> str:
        return self.path.read_text()

    def which(self, entry: Entry) -> Slot | None:
        return next((slot for slot, value in entry.known().items() if value == self.password), None)

    def set(self, value: str) -> None:
        if self.rule:
            raise PolicyRefusal(self.rule)
        new = self.path.with_name("new")
        new.write_text(value)
        new.replace(self.path)

    def prove(self, value: str) -> Answer:
        return Answer(value == self.password or (value != "" and value == self.keeps_old), "文件")

    def refused(self, value: str) -> Answer:
        return self.prove(value)


@dataclass
class DualAccount(FileAccount):
    """One that can have two passwords, a line each."""

    @property
    def password(self) -> str:
        return self.path.read_text().split("\n")[-1]

    def _write(self, *values: str) -> None:
        new = self.path.with_name("new")
        new.write_text("\n".join(values))
        new.replace(self.path)

    def which(self, entry: Entry) -> Slot | None:
        return next((slot for slot, value in entry.known().items() if self.works(value)), None)

    def works(self, value: str) -> bool:
        return value in self.path.read_text().split("\n")

    def set(self, value: str) -> None:
        self._write(self.password, value)

    def prove(self, value: str) -> Answer:
        return Answer(self.works(value), "文件")

    def retire(self, value: str) -> bool:
        if self.path.read_text() == value:
            return False
        self._write(value)
        return True


@dataclass
class FileDependent:
    """A client of an account, which keeps the password in a file of its own and logs in with it."""

    path: Path
    account: FileAccount
    broken: str = ""

    def __str__(self) -> str:
        return f"app1:{self.path.name}"

    @property
    def works(self) -> bool:
        return self.account.prove(self.path.read_text()).accepted

    def ready(self, known: Mapping[Slot, str]) -> None:
        if not self.path.exists():
            raise PanshiError("PS-E7013", f"{self.path.name} 不存在", "")

    def update(self, known: Mapping[Slot, str], value: str) -> Answer:
        if self.broken:
            raise PanshiError("PS-E7013", self.broken, "")
        new = self.path.with_name("new-of-client")
        new.write_text(value)
        new.replace(self.path)
        return Answer(self.works, "客户端")


@pytest.fixture
def store(tmp_path: Path) -> VaultFiles:
    return VaultFiles(tmp_path / "secrets", "bureau", vault())


@pytest.fixture
def account(tmp_path: Path) -> FileAccount:
    path = tmp_path / "account"
    path.write_text("from-the-installer")
    return FileAccount(path)
