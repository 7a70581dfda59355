"""What a proof has seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Evidence:
    """What was seen; it is a proof where ``findings`` is empty."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, str]] = field(default_factory=list)
    database: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    dumps: list[dict[str, Any]] = field(default_factory=list)

    def find(self, code: str, message: str) -> None:
        """Add a finding."""
        self.findings.append({"code": code, "message": message})

    @contextmanager
    def step(self, name: str, *, restore: bool) -> Iterator[None]:
        """Time a step; ``restore``: an emergency would take this time as well."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.steps.append({"name": name, "seconds": round(time.monotonic() - began, 2), "restore": restore})
