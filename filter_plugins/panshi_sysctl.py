"""Kernel settings of the catalogue as the keys of one host: ``*`` stands for its interfaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from panshi.facts.kernel import Requirement

# all: the stricter of it and the interface is in effect (or the looser: it has to be right, too);
# default: what an interface that comes later starts with.
_ALWAYS = ("all", "default")


def sysctl_values(requirements: Iterable[str], interfaces: Iterable[str]) -> dict[str, str]:
    """Return value by key, in the order of the list, for the running kernel.

    The order matters: a change of ``net.ipv4.ip_forward`` resets what the interfaces accept (ip-sysctl.rst).

    Args:
        requirements: ``key=value`` or ``key=value|value``, of which the first is set; ``*`` in a key is an interface.
        interfaces: names of the host's interfaces; a dot in a name becomes a slash, as sysctl(8) wants it.
    """
    names = [*_ALWAYS, *sorted(name.replace(".", "/") for name in interfaces)]
    return {key.replace("*", name): value for key, value in _pairs(requirements) for name in _names(key, names)}


def sysctl_lines(requirements: Iterable[str], interfaces: Iterable[str]) -> list[str]:
    """Return the lines of a sysctl.d file for the same settings.

    A line with ``*`` is for interfaces that come later: systemd 246 and newer understand it, and without it the same
    line of the distribution stays in force. The dash tells older ones not to complain.

    Args:
        requirements: as for :func:`sysctl_values`.
        interfaces: those that are there at every boot.
    """
    kept = list(interfaces)
    lines = []
    for requirement in requirements:
        for key, value in _pairs([requirement]):
            lines += [f"-{key} = {value}"] if "*" in key else []
        lines += [f"{key} = {value}" for key, value in sysctl_values([requirement], kept).items()]
    return lines


def _pairs(requirements: Iterable[str]) -> list[tuple[str, str]]:
    parsed = [Requirement.parse(text) for text in requirements]
    return [(requirement.key, requirement.accepted[0]) for requirement in parsed]


def _names(key: str, names: list[str]) -> list[str]:
    return names if "*" in key else [""]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"sysctl_values": sysctl_values, "sysctl_lines": sysctl_lines}
