"""Which apt sources the images are built from: the ones this machine itself uses."""

from __future__ import annotations

import os
from dataclasses import dataclass

from panshi.lab.process import CommandError, run

# Settings without which this machine's own apt would not reach or accept its sources.
_PASSED_OPTIONS = ("Acquire::http::", "Acquire::https::", "Acquire::Check-")


@dataclass(frozen=True)
class Mirror:
    """Where Debian and its security fixes come from; empty strings leave the choice to mmdebstrap.

    Attributes:
        debian: URI of the archive.
        security: URI of the security archive.
        options: apt.conf lines of this machine that reaching them may need.
    """

    debian: str = ""
    security: str = ""
    options: tuple[str, ...] = ()


def find_mirror() -> Mirror:
    """Read this machine's apt configuration; $PANSHI_LAB_MIRROR and $PANSHI_LAB_SECURITY_MIRROR take precedence."""
    try:
        fields = "$(REPO_URI)|$(ORIGIN)|$(LABEL)"
        targets = run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"], timeout=30)
        options = run(["apt-config", "dump"], timeout=30)
    except CommandError:
        targets = options = ""
    mirror = parse_mirror(targets, options)
    return Mirror(
        debian=os.environ.get("PANSHI_LAB_MIRROR", mirror.debian),
        security=os.environ.get("PANSHI_LAB_SECURITY_MIRROR", mirror.security),
        options=mirror.options,
    )


def parse_mirror(targets: str, options: str) -> Mirror:
    """Interpret ``apt-get indextargets`` (URI|origin|label per line) and ``apt-config dump``."""
    found: dict[str, str] = {}
    for line in targets.splitlines():
        uri, origin, label = line.split("|")
        if origin == "Debian" and uri.startswith(("http://", "https://")):
            found.setdefault(label, uri.rstrip("/"))
    return Mirror(
        debian=found.get("Debian", ""),
        security=found.get("Debian-Security", ""),
        options=tuple(
            line for line in options.splitlines() if line.startswith(_PASSED_OPTIONS) and not line.endswith(' "";')
        ),
    )


def sources(mirror: Mirror, suite: str) -> list[str]:
    """Return the lines of a sources.list with updates and security fixes; none if mmdebstrap shall choose."""
    if not mirror.debian:
        return []
    lines = [f"deb {mirror.debian} {suite} main", f"deb {mirror.debian} {suite}-updates main"]
    return lines + ([f"deb {mirror.security} {suite}-security main"] if mirror.security else [])
