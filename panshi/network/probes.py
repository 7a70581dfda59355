"""What must be true of a device after a change, written as data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from panshi.errors import PanshiError
from panshi.network.change import Probe
from panshi.network.look import only_reads
from panshi.network.session import Session

_KEYS = {"title", "command", "match"}


def probes_of(said: Iterable[Mapping[str, Any]]) -> list[Probe]:
    """Return probes.

    Args:
        said: each with ``command`` (one that only reads), ``match`` (regular expression that its output must contain),
            and perhaps ``title`` (Chinese).

    Raises:
        PanshiError: PS-E8073 one is not written well.
    """
    return [_probe(one) for one in said]


def _probe(said: Mapping[str, Any]) -> Probe:
    command, match = str(said.get("command", "")), str(said.get("match", ""))
    if not set(said) <= _KEYS or not match:
        raise _wrong(f"{dict(said)} 应为 {{title, command, match}}，后两项必填")
    if not only_reads(command):
        raise _wrong(f"“{command[:60]}”不是只读命令")
    try:
        pattern = re.compile(match, re.MULTILINE)
    except re.error as error:
        raise _wrong(f"{match} 不是正则表达式：{error}") from error

    def failing(session: Session) -> str:
        return "" if pattern.search(session.read(command)) else f"“{command}”的输出里没有 {match}"

    return Probe(str(said.get("title") or command), failing)


def _wrong(text: str) -> PanshiError:
    return PanshiError("PS-E8073", f"探测的写法不对：{text}", "写法见 docs/network-config.md；没有连接设备")
