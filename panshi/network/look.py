"""What a device says of itself, read in one session: for facts, and for transcripts that users may give us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from panshi.network.config import masked
from panshi.network.estate import Login
from panshi.network.session import Refused


@dataclass(frozen=True, slots=True)
class Look:
    """What a session has told.

    Args:
        name: what the device calls itself in its prompt.
        platform: of the device.
        encoding: that it writes; empty while all was ASCII.
        weak_algorithms: of SSH, too weak, and used.
        output: by command, secrets masked.
        refused: by command, in the device's words.
    """

    name: str
    platform: str
    encoding: str
    weak_algorithms: tuple[str, ...]
    output: dict[str, str]
    refused: dict[str, str]


def look(login: Login, commands: Sequence[str], transcript: Path | None = None) -> Look:
    """Ask a device by commands that only read.

    Args:
        login: to the device.
        commands: to ask; one that is refused is no error.
        transcript: file to which all that is said is appended, without secrets.

    Raises:
        PanshiError: as a session does.
    """
    platform = login.device.platform
    output: dict[str, str] = {}
    refused: dict[str, str] = {}
    with login.session(transcript) as session:
        for command in commands:
            try:
                output[command] = masked(session.read(command), platform).strip("\n")
            except Refused as error:
                refused[command] = error.output
        return Look(session.name, platform, session.encoding, session.weak_algorithms, output, refused)


def only_reads(command: str) -> bool:
    """Whether a command is one that shows something and changes nothing: its first word says so."""
    return command.split(maxsplit=1)[:1] in (["display"], ["show"], ["dir"]) and "\n" not in command
