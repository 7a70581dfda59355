"""A person at a terminal, for tests of the emulator itself: types, and reads what comes back, byte by byte."""

from __future__ import annotations

import base64
import re
import time
from types import TracebackType
from typing import Self

import paramiko

from .device import Device

# At the end of what came: a prompt, a question or the end of a page.
WAITS = "|".join(
    (
        r"[<\[][~*\w][^<>\[\]\r\n]*[>\]]$",  # <SW1> [~SW1-aaa]
        r"[\w-]+(\([\w-]+\))?[#>]$",  # SW1(config)#
        r"\[Y/N\]$",
        r"[:?]\s?$",
        r"More ?-+ ?$",
    )
)


class Typist:
    """A terminal on a device.

    Args:
        device: a running device.
        user: who logs in.
        password: of the user.
        encoding: of the device.
    """

    def __init__(
        self, device: Device, user: str = "ops", password: str = "Emulated-1", encoding: str = "utf-8"
    ) -> None:
        self._client = paramiko.SSHClient()
        key = paramiko.PKey.from_type_string(*_key(device))
        self._client.get_host_keys().add(f"[{device.host}]:{device.port}", key.get_name(), key)
        self._client.connect(
            device.host, device.port, user, password, look_for_keys=False, allow_agent=False, timeout=10
        )
        self._channel = self._client.invoke_shell()
        self._encoding = encoding
        self.raw = b""

    def __enter__(self) -> Self:
        """Wait for the first prompt."""
        self.first = self.read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._client.close()

    def send(self, text: str) -> None:
        """Type, and wait for nothing."""
        self._channel.sendall(text.encode(self._encoding))

    def type(self, text: str, *, end: str = "\r", waits: str = WAITS, echo: bool = True) -> str:
        """Type a line, and return all that comes until the device waits again."""
        self.send(text + end)
        return self.read(waits, after=text if echo else "")

    def lines(self, *lines: str) -> str:
        """Type lines, and return what the last one was answered."""
        said = ""
        for line in lines:
            said = self.type(line)
        return said

    def read(self, waits: str = WAITS, *, after: str = "", seconds: float = 10.0) -> str:
        """Return what comes until it ends as wanted.

        Raises:
            EOFError: the device hung up.
            TimeoutError: it said something else, or nothing.
        """
        self.raw = b""
        deadline = time.monotonic() + seconds
        while True:
            text = self.raw.decode(self._encoding, "replace").replace("\r\n", "\n")
            seen = text[len(after) :] if after and text.startswith(after) else text
            if (not after or seen is not text) and re.search(waits, seen):
                return seen.lstrip("\n")
            self._channel.settimeout(max(0.01, deadline - time.monotonic()))
            chunk = self._channel.recv(65536)
            if not chunk:
                raise EOFError(text)
            self.raw += chunk


def _key(device: Device) -> tuple[str, bytes]:
    kind, data = device.host_key.split()
    return kind, base64.b64decode(data)
