"""Secrets out of everything that a session tells: its transcript, its errors (pure)."""

from __future__ import annotations

from panshi.network.config import MASK, masked, rule_book

# A shorter "secret" would hide half of every text; what is that short is told apart by the words before it.
_SHORTEST = 3


class Mask:
    """Hides known values anywhere, and unknown ones where the platform's rule book knows a secret to stand.

    Args:
        platform: of the device.
        values: secrets that are known from the beginning; empty ones are left out.
    """

    def __init__(self, platform: str, *values: str) -> None:
        self._platform = platform
        self._values: set[str] = set()
        self.learn(*values)

    def learn(self, *values: str) -> None:
        """Hide these values from now on."""
        self._values.update(value for value in values if len(value) >= _SHORTEST)

    def learn_from(self, line: str) -> None:
        """Hide from now on the secrets of a line that is going to be sent."""
        self.learn(*self._in(line))

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        if not text:
            return ""  # what most lines of a push are answered with
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, MASK)
        return masked(text, self._platform)

    def visible(self, line: str) -> str:
        """Return a line up to its first secret: the part of its echo that can be relied on."""
        return line[: min((line.find(value) for value in self._in(line)), default=len(line))]

    def _in(self, line: str) -> list[str]:
        return [found[1] for pattern in rule_book(self._platform).secrets for found in pattern.finditer(line)]
