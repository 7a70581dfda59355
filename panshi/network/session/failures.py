"""How a session fails: each way has a code, and a failed push says what became of every line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from panshi.errors import PanshiError


class SessionFailed(PanshiError):
    """A session that cannot go on; codes PS-E8035 to PS-E8049."""


class SessionEnded(SessionFailed):
    """The device, or what is between, has closed the session (PS-E8038)."""


class NoReply(SessionFailed):
    """The device has said nothing that ends a reply for too long (PS-E8039)."""


class Refused(SessionFailed):
    """The device has refused a command (PS-E8040).

    Args:
        code: PS-E8040.
        message: Chinese line.
        hint: Chinese line.
        output: the device's own words, masked.
    """

    def __init__(self, code: str, message: str, hint: str, output: str) -> None:
        super().__init__(code, message, hint)
        self.output = output


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a push and what the device said to it.

    Args:
        number: from 1.
        text: masked.
        output: masked; usually empty.
        error: the line of the output that says that it was refused, masked.
        asked: the device asked back, and was answered.
    """

    number: int
    text: str
    output: str
    error: str = ""
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of the lines of a push.

    Args:
        lines: those that the device has answered, in order.
        unaccounted: numbers of lines that were sent, and of which nothing is known.
        total: how many there were to send.
        window: at the end; less than at the beginning if the echoes did not match.
    """

    lines: Sequence[Line]
    unaccounted: Sequence[int]
    total: int
    window: int


class PushFailed(SessionFailed):
    """A push that did not come to its end; codes PS-E8041, PS-E8042 and PS-E8047.

    Args:
        code: of the error.
        message: Chinese line.
        hint: Chinese line.
        pushed: what became of every line.
    """

    def __init__(self, code: str, message: str, hint: str, pushed: Pushed) -> None:
        super().__init__(code, message, hint)
        self.pushed = pushed
