"""Passwords by rule: length, kinds of characters, what a product cannot take, nothing that is misread."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from panshi.errors import PanshiError

CLASSES: Mapping[str, str] = {
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "digit": "0123456789",
    # Only what needs no quoting in shells, INI files, YAML and URLs alike.
    "symbol": "%+,-.=@_",
}
# Characters that are taken for each other on paper, on a console, or by telephone.
_LOOK_ALIKES = frozenset("0O1lI|5S2Z8B")
# What a product does not take in a password at all.
_FORBIDDEN: Mapping[str, str] = {"linux": ":", "mysql": "\\", "network": "%"}
_LONGEST = 64
# pam_pwquality counts both; a target that limits them should not refuse a good password by bad luck.
_RUN = 3


class Rule(Protocol):
    """How the secrets of an account are made: :class:`Policy` for passwords, another one for what is no password."""

    @property
    def title(self) -> str:
        """What it makes, in Chinese."""

    def make(self, account: str) -> str:
        """Return a new one for an account."""

    def __str__(self) -> str:
        """Return it in one line, as it is kept with each version."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a password is made.

    Args:
        length: characters.
        classes: names in :data:`CLASSES`, of each at least one.
        forbidden: characters that are never used.
    """

    length: int = 20
    classes: tuple[str, ...] = tuple(CLASSES)
    forbidden: str = ""

    @property
    def title(self) -> str:
        """What it makes, in Chinese."""
        return "密码"

    def make(self, account: str) -> str:
        """Return a new password."""
        return generate(self, account)

    def alphabet(self, name: str) -> str:
        """Return the usable characters of one class."""
        return "".join(sign for sign in CLASSES[name] if sign not in _LOOK_ALIKES and sign not in self.forbidden)

    def __str__(self) -> str:
        """Return it in one line, as it is kept with each version."""
        return f"{self.length} {'+'.join(self.classes)}" + (f" -{self.forbidden}" if self.forbidden else "")


def policy_of(data: Any, target: str, *, shortest: int, fewest: int, where: str) -> Policy:
    """Return the policy of a declaration.

    Args:
        data: mapping with ``length``, ``classes``, ``forbidden``; None for what is usual.
        target: kind of account, whose forbidden characters are added.
        shortest: characters that the estate's baseline asks for at least.
        fewest: kinds of characters that it asks for at least.
        where: for the message.

    Raises:
        PanshiError: PS-E7007 it is not such a mapping, or weaker than the baseline.
    """
    data = data or {}
    if not isinstance(data, Mapping) or set(data) - {"length", "classes", "forbidden"}:
        raise _bad(where, "policy 应为 {length, classes, forbidden}")
    policy = Policy(length=max(Policy().length, shortest), forbidden=_FORBIDDEN.get(target, ""))
    length, classes, forbidden = data.get("length"), data.get("classes"), data.get("forbidden")
    if length is not None:
        if not isinstance(length, int) or isinstance(length, bool) or not shortest <= length <= _LONGEST:
            raise _bad(where, f"length 应为 {shortest}～{_LONGEST} 的整数（password_min_length = {shortest}）")
        policy = replace(policy, length=length)
    if classes is not None:
        if not isinstance(classes, list) or not set(classes) <= set(CLASSES) or len(set(classes)) < fewest:
            raise _bad(where, f"classes 应从 {'、'.join(CLASSES)} 中至少选 {fewest} 种")
        policy = replace(policy, classes=tuple(name for name in CLASSES if name in classes))
    if forbidden is not None:
        if not isinstance(forbidden, str):
            raise _bad(where, "forbidden 应为一串字符")
        policy = replace(policy, forbidden="".join(sorted({*policy.forbidden, *forbidden})))
    if empty := [name for name in policy.classes if len(policy.alphabet(name)) < _RUN]:
        raise _bad(where, f"forbidden 使 {'、'.join(empty)} 几乎没有可用的字符")
    return policy


def generate(policy: Policy, account: str) -> str:
    """Return a new password: some of each class, no runs such as aaa or 678, not the account's name."""
    random = secrets.SystemRandom()
    every = "".join(policy.alphabet(name) for name in policy.classes)
    while True:
        signs = [random.choice(policy.alphabet(name)) for name in policy.classes]
        signs += random.choices(every, k=policy.length - len(signs))
        random.shuffle(signs)
        value = "".join(signs)
        # A dash or a comma in front is read as an option, or lost, where people paste.
        if value[0].isalnum() and not _has_run(value) and account.lower() not in value.lower():
            return value


def _has_run(value: str) -> bool:
    for start in range(len(value) - _RUN + 1):
        steps = {ord(b) - ord(a) for a, b in zip(value[start:], value[start + 1 : start + _RUN], strict=False)}
        if len(steps) == 1 and steps <= {-1, 0, 1}:
            return True
    return False


def _bad(where: str, what: str) -> PanshiError:
    return PanshiError("PS-E7007", f"{where}：{what}", "写法见 docs/runbook-secrets.md；没有改动任何目标")
