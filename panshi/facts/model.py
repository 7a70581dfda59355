"""The collected document of one host and the only way to look into it.

Every look is traced, so a verdict can name exactly the evidence it stands on; a look at something that was not
collected raises :class:`FactMissing`, which the engine turns into status ``error``, never into a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


class FactMissing(Exception):
    """A check needed an item that the collector did not bring; the text says which and why (Chinese)."""


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of evidence: a command that was run or a file that was read on the target.

    Args:
        id: ``theme.name`` for commands, ``file:<path>`` for files.
        cmd: what was run or read, as a person would type it.
        out: standard output or file content (masked and stripped of secrets on the target), possibly truncated.
        err: standard error, or why a file could not be read.
        rc: return code; 0 for a file that was read; 127 when a program is absent; 124 when the time was up.
        at: UTC time of the reading, ISO 8601.
        ms: duration in milliseconds.
        truncated: whether ``out`` was cut at the size limit.
        stat: for files: type (file|dir|link|other), mode ("0644"), owner, group, uid, gid, size (bytes),
            mtime (unix seconds) and, for links, target.
    """

    id: str
    cmd: str
    out: str = ""
    err: str = ""
    rc: int = 0
    at: str = ""
    ms: int = 0
    truncated: bool = False
    stat: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the command succeeded or the file was read."""
        return self.rc == 0

    @property
    def absent(self) -> bool:
        """Whether the program that would have answered does not exist on the host."""
        return self.rc == 127

    def lines(self) -> list[str]:
        """Return the non-empty lines of the output, stripped at the right end."""
        return [line.rstrip() for line in self.out.splitlines() if line.strip()]


class Facts:
    """One host's document (``docs/design.md``, section "Facts") with traced, fail-loud access.

    Args:
        document: the JSON object that a collector printed.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.items: dict[str, Item] = {key: Item(id=key, **value) for key, value in document["items"].items()}
        self._globs: list[str] = list(document.get("globs", []))
        self._trace: list[str] | None = None

    @contextmanager
    def trace(self) -> Iterator[list[str]]:
        """Record the ids of the items looked at inside the block, in order, without doubles."""
        outer, self._trace = self._trace, []
        try:
            yield self._trace
        finally:
            self._trace = outer

    def _seen(self, item_id: str) -> None:
        if self._trace is not None and item_id not in self._trace:
            self._trace.append(item_id)

    def has(self, item_id: str) -> bool:
        """Return whether the item was collected, without tracing it."""
        return item_id in self.items

    def item(self, item_id: str) -> Item:
        """Return an item, traced.

        Raises:
            FactMissing: when the collector did not bring it, or its time was up.
        """
        self._seen(item_id)
        found = self.items.get(item_id)
        if found is None:
            skipped = (one["why"] for one in self.document.get("skipped", ()) if one["id"] == item_id)
            raise FactMissing("：".join([f"采集结果中没有 {item_id}", *skipped]))
        if found.rc == 124:
            raise FactMissing(f"{item_id} 在目标主机上超时：{found.cmd}")
        return found

    def out(self, item_id: str) -> str:
        """Return the output of a command that must have succeeded.

        Raises:
            FactMissing: when it was not collected, its program is absent, or it failed.
        """
        found = self.item(item_id)
        if not found.ok:
            raise FactMissing(f"{found.cmd} 返回 {found.rc}：{found.err.strip()[:160] or '无输出'}")
        return found.out

    def file(self, path: str) -> Item | None:
        """Return a file item, or None when the file is known to be absent on the host.

        Raises:
            FactMissing: when the path was never looked for, or exists and could not be read.
        """
        item_id = f"file:{path}"
        self._seen(item_id)
        found = self.items.get(item_id)
        if found is None:
            if any(fnmatchcase(path, pattern) for pattern in self._globs):
                return None
            raise FactMissing(f"采集程序没有查找过文件 {path}")
        if not found.ok:
            raise FactMissing(f"文件 {path} 未能读取：{found.err}")
        return found

    def text(self, path: str) -> str:
        """Return the text of a file, or "" when it is known to be absent."""
        found = self.file(path)
        return found.out if found is not None else ""

    def glob(self, pattern: str) -> list[Item]:
        """Return the file items whose path matches the pattern, sorted by path, all traced."""
        found = [i for k, i in sorted(self.items.items()) if k.startswith("file:") and fnmatchcase(k[5:], pattern)]
        for item in found:
            self._seen(item.id)
        return found

    @property
    def family(self) -> str:
        """Return ``debian`` or ``rpm`` by the package manager that answered, else ``unknown``."""
        for name, item_id in (("debian", "pkg.dpkg"), ("rpm", "pkg.rpm")):
            found = self.items.get(item_id)
            if found is not None and found.ok and found.out.strip():
                return name
        return "unknown"

    @property
    def is_container(self) -> bool:
        """Return whether the host shares its kernel (systemd-detect-virt --container), traced."""
        return self.item("host.container").out.strip() not in ("", "none")
