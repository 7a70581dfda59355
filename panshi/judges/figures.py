"""What an outside judge says about a host, and where it is kept: ``records/<estate>/judges/<run>/figures.json``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from panshi.errors import PanshiError
from panshi.record import safe_name

FILE = "figures.json"
SCHEMA = 1
Phase = Literal["before", "after"]
PHASE_ZH: dict[str, str] = {"before": "加固前", "after": "加固后"}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that a judge would have otherwise.

    Args:
        id: the judge's own name of the test, with what it is about behind a colon where one test has many.
        text: the judge's words.
        severity: the judge's own word; empty where it has none.
    """

    id: str
    text: str
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one judge says about one host.

    Args:
        judge: ``lynis``, ``openscap`` or ``ssh-audit``.
        host: name in the inventory.
        version: of the judge, and of its rules where they have one of their own.
        os: of the host, as the host says.
        profile: which rules were asked; empty where the judge has only one set.
        why: why the judge gave no figures, in Chinese; empty when it did.
        index: the judge's own mark out of 100; None where it gives none.
        passed: tests passed; None where the judge does not count them.
        failed: tests failed, or algorithms refused.
        not_applicable: tests that the judge found not to apply.
        seconds: wall time.
        complaints: in the judge's order.
    """

    judge: str
    host: str
    version: str = ""
    os: str = ""
    profile: str = ""
    why: str = ""
    index: int | None = None
    passed: int | None = None
    failed: int | None = None
    not_applicable: int | None = None
    seconds: float = 0.0
    complaints: tuple[Complaint, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether the judge gave figures."""
        return not self.why


@dataclass(frozen=True, slots=True)
class Judgement:
    """All figures of one asking. ``run`` is an id like that of a record; ``time`` is UTC, ISO 8601."""

    run: str
    estate: str
    phase: str
    time: str
    figures: tuple[Figure, ...]


def folder(records: Path, estate: str, run: str) -> Path:
    """Return the folder of one asking."""
    return records / safe_name(estate) / "judges" / safe_name(run)


def save(records: Path, judgement: Judgement) -> Path:
    """Write a judgement, readable by its owner only, and return its file.

    Raises:
        PanshiError: PS-E4203 when it cannot be written.
    """
    place = folder(records, judgement.estate, judgement.run)
    text = json.dumps({"schema": SCHEMA, **asdict(judgement)}, ensure_ascii=False, indent=1, sort_keys=True)
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = place / f".{FILE}.{os.getpid()}"
        draft.write_text(f"{text}\n", encoding="utf-8")
        draft.chmod(0o600)
        draft.replace(place / FILE)
    except OSError as error:
        raise PanshiError("PS-E4203", f"无法写入 {place}：{error.strerror}", "确认记录目录可写后重试") from error
    return place / FILE


def load(file: Path) -> Judgement:
    """Read a judgement.

    Raises:
        PanshiError: PS-E4204 when it is not one of this version.
    """
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if document.pop("schema") != SCHEMA:
            raise ValueError("schema")
        figures = tuple(_figure(one) for one in document.pop("figures"))
        return Judgement(figures=figures, **document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PanshiError("PS-E4204", f"{file} 不是本版本的评判结果：{error}", "重新执行 panshi judges") from error


def around(records: Path, estate: str, time: str) -> tuple[Judgement | None, Judgement | None]:
    """Return the last judgement ``before`` and the first ``after`` a moment (UTC, ISO 8601)."""
    found = [load(file) for file in sorted((records / safe_name(estate) / "judges").glob(f"*/{FILE}"))]
    before = [one for one in found if one.phase == "before" and one.time <= time]
    after = [one for one in found if one.phase == "after" and one.time > time]
    return (before[-1] if before else None), (after[0] if after else None)


def only_hosts(judgement: Judgement | None, hosts: Sequence[str]) -> Judgement | None:
    """Return the figures of some hosts."""
    if judgement is None:
        return None
    return replace(judgement, figures=tuple(one for one in judgement.figures if one.host in hosts))


def _figure(document: dict[str, Any]) -> Figure:
    complaints = tuple(Complaint(**one) for one in document.pop("complaints"))
    return Figure(complaints=complaints, **document)
