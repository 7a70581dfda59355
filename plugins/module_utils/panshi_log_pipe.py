#!/usr/bin/python3
"""Writes what a program sends through a pipe to a log that can be rotated, since the program never opens it anew.

Travels to targets: ONE file, standard library only, Python 3.6 and later. Installed by the role logs as
``/usr/local/lib/panshi/panshi_log_pipe.py`` and run as ``panshi_log_pipe.py FILE`` with the pipe as standard input,
which systemd holds open: while this is not running what was written waits in the pipe, and the program meets no broken
one. SIGHUP has the file opened anew, between two lines. A line is written once its end has come.
"""

import contextlib
import os
import select
import signal
import sys
from typing import List

_BLOCK = 1 << 20
_SIGNALS = (signal.SIGHUP, signal.SIGTERM)


class Receiver:
    """From a pipe into a file.

    What cannot be written (a full disk) is dropped and counted on standard error: a program that waits for its log to
    be written stands still, and so it would drop it too if it wrote the file itself.

    Args:
        source: descriptor of the pipe.
        path: the log.
    """

    def __init__(self, source: int, path: str) -> None:
        self.source, self.path = source, path
        self.log, self.begun, self.dropped = -1, b"", 0

    def run(self) -> None:
        """Write until SIGTERM, or until the pipe has no writer any more; what has no end yet is written then."""
        woken, wake = os.pipe()
        for descriptor in (woken, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        # Opened after that: whoever sees the log open may send a signal.
        self.log = self._opened()
        while True:
            ready = select.select([woken, self.source], [], [])[0]
            asked = os.read(woken, 64) if woken in ready else b""
            if signal.SIGHUP in asked:
                self.reopen()
            if signal.SIGTERM in asked:
                break
            if self.source in ready:
                data = os.read(self.source, _BLOCK)
                if not data:
                    break
                self.take(data)
        self._write(self.begun)

    def take(self, data: bytes) -> None:
        """Write the lines that are whole now; a line longer than a block is written in pieces."""
        whole, newline, rest = (self.begun + data).rpartition(b"\n")
        if len(rest) > _BLOCK:
            whole, newline, rest = whole + newline + rest, b"", b""
        self.begun = rest
        self._write(whole + newline)

    def reopen(self) -> None:
        """Write to the file that bears the name now; without one, go on with the old."""
        try:
            log = self._opened()
        except OSError as error:
            say("%s 不能重新打开，仍写旧文件：%s" % (self.path, error))
            return
        os.close(self.log)
        self.log = log

    def _opened(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o640)

    def _write(self, data: bytes) -> None:
        if not data:
            return
        try:
            while data:
                data = data[os.write(self.log, data) :]
        except OSError as error:
            if not self.dropped:
                say("[PS-E7520] 写不进 %s，开始丢弃：%s" % (self.path, error))
            self.dropped += len(data)
            return
        if self.dropped:
            say("%s 又可以写，共丢弃 %d 字节" % (self.path, self.dropped))
            self.dropped = 0


def say(text: str) -> None:
    """Tell the journal, with the priority of an alert; a full disk may keep this from being said as well."""
    with contextlib.suppress(OSError):
        sys.stderr.write("<1>%s\n" % text)
        sys.stderr.flush()


def main(arguments: List[str]) -> int:
    """Write the named file from standard input."""
    if len(arguments) != 1:
        sys.stderr.write("usage: panshi_log_pipe.py FILE < PIPE\n")
        return 2
    Receiver(0, arguments[0]).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
