"""Which units of a host are to be stopped, as steps of ``panshi_change``, and who needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

# "static" and "indirect" units come up only when another one asks for them.
_AT_BOOT = frozenset({"enabled", "enabled-runtime", "generated"})
_NEEDING = ("RequiredBy", "BoundBy", "RequisiteOf")


def stop_steps(
    units: Mapping[str, Mapping[str, Any]], groups: Iterable[Mapping[str, Any]], approved: Iterable[str]
) -> list[dict[str, Any]]:
    """Return one step per unit that runs or comes up at boot and that a group names.

    Sockets, paths and timers come first: they would start their service again.

    Args:
        units: ``panshi_host.units``.
        groups: ``title``, ``units`` (globs) and ``checks`` each; a unit of several groups gets the checks of all.
        approved: globs of units that stay.
    """
    allowed = list(approved)
    steps: dict[str, dict[str, Any]] = {}
    for group in groups:
        for name in sorted(units):
            if not _live(units[name]) or _any(name, allowed) or not _any(name, group["units"]):
                continue
            unit = {"name": name, "enabled": False, "masked": True, "state": "stopped"}
            step = steps.setdefault(name, {"title": f"停用{group['title']}：{name}", "checks": [], "unit": unit})
            step["checks"] = [*dict.fromkeys([*step["checks"], *group["checks"]])]
    return sorted(steps.values(), key=lambda step: (step["unit"]["name"].endswith(".service"), step["unit"]["name"]))


def maskable(steps: Iterable[Mapping[str, Any]], shown: str) -> list[dict[str, Any]]:
    """Return the steps, without the mask for units whose own file is where the mask would have to be.

    Args:
        steps: of :func:`stop_steps`.
        shown: as for :func:`dependents`, with ``FragmentPath``.
    """
    own = {rows["Id"] for rows in _blocks(shown) if rows.get("FragmentPath", "").startswith("/etc/systemd/system/")}
    return [
        {**step, "unit": {k: v for k, v in step["unit"].items() if k != "masked" or step["unit"]["name"] not in own}}
        for step in steps
    ]


def dependents(shown: str, units: Mapping[str, Mapping[str, Any]], stopped: Iterable[str]) -> dict[str, list[str]]:
    """Return the running units that would be stopped along, by the unit that they need.

    Args:
        shown: ``systemctl show`` of the units that are to be stopped, with ``Id``, ``RequiredBy``, ``BoundBy`` and
            ``RequisiteOf``.
        units: ``panshi_host.units``.
        stopped: names of all units that are to be stopped; they are nobody's reason.
    """
    leaving = set(stopped)
    found: dict[str, list[str]] = {}
    for rows in _blocks(shown):
        needing = {other for key in _NEEDING for other in rows.get(key, "").split()}
        active = sorted(other for other in needing - leaving if _live(units.get(other, {}), at_boot=False))
        if active:
            found[rows["Id"]] = active
    return found


def _blocks(shown: str) -> list[dict[str, str]]:
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.split("\n\n")]
    return [rows for rows in blocks if rows.get("Id")]


def _live(unit: Mapping[str, Any], *, at_boot: bool = True) -> bool:
    return bool(unit.get("active")) or (at_boot and unit.get("enabled") in _AT_BOOT)


def _any(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"stop_steps": stop_steps, "maskable": maskable, "dependents": dependents}
