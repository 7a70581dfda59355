"""Has a product write numbered lines into its own log, as fast as it takes them, and tells which it has accepted.

Travels to targets with the module ``panshi_log_proof``: standard library only, Python 3.6 and later. Lines are asked
for many at once, since a client that waits for each answer is slower than the product: HTTP requests are pipelined,
statements go to the server several in one message, syslog messages are datagrams anyway.
"""

from __future__ import annotations

import json
import logging.handlers
import os
import signal
import socket
import subprocess
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

# Lines asked for in one message. nginx closes a connection after keepalive_requests (1000), a multiple of it.
BATCH = 100
# What the lines of a batch wait for at least, so that at low rates one is asked for at a time, and evenly.
_TICK = 0.002
_PATIENCE = 10
_CLOSING = 60
AGENT = "panshi-log-proof"

# Takes marks, has the product write a line with each, and returns how many of them it has accepted.
Send = Callable[[List[str]], int]
Finish = Callable[[], Any]


class Probe:
    """A process that asks a product for numbered lines, ``rate`` a second at the most, until it is told to end.

    Args:
        probe: as ``panshi/logs/declared.py`` has checked it: ``url``, ``syslog``, or ``command`` with ``first``,
            ``line`` and ``end``.
        token: what stands before each number, and nowhere else in the log.
        rate: lines a second.
    """

    def __init__(self, probe: Dict[str, Any], token: str, rate: int) -> None:
        self.probe, self.token, self.rate = probe, token, rate
        self.seconds = 0.0
        self._ending = False
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(reader)
                self._run(writer)
                status = 0
            finally:
                os._exit(status)
        os.close(writer)
        self._told = os.fdopen(reader, "rb")
        self._told.readline()

    def end(self) -> List[int]:
        """Stop asking; return the numbers of the lines that the product has accepted.

        Raises:
            OSError: the process came to an end before it was told to.
        """
        os.kill(self.pid, signal.SIGUSR2)
        told = [line.strip() for line in self._told]
        self._told.close()
        os.waitpid(self.pid, 0)
        if not told or not told[0].startswith(b"done "):
            raise OSError("产品没有应答：probe %s" % json.dumps(self.probe, ensure_ascii=False))
        self.seconds = float(told[0].split()[1])
        return [int(line) for line in told[1:]]

    def _run(self, told: int) -> None:
        signal.signal(signal.SIGUSR2, self._asked_to_end)
        os.write(told, b"ready\n")
        send, finish = sender(self.probe)
        began, number = time.monotonic(), 0
        sent: List[int] = []
        while not self._ending:
            due = int((time.monotonic() - began) * self.rate) + 1 - number
            if due <= 0:
                time.sleep(max(_TICK, 1 / self.rate))
                continue
            numbers = range(number, number + min(due, BATCH))
            accepted = send(["%s%09d" % (self.token, one) for one in numbers])
            sent.extend(numbers[:accepted])
            number = numbers[-1] + 1
        finish()
        os.write(told, b"done %.3f\n" % (time.monotonic() - began))
        with os.fdopen(told, "wb") as file:
            file.write(b"".join(b"%d\n" % one for one in sent))

    def _asked_to_end(self, *_: object) -> None:
        self._ending = True


def sender(probe: Dict[str, Any]) -> Tuple[Send, Finish]:
    """Return how a batch is sent, and what is done at the end."""
    if "url" in probe:
        asked = Web(probe["url"])
        return asked.send, asked.close
    if "syslog" in probe:
        return _syslog(*probe["syslog"].split("."))
    return _client(probe)


class Web:
    """A connection to a web server on this host: requests are sent without waiting, then their answers are counted."""

    def __init__(self, url: str) -> None:
        rest = url.partition("://")[2]
        authority, _, self._path = rest.partition("/")
        host, _, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
        host, port = (host, port) if port.isdigit() and host else (authority, "80")
        self._authority, self._address = authority, (host.strip("[]"), int(port))
        self._line: Optional[socket.socket] = None

    def send(self, marks: List[str]) -> int:
        """Ask for a page per mark; return how many were answered, whatever the answer."""
        request = "HEAD /%s?%%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n\r\n" % (self._path, self._authority, AGENT)
        answered, rest = 0, b""
        try:
            if self._line is None:
                self._line = socket.create_connection(self._address, _PATIENCE)
            self._line.sendall("".join(request % mark for mark in marks).encode())
            while answered < len(marks):
                data = self._line.recv(1 << 16)
                if not data:
                    self.close()
                    break
                # Answers to HEAD have no body: each ends with its header, which may arrive in two pieces.
                parts = (rest + data).split(b"\r\n\r\n")
                answered, rest = answered + len(parts) - 1, parts[-1]
        except OSError:
            self.close()
        return answered

    def close(self) -> None:
        """Close the connection; the next batch opens another one."""
        if self._line is not None:
            self._line.close()
            self._line = None


def _syslog(facility: str, severity: str) -> Tuple[Send, Finish]:
    known = logging.handlers.SysLogHandler
    priority = known.facility_names[facility] << 3 | known.priority_names[severity]
    line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    line.connect("/dev/log")

    def send(marks: List[str]) -> int:
        for mark in marks:
            line.send(b"<%d>%s: %s" % (priority, AGENT.encode(), mark.encode()))
        return len(marks)

    return send, line.close


def _client(probe: Dict[str, Any]) -> Tuple[Send, Finish]:
    command = subprocess.Popen(probe["command"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    writing = command.stdin
    assert writing is not None
    end = [probe["end"]] if probe["end"] else []

    def write(lines: List[str]) -> None:
        writing.write("".join(line + "\n" for line in lines).encode())
        writing.flush()

    if probe["first"]:
        write([probe["first"]])

    def send(marks: List[str]) -> int:
        write([probe["line"].replace("{mark}", mark) for mark in marks] + end)
        return len(marks)

    return send, lambda: (writing.close(), command.wait(timeout=_CLOSING))
