"""A service's file that holds the password of an account, as a dependent of its rotation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from panshi.errors import PanshiError
from panshi.secret.model import Slot
from panshi.secret.rotate import Answer

# Runs the module panshi_held on the file's host with these arguments and returns its result.
Ask = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class HeldInFile:
    """One file.

    Args:
        host: that it is on.
        path: of the file.
        options: of the declaration: which setting, what takes it up, what is probed.
        ask: the host.
    """

    host: str
    path: str
    options: Mapping[str, Any]
    ask: Ask

    def __str__(self) -> str:
        """Return where it is."""
        return f"{self.host}:{self.path}"

    def ready(self, known: Mapping[Slot, str]) -> None:
        """Refuse a file in which there is no place for the password."""
        why = self.ask(verb="look", path=self.path, known=known, **self.options)["why"]
        if why:
            raise PanshiError("PS-E7104", f"{self}：{why}", "改正 dependents（写明 key），或改正文件；没有改动任何目标")

    def update(self, known: Mapping[Slot, str], value: str) -> Answer:
        """Put it there, have the service take it, and probe."""
        told = self.ask(verb="update", path=self.path, known=known, password=value, **self.options)
        return Answer(not told["problem"], told["way"], told["problem"])
