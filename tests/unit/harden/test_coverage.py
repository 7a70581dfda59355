"""Every automatic check of a written technology belongs to one role, or is said to be done elsewhere, and why."""

from __future__ import annotations

import re
from pathlib import Path

from panshi.controls import load_catalogue
from panshi.harden import load_coverage
from panshi.harden.coverage import ROOT

WRITTEN = ("linux", "mysql")
AUTO = {check.id for check in load_catalogue().checks.values() if check.mode == "auto" and check.target in WRITTEN}


def mentioned(role: Path) -> set[str]:
    """Return the check ids that a role's tasks and templates name."""
    files = [
        *role.glob("tasks/*.yml"),
        *role.glob("templates/*"),
        *role.glob("vars/*.yml"),
        *role.glob("defaults/*.yml"),
    ]
    found = re.findall(r"\b(?:linux|mysql)-[a-z0-9-]+", "\n".join(file.read_text(encoding="utf-8") for file in files))
    return set(found) & AUTO


def test_every_automatic_check_has_one_place() -> None:
    coverage = load_coverage()
    assert coverage.duplicates == ()
    assert sorted({*coverage.roles, *coverage.elsewhere} ^ AUTO) == []


def test_a_role_does_what_it_claims_and_claims_what_it_does() -> None:
    coverage = load_coverage()
    claimed = {(role, check) for check, role in coverage.roles.items()}
    done = {(role.name, check) for role in (ROOT / "roles").iterdir() for check in mentioned(role)}
    assert sorted(claimed - done) == []


def test_every_reason_is_a_sentence() -> None:
    assert [check for check, reason in load_coverage().elsewhere.items() if len(reason) < 8] == []
