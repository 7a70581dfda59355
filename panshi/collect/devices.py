"""Network devices of a run: read by threads of this process, as many at once as allowed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from panshi.collect.client import Collected, Event, Failed, Limits, Started
from panshi.collect.device import read_device
from panshi.errors import PanshiError
from panshi.inventory import Host
from panshi.network.archive import Archive, Copy
from panshi.network.estate import login_of, state_of
from panshi.network.fleet import attempt
from panshi.record import utc_now

# There is no session: nobody answers; or the login, or what it needs, is not in order (variables, store, host key).
_UNREACHABLE = "PS-E8030"
_REFUSED = re.compile(r"PS-E(803[1-7]|8048|8050|70\d\d)")


class Devices:
    """A read of devices that is under way; what becomes of each waits in a queue.

    The threads end with the program: an interruption does not wait for a device that is silent.

    Args:
        hosts: devices, distinct by name.
        limits: bounds of the read.
    """

    def __init__(self, hosts: Sequence[Host], limits: Limits) -> None:
        self._limits = limits
        self._left = len(hosts)
        self._todo: SimpleQueue[Host] = SimpleQueue()
        self._events: SimpleQueue[Event] = SimpleQueue()
        for host in hosts:
            self._todo.put(host)
        for _ in range(min(limits.forks, len(hosts))):
            threading.Thread(target=self._work, daemon=True).start()

    def known(self) -> Iterator[Event]:
        """Yield what is known by now."""
        while True:
            try:
                yield self._taken(self._events.get_nowait())
            except Empty:
                return

    def rest(self) -> Iterator[Event]:
        """Yield what becomes known until every device is done."""
        while self._left:
            yield self._taken(self._events.get())

    def stop(self) -> None:
        """Begin no further device."""
        try:
            while True:
                self._todo.get_nowait()
        except Empty:
            return

    def _taken(self, event: Event) -> Event:
        self._left -= not isinstance(event, Started)
        return event

    def _work(self) -> None:
        while True:
            try:
                host = self._todo.get_nowait()
            except Empty:
                return
            self._events.put(Started(host.name))
            began = time.monotonic()
            outcome = attempt(self._read, host)
            seconds = round(time.monotonic() - began, 3)
            if outcome.error is not None:
                self._events.put(Failed(host.name, _state(outcome.error), outcome.error, seconds))
            else:
                assert outcome.value is not None
                self._events.put(Collected(host.name, outcome.value, seconds))

    def _read(self, host: Host) -> dict[str, Any]:
        login = login_of(host.device, _as_is)
        patience = min(login.device.timeout, self._limits.timeout)
        device = replace(login.device, timeout=patience, connect_timeout=self._limits.connect_timeout)
        backup = partial(backed_up, state_of(host.device, _as_is), host.name, device.platform)
        with replace(login, device=device).session() as session:
            return read_device(session, self._limits.timeout, self._limits.most, backup=backup)


def backed_up(state: Path, device: str, platform: str, running: str, saved: str) -> str | None:
    """Return how many days ago a device was last backed up, and whether it is still ``same`` as it was, or ``other``.

    Args:
        state: folder of what is kept about the estate's devices.
        device: its name.
        platform: of it.
        running, saved: its configurations as they are now; they are compared without secrets.

    Returns:
        "" where this device was never backed up, None where none of the estate was.
    """
    archive = Archive(state)
    if not (seen := archive.seen()):
        return None
    if device not in seen:
        return ""
    same = not archive.differs(device, Copy(platform, running, saved))
    return f"{(utc_now() - seen[device]).days} {'same' if same else 'other'}\n"


def _as_is(value: Any) -> Any:
    """The variables of an estate were resolved when it was loaded."""
    return value


def _state(error: PanshiError) -> str:
    if error.code == _UNREACHABLE:
        return "unreachable"
    return "refused" if _REFUSED.fullmatch(error.code) else "failed"
