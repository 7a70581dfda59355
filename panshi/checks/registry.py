"""The register of written checks; an id of the catalogue that is not in it is ``planned``."""

from __future__ import annotations

from collections.abc import Callable

from panshi.controls.params import Params
from panshi.facts import Facts
from panshi.verdict import Verdict

CheckFunction = Callable[[Facts, Params], Verdict]
CHECKS: dict[str, CheckFunction] = {}


def check(check_id: str) -> Callable[[CheckFunction], CheckFunction]:
    """Register a function as the check ``check_id`` of the catalogue.

    Args:
        check_id: for example ``linux-pw-minlen``.

    Raises:
        ValueError: when two functions claim one id.
    """

    def register(function: CheckFunction) -> CheckFunction:
        if check_id in CHECKS:
            raise ValueError(f"check {check_id} is registered twice")
        CHECKS[check_id] = function
        return function

    return register
