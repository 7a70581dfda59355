"""Passwords: where they are kept, how they are made, and how they are changed without ever being lost."""

from panshi.secret.model import Entry, SecretId, Version

__all__ = ["Entry", "SecretId", "Version"]
