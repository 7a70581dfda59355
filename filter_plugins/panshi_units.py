"""Which units of a host are to be stopped, as steps of ``panshi_change``, and who needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

# "static" and "indirect" units come up only when another one asks for them.
_AT_BOOT = frozenset({"enabled", "enabled-runtime", "generated"})
_NEEDING = ("RequiredBy", "BoundBy", "RequisiteOf")


def surplus(
    units: Mapping[str, Mapping[str, Any]], groups: Iterable[Mapping[str, Any]], approved: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Return the units that run or come up at boot and that a group names: ``title`` and ``checks`` by name.

    Args:
        units: ``panshi_host.units``.
        groups: ``title``, ``units`` (globs) and ``checks`` each; a unit of several groups gets the checks of all.
        approved: globs of units that stay.
    """
    allowed = list(approved)
    found: dict[str, dict[str, Any]] = {}
    for group in groups:
        for name in sorted(units):
            if _live(units[name]) and not _any(name, allowed) and _any(name, group["units"]):
                entry = found.setdefault(name, {"title": group["title"], "checks": []})
                entry["checks"] = [*dict.fromkeys([*entry["checks"], *group["checks"]])]
    return {name: found[name] for name in sorted(found)}


def stop_steps(found: Mapping[str, Mapping[str, Any]], shown: str, left: Iterable[str]) -> list[dict[str, Any]]:
    """Return the steps that stop units and keep them from coming back.

    Services stop before the sockets that could start them again, and only then everything is masked (and stopped, if a
    peer was faster): an undo goes backwards, and systemd starts no socket whose service is masked or runs already.

    Args:
        found: of :func:`surplus`.
        shown: as for :func:`dependents`, with ``FragmentPath``. A unit whose own file is where the mask would have to
            be is disabled only.
        left: names that stay as they are.
    """
    kept = {name: entry for name, entry in found.items() if name not in set(left)}
    own = {rows["Id"] for rows in _blocks(shown) if rows.get("FragmentPath", "").startswith("/etc/systemd/system/")}
    order = sorted(kept, key=lambda name: not name.endswith(".service"))
    steps = [_step(f"停止{kept[name]['title']}", name, kept[name], {}) for name in order]
    for name in kept:
        off = {"enabled": False} if name in own else {"masked": True}
        steps.append(_step(f"停用{kept[name]['title']}", name, kept[name], off))
    return steps


def _step(title: str, name: str, entry: Mapping[str, Any], unit: Mapping[str, Any]) -> dict[str, Any]:
    unit = {"name": name, "state": "stopped", **unit}
    return {"title": f"{title}：{name}", "checks": entry["checks"], "unit": unit}


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
        return {"surplus": surplus, "stop_steps": stop_steps, "dependents": dependents}
