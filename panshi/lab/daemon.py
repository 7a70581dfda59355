"""A process that goes on after the command that started it: remembered, found again, and stopped by its own id."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from panshi.lab.state import write

_STOP_SECONDS = 10


@dataclass(frozen=True)
class Daemon:
    """A process that was started here.

    Args:
        record: file that says which; it outlives the process.
    """

    record: Path

    def remember(self, pid: int) -> None:
        """Write down which process it is."""
        write(self.record, json.dumps({"pid": pid, "start": start_time(pid)}))

    def pid(self) -> int | None:
        """Return the process if it is still the one that was started here."""
        if not self.record.is_file():
            return None
        process = json.loads(self.record.read_text(encoding="ascii"))
        pid = int(process["pid"])
        return pid if start_time(pid) == process["start"] else None

    def stop(self) -> None:
        """End the process if it runs: politely, then not."""
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while self.pid() is not None:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)


def start_time(pid: int) -> str | None:
    """Return the boot's id and when in it a process started, in clock ticks; None if it is gone or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] == "Z":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{fields[19]}"  # starttime is field 22 of proc(5); the first two are cut off
