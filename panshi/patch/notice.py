"""A security notice: which versions of which packages and Java libraries are affected, from whom, until when (pure)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from panshi.errors import PanshiError

_RANGE = re.compile(r"^\s*(<=|>=|==|<|>)\s*[\w.+:~-]+\s*(,\s*(<=|>=|==|<|>)\s*[\w.+:~-]+\s*)*$")
_HELP = "格式见 docs/runbook-patch.md"


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it was read.

    Args:
        id: short name, also in the record.
        source: the authority's own number.
        received: when it came, local time.
        deadline: when it has to be done, local time, or None.
        packages: ``name``, ``affected`` (ranges), ``fixed``.
        jars: ``product``, ``affected``, ``fixed``.
    """

    id: str
    source: str
    received: dt.datetime
    deadline: dt.datetime | None
    packages: Sequence[Mapping[str, Any]]
    jars: Sequence[Mapping[str, Any]]

    @property
    def about(self) -> dict[str, str]:
        """What a plan keeps of it; times in local time without a zone, ISO 8601, empty for no deadline."""
        deadline = self.deadline.isoformat(" ", "minutes") if self.deadline else ""
        received = self.received.isoformat(" ", "minutes")
        return {"id": self.id, "source": self.source, "received": received, "deadline": deadline}

    def hours(self, now: dt.datetime) -> float:
        """Return how long ago it came, in hours."""
        return round((now - self.received).total_seconds() / 3600, 1)


def load_notice(path: Path) -> Notice:
    """Read a notice.

    Raises:
        PanshiError: PS-E6201 not readable, PS-E6202 not understood.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PanshiError("PS-E6201", f"读不了通知 {path}：{error}", "用 -e notice=<文件> 指明通知文件") from error
    except yaml.YAMLError as error:
        raise PanshiError("PS-E6202", f"{path} 不是 YAML：{' '.join(str(error).split())[:200]}", _HELP) from error
    if not isinstance(document, Mapping):
        raise PanshiError("PS-E6202", f"{path} 不是通知", _HELP)
    if unknown := sorted(set(document) - {"id", "source", "received", "deadline", "packages", "jars", "note"}):
        raise PanshiError("PS-E6202", f"{path} 中没有约定的字段：{'、'.join(map(str, unknown))}", _HELP)
    packages = [_entry(path, one, "name") for one in _list(path, document, "packages")]
    jars = [_entry(path, one, "product") for one in _list(path, document, "jars")]
    if not packages and not jars:
        raise PanshiError("PS-E6202", f"{path} 既没有 packages 也没有 jars", _HELP)
    received = _time(path, "received", document.get("received"))
    if received is None:
        raise PanshiError("PS-E6202", f"{path} 缺少 received（收到通知的时间）", _HELP)
    identity = str(document.get("id") or path.stem)
    deadline = _time(path, "deadline", document.get("deadline"))
    return Notice(identity, str(document.get("source") or ""), received, deadline, packages, jars)


def _list(path: Path, document: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = document.get(key) or []
    if not isinstance(value, list):
        raise PanshiError("PS-E6202", f"{path} 的 {key} 应为列表", _HELP)
    return value


def _entry(path: Path, one: Any, key: str) -> dict[str, Any]:
    if not isinstance(one, Mapping) or not isinstance(one.get(key), str) or not one[key]:
        raise PanshiError("PS-E6202", f"{path}：{str(one)[:80]} 缺少 {key}", _HELP)
    ranges = one.get("affected")
    ranges = [ranges] if isinstance(ranges, str) else ranges
    if not isinstance(ranges, list) or not ranges or not all(isinstance(r, str) and _RANGE.match(r) for r in ranges):
        raise PanshiError("PS-E6202", f'{path}：{one[key]} 的 affected 应为版本范围，例如 ">=2.0,<2.17.1"', _HELP)
    return {key: one[key], "affected": ranges, "fixed": str(one.get("fixed") or "")}


def _time(path: Path, key: str, value: Any) -> dt.datetime | None:
    if not value:
        return None
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    try:
        return dt.datetime.fromisoformat(str(value))
    except ValueError as error:
        raise PanshiError(
            "PS-E6202", f"{path} 的 {key} = {value!r} 不是时间（写法 2026-11-21 09:00）", _HELP
        ) from error
