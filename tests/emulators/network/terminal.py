"""The line between a session and its client: echo by character, paging, delays, encodings."""

from __future__ import annotations

import asyncio
from collections import deque

import asyncssh

from .faults import Faults

PAGE = 24
_ERASE = (b"\x7f", b"\x08")


class Gone(Exception):
    """The client has gone, or was cut off."""


class Terminal:
    """A character terminal. A client that waits for its echo before it goes on gets it.

    Args:
        process: the SSH channel, in bytes.
        faults: of the device.
        more: what is shown at the end of a page.
        erase: what takes it away again.
    """

    def __init__(self, process: asyncssh.SSHServerProcess[bytes], faults: Faults, more: str, erase: str) -> None:
        self._process = process
        self._faults = faults
        self._more, self._erase = more, erase
        self._input = bytearray()
        self._arrived = asyncio.Event()
        self._ended = asyncio.Event()
        self._late: deque[tuple[float, bytes]] = deque()
        self._sent_all = asyncio.Event()
        self._sent_all.set()
        self._tasks = [asyncio.create_task(self._pump())]
        self.page_lines = PAGE

    def close(self) -> None:
        """Stop reading and sending."""
        for task in self._tasks:
            task.cancel()

    async def ended(self) -> None:
        """Wait until the client is gone."""
        await self._ended.wait()
        raise Gone

    async def flushed(self) -> None:
        """Wait until what is late has been sent."""
        await self._sent_all.wait()

    async def _pump(self) -> None:
        try:
            while chunk := await self._process.stdin.read(65536):
                room = self._faults.input_buffer
                self._input += chunk[: max(0, room - len(self._input))] if room else chunk
                self._arrived.set()
        except (asyncssh.Error, OSError):
            pass
        finally:
            self._ended.set()
            self._arrived.set()

    async def _bytes(self) -> bytes:
        while not self._input:
            if self._ended.is_set():
                raise Gone
            self._arrived.clear()
            await self._arrived.wait()
        return bytes(self._input)

    async def read_line(self, *, echo: bool = True) -> str:
        """Return what is typed up to the end of the line; Ctrl-Z ends it as ``\\x1a``, Ctrl-C empties it."""
        line = bytearray()
        while True:
            data = await self._bytes()
            size = next((at for at, byte in enumerate(data) if byte in b"\r\n\x1a\x03\x7f\x08"), len(data))
            line += data[:size]
            if echo and size:
                await self._send(data[:size])
            if size == len(data):
                del self._input[:size]
                continue
            end = data[size : size + 1]
            del self._input[: size + (2 if data[size : size + 2] == b"\r\n" else 1)]
            if end in _ERASE:
                if line:
                    del line[-1:]
                    await self._send(b"\x08 \x08")
                continue
            if echo:
                await self._send(b"\r\n")
            if end == b"\x1a":
                return "\x1a"
            return "" if end == b"\x03" else line.decode(self._faults.encoding, "replace")

    async def read_key(self) -> bytes:
        """Return one typed byte."""
        data = await self._bytes()
        del self._input[:1]
        return data[:1]

    async def write(self, text: str) -> None:
        """Send text."""
        await self._send(text.replace("\n", "\r\n").encode(self._faults.encoding, "replace"))

    async def _send(self, data: bytes) -> None:
        speed = self._faults.slow_bps
        step = max(1, speed // 20) if speed else len(data) or 1
        for at in range(0, len(data), step):
            self._later(data[at : at + step])
            if speed:
                await asyncio.sleep(step / speed)
        if not self._faults.latency:
            try:
                await self._process.stdout.drain()
            except (asyncssh.Error, OSError) as error:
                raise Gone from error

    def _later(self, data: bytes) -> None:
        if not self._faults.latency and not self._late:
            self._write(data)
            return
        now = asyncio.get_running_loop().time()
        self._late.append((now + self._faults.latency, data))
        if self._sent_all.is_set():
            self._sent_all.clear()
            self._tasks = [self._tasks[0], asyncio.create_task(self._send_late())]

    async def _send_late(self) -> None:
        loop = asyncio.get_running_loop()
        while self._late:
            due, data = self._late[0]
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._write(data)
            self._late.popleft()
        self._sent_all.set()

    def _write(self, data: bytes) -> None:
        try:
            self._process.stdout.write(data)
        except (asyncssh.Error, OSError) as error:
            self._ended.set()
            raise Gone from error

    async def page(self, text: str) -> None:
        """Send an answer, in pages unless paging is off: space the next, Enter one line, anything else no more."""
        size = PAGE if self._faults.paging_sticky else self.page_lines
        lines = text.split("\n")
        if not size:
            await self.write(text + "\n")
            return
        shown = 0
        step = size
        while shown < len(lines):
            await self.write("\n".join(lines[shown : shown + step]) + "\n")
            shown += step
            if shown >= len(lines):
                return
            await self.write(self._more)
            key = await self.read_key()
            await self.write(self._erase)
            if key not in (b" ", b"\r", b"\n"):
                return
            step = size if key == b" " else 1
