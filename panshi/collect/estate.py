"""Reads an estate: hosts by the fleet's process, network devices beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from panshi.collect.client import Event, Limits, collect
from panshi.inventory import Host


def collect_estate(hosts: Sequence[Host], limits: Limits) -> Iterator[Event]:
    """Read hosts and devices at the same time, and yield what becomes of each as it becomes known.

    Args:
        hosts: distinct by name.
        limits: bounds of the read; ``forks`` holds for hosts and for devices, each.

    Yields:
        per host one Started at most and exactly one Collected or Failed.
    """
    devices = [host for host in hosts if host.is_device]
    if not devices:
        yield from collect(hosts, limits)
        return
    # netmiko takes longer to import than a run without devices should have to wait.
    from panshi.collect.devices import Devices

    reading = Devices(devices, limits)
    try:
        for event in collect([host for host in hosts if not host.is_device], limits):
            yield event
            yield from reading.known()
        yield from reading.rest()
    finally:
        reading.stop()
