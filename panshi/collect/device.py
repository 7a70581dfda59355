"""One network device → one facts document, in the shape that hosts have: items with command, output, code and time.

Secrets stay here: outputs are masked by the platform's rule book before they become items, and the few things that a
check must know of a secret are told in its place (``net.communities``, ``net.unsaved``).
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml

from panshi.errors import PanshiError
from panshi.network.config import Node, differences, masked, parse
from panshi.network.session import Refused, Session
from panshi.network.session.platforms import platform_of

BASELINE, INSPECTION = "baseline", "inspection"
_COMMANDS = Path(__file__).with_name("devices.yml")
# Words that every scanner tries first.
_KNOWN = frozenset({"public", "private"})
_COMMUNITY = re.compile(
    r"^ *(?:snmp-agent community (?:read|write)|snmp-server community) +(?:(simple|cipher) +)?(\S+)", re.MULTILINE
)


@cache
def commands(purpose: str = BASELINE) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return what is asked, by platform and item: the commands of different models, in the order of trying."""
    table: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(_COMMANDS.read_text(encoding="utf-8"))
    return {
        platform: {item: [said] if isinstance(said, str) else said for item, said in items.items()}
        for platform, items in table[purpose].items()
    }


# Tells of a running and a saved configuration how old their copy elsewhere is; None where nobody keeps such copies.
Backup = Callable[[str, str], str | None]


def read_device(
    session: Session, budget: float, most: int, purpose: str = BASELINE, backup: Backup = lambda *_: None
) -> dict[str, Any]:
    """Return the facts of a device that somebody is logged in to.

    Args:
        session: open.
        budget: seconds after which nothing more is asked; what is left out is in ``skipped``.
        most: characters of one output that are kept.
        purpose: ``baseline``, which needs the configurations, or ``inspection``, which does not.
        backup: asked with the configurations; its answer becomes ``net.backup``.

    Raises:
        PanshiError: PS-E8131 nobody knows what to ask this platform; the running configuration cannot be read (codes
            of the session layer), without which nothing is known.
    """
    platform = session.device.platform
    if platform not in commands(purpose):
        raise PanshiError(
            "PS-E8131",
            f"设备 {session.device.name} 的平台 {platform} 没有基线与巡检的读法",
            f"能读的：{'、'.join(commands(purpose))}；其他的从 panshi_targets 去掉 network_device，人工核查",
        )
    return _Reading(session, budget, most, backup).document(purpose)


class _Reading:
    def __init__(self, session: Session, budget: float, most: int, backup: Backup) -> None:
        self._session = session
        self._backup = backup
        self._platform = session.device.platform
        self._until = time.monotonic() + budget
        self._most = most
        self._items: dict[str, dict[str, Any]] = {}
        self._skipped: list[dict[str, str]] = []

    def document(self, purpose: str) -> dict[str, Any]:
        started, began = _now(), time.monotonic()
        self._tell("net.session", "ssh", _lines(self._session.algorithms))
        if purpose == BASELINE:
            self._configurations()
        for item, known in commands(purpose)[self._platform].items():
            self._first(item, known)
        return {
            "schema": 1,
            "collector": "network",
            "version": "1",
            "hostname": self._session.name,
            "platform": self._platform,
            "started": started,
            "ms": round((time.monotonic() - began) * 1000),
            "globs": [],
            "skipped": self._skipped,
            "items": self._items,
        }

    def _configurations(self) -> None:
        shows = platform_of(self._platform, self._session.device.name)
        running = self._timed("net.running", shows.running, self._session.running)
        self._tell("net.communities", shows.running, communities(running))
        self._try("net.unsaved", f"{shows.running} / {shows.startup}", lambda: self._unsaved(running))

    def _first(self, item: str, known: Sequence[str]) -> None:
        """Ask by the commands of different models until one is not refused; the last refusal is kept."""
        for command in known:
            self._try(item, command, partial(self._session.read, command))
            if not self._items.get(item, {}).get("rc"):
                return

    def _unsaved(self, running: str) -> str:
        saved = self._session.startup()
        if (told := self._backup(running, saved)) is not None:
            self._tell("net.backup", "配置备份的历史", told)
        before = parse(saved, self._platform) if saved else Node("")
        return differences(before, parse(running, self._platform), self._platform)

    def _try(self, item: str, command: str, read: Callable[[], str]) -> None:
        """Read an item; what the device refuses is an item too, what the session cannot give is left out."""
        if time.monotonic() > self._until:
            self._skipped.append({"id": item, "why": "时间用尽"})
            return
        try:
            self._timed(item, command, read)
        except Refused as refused:
            self._items[item] = {"cmd": command, "out": "", "err": refused.output, "rc": 1, "at": _now()}
        except PanshiError as error:
            self._skipped.append({"id": item, "why": f"[{error.code}] {error.message}"})

    def _timed(self, item: str, command: str, read: Callable[[], str]) -> str:
        at, began = _now(), time.monotonic()
        text = read()
        self._tell(item, command, text, at=at, ms=round((time.monotonic() - began) * 1000))
        return text

    def _tell(self, item: str, command: str, text: str, **fields: Any) -> None:
        out = masked(text, self._platform)
        cut = len(out) > self._most
        self._items[item] = {"cmd": command, "out": out[: self._most], "rc": 0, "truncated": cut, **fields}


def communities(running: str) -> str:
    """Return a line per SNMP community of a configuration, in its order: place, and known, other or hidden.

    Args:
        running: before it is masked. The words themselves are not in the answer.
    """
    rows = []
    for place, found in enumerate(_COMMUNITY.finditer(running), 1):
        word = found[2].strip('"').lower()
        state = "hidden" if found[1] == "cipher" else "known" if word in _KNOWN else "other"
        rows.append(f"{place} {state}\n")
    return "".join(rows)


def _lines(pairs: Mapping[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in pairs.items())


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
