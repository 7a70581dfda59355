"""信封密码单: a page per break-glass account, to be printed, sealed and destroyed as a file (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from panshi.report.html import new_environment
from panshi.secret.declared import Declared
from panshi.secret.model import Version
from panshi.secret.policy import CLASSES

_GROUP = 4
_KINDS = {"lower": "小写", "upper": "大写", "digit": "数字", "symbol": "符号"}
# As people say them to each other.
_SIGNS = {
    "%": "百分号",
    "+": "加号",
    ",": "逗号",
    "-": "减号",
    ".": "句点",
    "=": "等号",
    "@": "at 号",
    "_": "下划线",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one page tells.

    Args:
        declared: the account.
        version: its current password.
        address: of the host.
    """

    declared: Declared
    version: Version
    address: str

    @property
    def number(self) -> str:
        """The number of the envelope: the id of the version, by which records name it too."""
        return self.version.id

    @property
    def until(self) -> str:
        """The last day on which it should lie in an envelope."""
        made = datetime.fromisoformat(self.version.when)
        return f"{made + timedelta(days=self.declared.max_age_days):%Y-%m-%d}"

    @property
    def groups(self) -> list[str]:
        """The password in short groups; they are set apart by space on paper, not by a character."""
        value = self.version.value
        return [value[start : start + _GROUP] for start in range(0, len(value), _GROUP)]

    @property
    def spelled(self) -> list[list[tuple[int, str, str]]]:
        """Every character with its place and its kind, in the same groups."""
        places = iter(range(1, len(self.version.value) + 1))
        return [[(next(places), sign, kind_of(sign)) for sign in group] for group in self.groups]


def kind_of(sign: str) -> str:
    """Return what a character is called; a space or a sign that no rule of ours makes is told by its number."""
    for name, title in _KINDS.items():
        if sign in CLASSES[name]:
            return _SIGNS.get(sign, title)
    return f"U+{ord(sign):04X}"


def render(sheets: Sequence[Sheet], *, estate: str, printed: datetime, by: str) -> str:
    """Return one self-contained HTML document, a page per account.

    Args:
        sheets: what the pages tell.
        estate: name.
        printed: when, UTC.
        by: who asked.
    """
    return (
        new_environment()
        .get_template("envelope.html.j2")
        .render(sheets=sheets, estate=estate, printed=f"{printed:%Y-%m-%dT%H:%M:%S}", by=by)
    )
