"""Which checks hardening brings to pass on one host: level − waivers − opt-ins that were not given (pure)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from panshi.controls import Catalogue, Check, Waiver, load_profile, select
from panshi.controls.profile import file_stem
from panshi.errors import PanshiError

EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Selection:
    """The automatic checks of a level, each in exactly one place.

    Args:
        apply: ids that are to be brought to pass.
        opt_in: ids whose fix can lock out or interrupt and was not opted in to.
        waived: waiver by id, in force today.
        narrowed: ids that belong to the estate's baseline too, but that the operator left out of this run.
    """

    apply: tuple[str, ...]
    opt_in: tuple[str, ...]
    waived: Mapping[str, Waiver]
    narrowed: tuple[str, ...]

    @property
    def baseline(self) -> tuple[str, ...]:
        """What the estate wants in force: a file that a narrowed run writes whole must not lose the rest of it."""
        return self.apply + self.narrowed


def needs_opt_in(check: Check) -> bool:
    """Return whether the fix of a check can lock out, interrupt a service, or asks for a reboot."""
    return check.risk.lockout or check.risk.reboot or check.risk.disruption != "low"


def select_checks(
    catalogue: Catalogue,
    host: str,
    *,
    level: int = 3,
    opt_in: Sequence[str] = (),
    only: Sequence[str] = (),
    waivers: Sequence[Waiver] = (),
    today: dt.date | None = None,
    targets: Sequence[str] = ("linux",),
) -> Selection:
    """Sort the automatic checks of a level for one host.

    Args:
        catalogue: the loaded catalogue.
        host: name in the inventory.
        level: 2 or 3.
        opt_in: clause ids, check ids, tags or globs of them; ``all`` for every one.
        only: narrows the run in the same way; empty for all.
        waivers: of the estate.
        today: day on which waivers hold.
        targets: the host's technologies; patterns may name checks of others, which other hosts have.

    Raises:
        PanshiError: PS-E1107 the level is not 2 or 3; PS-E1108 a pattern of ``opt_in`` or ``only`` matches nothing.
    """
    today = today or dt.date.today()
    profile = load_profile(f"linux-l{level}")
    checks = [check for _, check in select(catalogue, profile) if check.mode == "auto"]
    names = {check.id: _names(catalogue, check) for check in checks}
    chosen = _matching(names, opt_in)
    wanted = _matching(names, only) if only else set(names)
    apply, left, waived, narrowed = [], [], {}, []
    for check in (one for one in checks if one.target in targets):
        waiver = _in_force(waivers, host, check, today)
        if waiver:
            waived[check.id] = waiver
        elif needs_opt_in(check) and check.id not in chosen:
            left.append(check.id)
        elif check.id not in wanted:
            narrowed.append(check.id)
        else:
            apply.append(check.id)
    return Selection(tuple(apply), tuple(left), waived, tuple(narrowed))


def _names(catalogue: Catalogue, check: Check) -> set[str]:
    control = catalogue.controls[check.control]
    return {check.id, control.id, control.tag, file_stem(control.id)}


def _matching(names: Mapping[str, set[str]], patterns: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        if pattern == EVERYTHING:
            return set(names)
        matched = {check for check, own in names.items() if any(fnmatchcase(name, pattern) for name in own)}
        if not matched:
            raise PanshiError(
                "PS-E1108", f"没有与 {pattern} 匹配的条款或检查项", "用 panshi controls list 查看条款与检查项编号"
            )
        found |= matched
    return found


def _in_force(waivers: Sequence[Waiver], host: str, check: Check, today: dt.date) -> Waiver | None:
    return next((waiver for waiver in waivers if waiver.covers(host, check) and not waiver.expired(today)), None)
