"""Errors of the lab: codes PS-E2001 to PS-E2099, each with a page in docs/errors/."""

from __future__ import annotations

from collections.abc import Sequence

from panshi.errors import PanshiError


class LabError(PanshiError):
    """A failure of the lab that its user can act on."""


class LabErrors(Exception):
    """Several independent failures of one command; the others of its hosts went well.

    Args:
        errors: one per failed host or missing precondition, never empty.
    """

    def __init__(self, errors: Sequence[PanshiError]) -> None:
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = errors
