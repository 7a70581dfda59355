"""Checks: pure functions from facts to a verdict, registered by the id that the catalogue gives them."""

from panshi.checks.registry import CHECKS, CheckFunction, check

__all__ = ["CHECKS", "CheckFunction", "check"]
