"""How much of the catalogue is written: clauses × technologies, computed from the register of checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass

from panshi.controls.catalogue import Catalogue, Check

STATES = ("written", "planned", "evidence", "manual")


def state(check: Check, written: Container[str]) -> str:
    """Return ``written`` or ``planned`` for an auto check, else its mode.

    Args:
        check: of the catalogue.
        written: ids of the registered check functions.
    """
    if check.mode != "auto":
        return check.mode
    return "written" if check.id in written else "planned"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts of checks by clause and technology.

    Args:
        cells: (clause id, target) → state → number of checks.
        totals: target → state → number of checks.
    """

    cells: Mapping[tuple[str, str], Counter[str]]
    totals: Mapping[str, Counter[str]]


def coverage(catalogue: Catalogue, written: Container[str]) -> Coverage:
    """Count the checks of a catalogue by clause, technology and state."""
    cells: dict[tuple[str, str], Counter[str]] = {}
    totals: dict[str, Counter[str]] = {}
    for check in catalogue.checks.values():
        found = state(check, written)
        cells.setdefault((check.control, check.target), Counter())[found] += 1
        totals.setdefault(check.target, Counter())[found] += 1
    return Coverage(cells, totals)
