"""Where a host's backups go, for the role ``backup``: the same answer that restores are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from panshi.backup.order import places


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"backup_places": places}
