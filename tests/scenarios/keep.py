"""Keep a part of a facts document as a recording: ``… collector … | python tests/scenarios/keep.py NAME PATTERN…``.

A recording for a few checks needs only the items that they look at; patterns are shell patterns over item ids.
"""

from __future__ import annotations

import json
import sys
from fnmatch import fnmatchcase

from record import HOSTS, compressed

# What the checks of 8.1.4.1 a) and b) look at.
IDENTITY = [
    "host.*",
    "sshd.*",
    "pam.modules",
    "account.*",
    "shell.*",
    "systemd.*",
    "grub.password",
    "fs.scan",
    "pkg.dpkg",
    "pkg.rpm",
    "file:/etc/pam.d/*",
    "file:/etc/security/*",
    "file:/etc/login.defs",
    "file:/etc/passwd",
    "file:/etc/group",
    "file:/etc/ssh/*",
    "file:/etc/profile*",
    "file:/etc/bash*",
    "file:/etc/csh*",
    "file:/etc/zsh/*",
    "file:/etc/dconf/*",
    "file:/etc/lightdm/*",
    "file:/etc/gdm*",
    "file:/etc/systemd/system/*",
    "file:/usr/lib/systemd/system/*",
]


def main(name: str, patterns: list[str]) -> None:
    """Read a document on standard input and write the recording."""
    document = json.load(sys.stdin)
    document["items"] = {
        key: item for key, item in document["items"].items() if any(fnmatchcase(key, pattern) for pattern in patterns)
    }
    (HOSTS / f"{name}.json.gz").write_bytes(compressed(document))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] or IDENTITY)
