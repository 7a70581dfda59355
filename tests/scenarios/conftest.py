"""Import every written check once, so that the register is complete before the scenarios are collected."""

from __future__ import annotations

import panshi.checks.linux  # noqa: F401
import panshi.checks.mysql  # noqa: F401
import panshi.checks.network  # noqa: F401
