"""Why a complaint of an outside judge is lived with, or that it is a defect of ours: one line each in accepted.yml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from panshi.errors import PanshiError

FILE = Path(__file__).parent / "accepted.yml"
ACCEPTED, DEFECT, UNLISTED = "接受", "缺陷", "未登记"


@dataclass(frozen=True, slots=True)
class Answer:
    """What we say to a complaint: 接受, 缺陷 or 未登记, and one line why."""

    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers by judge and pattern of complaint ids; an exact id goes before a pattern."""

    by_judge: Mapping[str, Mapping[str, Answer]]

    def to(self, judge: str, complaint: str) -> Answer:
        """Return our answer to a complaint."""
        own = self.by_judge.get(judge, {})
        if complaint in own:
            return own[complaint]
        found = (answer for pattern, answer in own.items() if fnmatchcase(complaint, pattern))
        return next(found, Answer(UNLISTED, "尚无结论，须判断是接受还是缺陷"))


def load_answers(file: Path = FILE) -> Answers:
    """Read the answers.

    Raises:
        PanshiError: PS-E4202 when an entry is not ``接受：why`` or ``缺陷：why``.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        return Answers({judge: {name: _answer(line) for name, line in own.items()} for judge, own in document.items()})
    except (OSError, yaml.YAMLError, ValueError, AttributeError) as error:
        raise PanshiError("PS-E4202", f"{file} 有误：{error}", "每条写“接受：理由”或“缺陷：理由”") from error


def _answer(line: object) -> Answer:
    kind, mark, why = str(line).partition("：")
    if kind not in (ACCEPTED, DEFECT) or not mark or not why.strip():
        raise ValueError(f"不认识的写法 {line!r}")
    return Answer(kind, why.strip())
