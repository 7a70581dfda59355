"""A store in a folder, and an account that is a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultSecret

from panshi.secret import Entry, SecretId
from panshi.secret.model import Slot
from panshi.secret.policy import Policy
from panshi.secret.rotate import Answer, Order, PolicyRefusal
from panshi.secret.vault_file import VaultFiles

SECRET = SecretId("web1", "linux", "ops")
ORDER = Order(Policy(), "CHG-1", "run")


def vault(password: str = "of-the-estate") -> list[Any]:
    return [("default", VaultSecret(password.encode()))]


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


@pytest.fixture
def store(tmp_path: Path) -> VaultFiles:
    return VaultFiles(tmp_path / "secrets", "bureau", vault())


@pytest.fixture
def account(tmp_path: Path) -> FileAccount:
    path = tmp_path / "account"
    path.write_text("from-the-installer")
    return FileAccount(path)
