"""Which role, or which other job, brings each automatic check to pass: read from the roles themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Who does what.

    Args:
        roles: role by check id, from ``roles/<role>/meta/panshi.yml``.
        elsewhere: Chinese reason by check id, from ``panshi/harden/elsewhere.yml``.
        duplicates: check ids that more than one place claims.
    """

    roles: Mapping[str, str]
    elsewhere: Mapping[str, str]
    duplicates: tuple[str, ...] = ()


@cache
def load_coverage(root: Path = ROOT) -> Coverage:
    """Read the roles' lists and the list of what no role does."""
    text = (root / "panshi/harden/elsewhere.yml").read_text(encoding="utf-8")
    elsewhere: dict[str, str] = yaml.safe_load(text) or {}
    roles: dict[str, str] = {}
    duplicates = []
    for path in sorted(root.glob("roles/*/meta/panshi.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for check in document.get("checks", ()):
            if check in roles or check in elsewhere:
                duplicates.append(check)
            roles[check] = path.parents[1].name
    return Coverage(roles, elsewhere, tuple(duplicates))
