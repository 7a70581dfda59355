"""What a proof has seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .mark import Table

OBJECTS_ZH = {
    "views": "视图",
    "triggers": "触发器",
    "routines": "存储过程与函数",
    "events": "定时事件",
    "foreign_keys": "外键",
    "accounts": "账户",
}


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

    def compare(self, source: Table, found: Table | None) -> dict[str, Any]:
        """Hold a restored table against its source."""
        name = f"{source.database}.{source.name}"
        same = found is not None and (found.rows, found.checksum) == (source.rows, source.checksum)
        if found is None:
            self.find("PS-E7452", f"表 {name} 没有恢复出来")
        elif not same:
            # What is no transaction may have been written between its measuring and the position: not proven either.
            why = (
                ""
                if source.transactional
                else f"（{source.engine} 不是事务表，测量时有写入也会如此：避开写入后再备份）"
            )
            self.find(
                "PS-E7452",
                f"表 {name} 与来源不同：来源 {source.rows} 行、校验和 {source.checksum}，"
                f"恢复出 {found.rows} 行、{found.checksum}{why}",
            )
        return {
            "table": name,
            "engine": source.engine,
            "rows": [source.rows, found.rows if found else None],
            "checksum": [source.checksum, found.checksum if found else None],
            "same": same,
        }
