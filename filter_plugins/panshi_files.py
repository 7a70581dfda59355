"""Permissions that the catalogue limits, as steps of ``panshi_change``."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from panshi.collect.linux import scan_kinds


def scanned(text: str) -> dict[str, list[str]]:
    """Return paths by kind, from the output of ``roles/os_files/files/scan.sh``.

    The kinds are those of the audit's own walk (docs/design.md, ``fs.scan``), and ``cron`` and ``at``: accounts.
    """
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split(" ", 2)
        if words[0] in ("cron", "at"):
            found.setdefault(words[0], []).append(words[1])
        elif words[0] in ("f", "d"):
            for kind in scan_kinds(words[0], int(words[1], 8), True, words[2]):
                found.setdefault(kind, []).append(words[2])
    return {kind: sorted(set(names)) for kind, names in found.items()}


def homes(text: str, exceptions: Iterable[str]) -> list[str]:
    """Return the homes of people and root, from the same output, but for the accounts that are excepted."""
    allowed = set(exceptions)
    rows = [line.split(" ", 2) for line in text.splitlines() if line.startswith("home ")]
    return sorted({path for _, account, path in rows if account not in allowed})


def limit_steps(limits: Iterable[str], groups: Iterable[str], title: str, check: str) -> list[dict[str, Any]]:
    """Return one step per line ``path mode owner:group[,group]``; of the groups the first that the host has."""
    known = {*groups, "root"}
    steps = []
    for line in limits:
        path, mode, names = line.split()
        owner, _, alternatives = names.partition(":")
        group = next((name for name in alternatives.split(",") if name in known), owner)
        attributes = {"paths": [path], "max_mode": mode, "owner": owner, "group": group}
        steps.append({"title": f"{title}：{path}", "checks": [check], "attributes": attributes})
    return steps


def outside(paths: Iterable[str], baseline: Sequence[str]) -> list[str]:
    """Return the programs that no pattern of a baseline allows; /bin, /sbin and /lib count as /usr/…."""
    return [path for path in paths if not any(fnmatchcase(_merged(path), _merged(one)) for one in baseline)]


def literal(paths: Iterable[str]) -> list[str]:
    """Return paths as globs that match nothing but themselves."""
    return [glob.escape(path) for path in paths]


def _merged(path: str) -> str:
    return f"/usr{path}" if path.startswith(("/bin/", "/sbin/", "/lib/", "/lib64/")) else path


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {
            "scanned": scanned,
            "homes": homes,
            "limit_steps": limit_steps,
            "outside": outside,
            "literal": literal,
        }
