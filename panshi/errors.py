"""One small family of errors: every failure a user can meet has a code, one line and a page in docs/errors/."""

from __future__ import annotations


class PanshiError(Exception):
    """A failure with a code, one clear line, and what to do next.

    Args:
        code: ``PS-Ennnn``; the page ``docs/errors/<code>.md`` explains it.
        message: one Chinese line that says what is wrong, naming the host, file or variable. Never a secret.
        hint: one Chinese line that says what to do next.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message.replace("\n", " ")
        self.hint = hint.replace("\n", " ")

    def __str__(self) -> str:
        """Return the one line that a user sees."""
        tail = f"；处理：{self.hint}" if self.hint else ""
        return f"[{self.code}] {self.message}{tail}（详见 docs/errors/{self.code}.md）"
