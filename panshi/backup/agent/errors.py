"""What can go wrong, said in one line with a code and what to do."""

from __future__ import annotations


class BackupError(Exception):
    """A backup, a copy, a restore or a proof that cannot go on.

    Args:
        code: of docs/errors.
        message: what happened (Chinese, one line).
        hint: what to do.
    """

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(f"[{code}] {message}。{hint}")
        self.code, self.message, self.hint = code, message, hint


def last_line(text: str) -> str:
    """Return the last line that says something, for a message of one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "没有输出"
