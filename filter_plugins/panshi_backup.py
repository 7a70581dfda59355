"""Where a host's backups go, for the role ``backup``: the same answer that restores are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from panshi.backup.order import known_hosts, places
from panshi.secret.keys import public_line


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {
            "backup_places": places,
            "backup_known_hosts": known_hosts,
            "backup_public_key": public_line,
        }
