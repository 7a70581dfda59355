"""What was said in a session, for the operator: one file for its owner alone, without secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from panshi.network.session.masking import Mask


class Transcript:
    """Appends to a file, reply by reply: what comes packet by packet could show a secret in two halves.

    Args:
        path: file; None writes nothing.
        mask: hides the secrets.
    """

    def __init__(self, path: Path | None, mask: Mask) -> None:
        self._mask = mask
        self._file: TextIO | None = None
        if path is not None:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            self._file = os.fdopen(descriptor, "w", encoding="utf-8")

    def write(self, prompt: str, line: str, output: str) -> None:
        """Write one line that was sent after a prompt, and what came of it."""
        if self._file is not None:
            text = self._mask.text(f"{prompt}{line}\n{output}".rstrip("\n"))
            self._file.write(f"{text}\n")
            self._file.flush()

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
