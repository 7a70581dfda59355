"""From what is wanted and what is there to what must be done. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from panshi.lab.description import Host, Image


@dataclass(frozen=True)
class Found:
    """A host as it was found on this machine.

    Attributes:
        running: its container or virtual machine runs.
        spec: the fingerprint that it was made with, see ``panshi.lab.image.host_spec``.
    """

    running: bool
    spec: str


@dataclass(frozen=True)
class HostPlan:
    """The steps that one host needs, in this order; no step means that it stays as it is."""

    host: Host
    remove: bool
    create: bool
    start: bool

    @property
    def empty(self) -> bool:
        """Whether nothing has to be done."""
        return not (self.remove or self.create or self.start)


@dataclass(frozen=True)
class Plan:
    """What one ``up`` does."""

    builds: tuple[Image, ...]
    hosts: tuple[HostPlan, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing has to be done."""
        return not self.builds and all(host.empty for host in self.hosts)


def plan_up(
    hosts: Iterable[Host],
    specs: Mapping[str, str],
    built: frozenset[str],
    found: Mapping[str, Found],
    *,
    fresh: bool = False,
) -> Plan:
    """Decide what brings the hosts up.

    Args:
        hosts: the hosts that are wanted.
        specs: the wanted fingerprint of each, by name.
        built: names of the images whose current recipe is built.
        found: the hosts that exist, by name.
        fresh: make also those anew that are as they should be, whatever was done in them since.

    Returns:
        Only the necessary steps. A host of another fingerprint (recipe, address or key changed) is made anew.
    """
    plans = []
    for host in hosts:
        there = found.get(host.name)
        stale = there is not None and (fresh or there.spec != specs[host.name])
        create = there is None or stale
        plans.append(HostPlan(host, remove=stale, create=create, start=create or not (there and there.running)))
    images = {plan.host.image.name: plan.host.image for plan in plans if plan.create}
    builds = [image for name, image in images.items() if name not in built]
    # A virtual machine takes longest to boot: its disk first, so that it boots while the others are built.
    builds.sort(key=lambda image: not image.disk)
    return Plan(tuple(builds), tuple(plans))
