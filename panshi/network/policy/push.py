"""The policies of one device: read what it holds, and bring it to what it shall hold, with a way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from panshi.network.change import Change, Changed, Probe, Tell, change, digest
from panshi.network.config import normal
from panshi.network.estate import Login
from panshi.network.policy.change import DeviceChange, device_change
from panshi.network.policy.model import PolicySet
from panshi.network.policy.schema import FIREWALLS
from panshi.network.session import Session


@dataclass(frozen=True, slots=True)
class Found:
    """What a device holds, held against the policies.

    Args:
        running: SHA-256 of its configuration, volatile lines aside.
        change: what it takes to make it hold the policies.
    """

    running: str
    change: DeviceChange


def look(login: Login, policies: PolicySet, day: date) -> Found:
    """Read a device; changes nothing.

    Raises:
        PanshiError: as ``device_change``, and as a session does.
    """
    name = login.device.name
    with login.session() as session:
        running = session.running()
    mark = digest(normal(running, login.device.platform))
    return Found(mark, device_change(policies, name, running, day))


def carry_out(
    login: Login,
    policies: PolicySet,
    found: Found,
    day: date,
    *,
    state: Path,
    minutes: int,
    probes: Sequence[Probe],
    tell: Tell,
) -> Changed:
    """Make the change that was found, prove it by a new login, and save it; all of it or nothing.

    What opens is sent only when all before it was accepted, because it may rest on what another line has closed: in
    an access list that may be any line, in a security policy those that the session sends alone.

    Args:
        login: to the device.
        policies: that it shall hold.
        found: as ``look`` gave it; the device must not have changed since.
        day: for which ``found`` was made.
        state: folder of the estate's change journals.
        minutes: until the device goes back by itself, where it can.
        probes: further ones.
        tell: told of every step.

    Raises:
        PanshiError: as ``panshi.network.change.change``.
    """

    def failing(session: Session) -> str:
        left = device_change(policies, login.device.name, session.running(), day)
        return "；".join(left.differences[:3]) if left.commands else ""

    window = login.device.window if policies.devices[login.device.name].platform in FIREWALLS else 1
    careful = replace(login, device=replace(login.device, window=window))
    return change(
        Change(found.change.commands, made_from=found.running, minutes=minutes),
        careful.session,
        state=state,
        probes=(Probe("设备上的策略与策略文件一致", failing), *probes),
        tell=tell,
    )
