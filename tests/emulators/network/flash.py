"""What a device keeps when it is switched off: its host key and the configuration that it has saved, in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import asyncssh


@dataclass(frozen=True)
class Flash:
    """A device's flash memory; a device without one begins anew each time.

    Args:
        folder: of this device alone; made when something is kept.
    """

    folder: Path

    def startup(self) -> str | None:
        """Return the saved configuration; None when the device has never been here before."""
        path = self.folder / "startup.cfg"
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def save(self, text: str) -> None:
        """Keep a configuration, whole or not at all."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.folder / ".startup.cfg"
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o600)
        fresh.replace(self.folder / "startup.cfg")

    def host_key(self, kind: str, **options: int) -> asyncssh.SSHKey:
        """Return the device's own key of a kind; made once."""
        path = self.folder / f"{kind}.key"
        if not path.is_file():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            asyncssh.generate_private_key(kind, **options).write_private_key(path)
        return asyncssh.read_private_key(path)
