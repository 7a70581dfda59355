"""Has a product write numbered lines into its own log, as fast as it takes them, and tells which it has accepted.

Travels to targets with the module ``panshi_log_proof``: standard library only, Python 3.8 and later. Lines are asked
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
# Lines a second that one process asks for; a web server serves a connection with one of its own processes.
EACH = 10000
# A number has nine digits.
_MOST = 10**9
_TICK = 0.002
_PATIENCE = 10
_CLOSING = 60
AGENT = "panshi-log-proof"

# Takes marks, has the product write a line with each, and returns how many of them it has accepted.
Send = Callable[[List[str]], int]
Finish = Callable[[], Any]


class Probes:
    """Processes that ask a product for numbered lines, ``rate`` a second at the most, until they are told to end.

    Args:
        probe: as ``panshi/logs/declared.py`` has checked it: ``url``, ``syslog``, or ``command`` with ``first``,
            ``line`` and ``end``.
        token: what stands before each number, and nowhere else in the log.
        rate: lines a second of all of them together; each asks for at most ``EACH``.
    """

    def __init__(self, probe: Dict[str, Any], token: str, rate: int) -> None:
        self.probe, self.token, self.seconds = probe, token, 0.0
        many = -(-rate // EACH)
        self._asking = [_Asking(probe, token, rate / many, first, many) for first in range(many)]

    def end(self) -> List[List[int]]:
        """Stop asking; return the numbers of the lines that the product has accepted, by process, in their order.

        Raises:
            OSError: a process came to an end before it was told to.
        """
        for one in self._asking:
            os.kill(one.pid, signal.SIGUSR2)
        told = [one.told() for one in self._asking]
        if not all(lines and lines[0].startswith(b"done ") for lines in told):
            raise OSError("产品没有应答：probe %s" % json.dumps(self.probe, ensure_ascii=False))
        self.seconds = max(float(lines[0].split()[1]) for lines in told)
        return [[int(line) for line in lines[1:]] for lines in told]


class _Asking:
    """One of them: a process that takes every ``step``-th number from ``first`` on."""

    def __init__(self, probe: Dict[str, Any], token: str, rate: float, first: int, step: int) -> None:
        self._ending, self._parent = False, os.getpid()
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(reader)
                signal.signal(signal.SIGUSR2, self._asked_to_end)
                os.write(writer, b"ready\n")
                self._run(probe, token, rate, range(first, _MOST, step), writer)
                status = 0
            finally:
                os._exit(status)
        os.close(writer)
        self._told = os.fdopen(reader, "rb")
        self._told.readline()

    def told(self) -> List[bytes]:
        """Return what the process says when it ends."""
        lines = [line.strip() for line in self._told]
        self._told.close()
        os.waitpid(self.pid, 0)
        return lines

    def _run(self, probe: Dict[str, Any], token: str, rate: float, numbers: range, told: int) -> None:
        send, finish = sender(probe)
        began, asked, sent = time.monotonic(), 0, []  # type: float, int, List[int]
        # A proof that was killed asks for nothing any more.
        while not self._ending and os.getppid() == self._parent:
            due = int((time.monotonic() - began) * rate) + 1 - asked
            if due <= 0:
                time.sleep(_TICK)
                continue
            batch = numbers[asked : asked + min(due, BATCH)]
            accepted = send(["%s%09d" % (token, one) for one in batch])
            sent.extend(batch[:accepted])
            asked += len(batch)
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
