"""The way from one rule list to another, so that no step opens or cuts what both would treat alike (pure).

For every packet, after every step, the verdict is that of the old list or that of the new one. Hence nothing is open
that neither allows, and nothing is cut that both allow. The order of the steps gives it:

1. Downwards through the new list: new rules are put behind their predecessor, rules that have to go up are moved, and
   members are added to rules that keep their place. The new list grows from its top; the old one stays whole below.
2. Upwards through the old list: what is left over is deleted, rules that have to go down are moved, and members are
   taken away. The old list shrinks from its bottom; a packet that it still decides, it decides by its first match.

A rule that changes on more than one side, or to or from "any", is replaced: its successor is put before it under
another name in 1, and takes its name when it is gone. Rules on a longest common subsequence are not moved, so the
number of moves is the smallest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, TypeVar

from panshi.network.policy.firewall import PREDEFINED, Firewall, FirewallRule, differs_in_effect

Name = TypeVar("Name")
SIDES = ("origin", "target", "source", "destination", "service")


class Place(NamedTuple):
    """``after`` or ``before`` another rule."""

    where: str
    rule: str


@dataclass(frozen=True, slots=True)
class AddObject:
    """Define an object; ``kind`` is address, service or schedule."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class RemoveObject:
    """Remove an object that no rule refers to any more."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class AddRule:
    """Define a rule so that it takes part only when it is complete and in its place.

    Args:
        rule: under the name that it gets on the device.
        place: where it goes; None where it may stay last.
    """

    rule: FirewallRule
    place: Place | None


@dataclass(frozen=True, slots=True)
class MoveRule:
    """Move a rule."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """Delete a rule."""

    name: str


@dataclass(frozen=True, slots=True)
class Members:
    """Add members to one side of a rule, or take some away; never the last."""

    name: str
    side: str
    members: tuple[str, ...]
    add: bool


@dataclass(frozen=True, slots=True)
class Switch:
    """Enable or disable a rule."""

    name: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a rule its final name."""

    name: str
    to: str


@dataclass(frozen=True, slots=True)
class Words:
    """Set what does not decide: logging and description."""

    name: str
    log: bool | None
    description: str | None


@dataclass(frozen=True, slots=True)
class Default:
    """Set what happens to packets that no rule matches."""

    action: str


Step = AddObject | RemoveObject | AddRule | MoveRule | DeleteRule | Members | Switch | Rename | Words | Default


def steps(old: Firewall, new: Firewall) -> list[Step]:
    """Return the way from what a firewall holds to what it shall hold; empty when nothing differs."""
    return [
        *_objects(old, new),
        *_Change(old, new).run(),
        *([] if old == new else _leftovers(old, new)),
    ]


class _Change:
    """The names in the order of the device while it changes, and what is still to be done with each."""

    def __init__(self, old: Firewall, new: Firewall) -> None:
        self.old = {rule.name: rule for rule in old.rules}
        self.new, self.default = new, (old.default, new.default)
        self.order = [rule.name for rule in old.rules]
        wanted = {rule.name: rule for rule in new.rules}
        kept = [rule.name for rule in new.rules if rule.name in self.old and _in_place(self.old[rule.name], rule)]
        fixed = longest(kept, {name: place for place, name in enumerate(self.order)})
        # A rule that has to move may not change as well: it is replaced.
        self.fixed = set(fixed)
        self.moved = {
            name for name in kept if name not in self.fixed and not differs_in_effect(self.old[name], wanted[name])
        }
        self.gone = [name for name in self.order if name not in self.fixed | self.moved]
        self.names = {name: self._free(name) if name in self.gone else name for name in wanted}
        self.wanted = wanted

    def run(self) -> Iterator[Step]:
        """Yield the steps."""
        down = yield from self._downwards()
        yield from self._upwards(down)
        yield from (Rename(device, name) for name, device in self.names.items() if device != name)
        for name, new in self.wanted.items():
            if name not in self.fixed | self.moved:
                continue
            old = self.old[name]
            if (old.log, old.description) != (new.log, new.description):
                yield Words(
                    name,
                    new.log if old.log != new.log else None,
                    new.description if old.description != new.description else None,
                )

    def _downwards(self) -> Generator[Step, None, list[str]]:
        """Put the new list before the old one; return the rules that go down later."""
        down: list[str] = []
        before = ""
        for rule in self.new.rules:
            name = self.names[rule.name]
            if rule.name in self.fixed:
                yield from self._widened(rule)
            elif rule.name in self.moved:
                if before and self.order.index(name) < self.order.index(before):
                    down.append(name)
                    continue
                self.order.remove(name)
                yield MoveRule(name, self._placed(name, before))
            else:
                last = not self.order or self.order[-1] == before
                place = self._placed(name, before) if self.order else None
                self.order = self.order or [name]
                yield AddRule(replace(rule, name=name), None if last else place)
            before = name
        return down

    def _upwards(self, down: Sequence[str]) -> Iterator[Step]:
        if self.default[0] != self.default[1]:
            yield Default(self.default[1])
        gone, waiting = set(self.gone), set(down)
        final = [self.names[rule.name] for rule in self.new.rules]
        for name in reversed(list(self.order)):
            if name in gone:
                self.order.remove(name)
                yield DeleteRule(name)
            elif name in waiting:
                waiting.discard(name)
                before = next(one for one in reversed(final[: final.index(name)]) if one not in waiting)
                self.order.remove(name)
                yield MoveRule(name, self._placed(name, before))
            elif name in self.fixed:
                yield from self._narrowed(self.wanted[name])

    def _widened(self, rule: FirewallRule) -> Iterator[Step]:
        old = self.old[rule.name]
        if rule.enabled and not old.enabled:
            yield Switch(rule.name, True)
        for side in SIDES:
            if more := sorted(set(getattr(rule, side)) - set(getattr(old, side))):
                yield Members(rule.name, side, tuple(more), True)

    def _narrowed(self, rule: FirewallRule) -> Iterator[Step]:
        old = self.old[rule.name]
        for side in SIDES:
            if fewer := sorted(set(getattr(old, side)) - set(getattr(rule, side))):
                yield Members(rule.name, side, tuple(fewer), False)
        if old.enabled and not rule.enabled:
            yield Switch(rule.name, False)

    def _placed(self, name: str, before: str) -> Place:
        """Insert a name behind another, or at the top for none; return where that is."""
        if not before:
            self.order.insert(0, name)
            return Place("before", self.order[1])
        self.order.insert(self.order.index(before) + 1, name)
        return Place("after", before)

    def _free(self, name: str) -> str:
        number, free = 1, f"{name}_new"
        while free in self.old:
            number += 1
            free = f"{name}_new{number}"
        return free


def _in_place(old: FirewallRule, new: FirewallRule) -> bool:
    """Return whether a rule can become another by single lines that each lie between the two.

    That is so when one side alone differs and is "any" in neither, or when nothing but ``enabled`` differs.
    """
    changed = [one.name for one in fields(old) if getattr(old, one.name) != getattr(new, one.name)]
    changed = [name for name in changed if name not in ("log", "description")]
    if not changed or changed == ["enabled"]:
        return True
    side = changed[0]
    return len(changed) == 1 and side in SIDES and bool(getattr(old, side)) and bool(getattr(new, side))


def longest(names: Sequence[Name], places: Mapping[Name, int]) -> list[Name]:
    """Return a longest part of the names whose places rise (patience sorting)."""
    tops: list[int] = []
    heads: list[int] = []
    before: list[int] = []
    for number, name in enumerate(names):
        place = places[name]
        pile = bisect_left(tops, place)
        if pile == len(tops):
            tops.append(place)
            heads.append(number)
        else:
            tops[pile], heads[pile] = place, number
        before.append(heads[pile - 1] if pile else -1)
    found = []
    at = heads[-1] if heads else -1
    while at >= 0:
        found.append(names[at])
        at = before[at]
    return found[::-1]


def _objects(old: Firewall, new: Firewall) -> Iterator[AddObject]:
    for kind, known, wanted in _kinds(old, new):
        for name in wanted:
            if name not in known and not (kind == "service" and name in PREDEFINED):
                yield AddObject(kind, name)


def _leftovers(old: Firewall, new: Firewall) -> Iterator[RemoveObject]:
    """Yield the objects that the old rules referred to and the new ones do not; others are left to their owner."""
    for (kind, known, _), had, has in zip(_kinds(old, new), old.used(), new.used(), strict=True):
        yield from (RemoveObject(kind, name) for name in sorted(had - has) if name in known)


def _kinds(old: Firewall, new: Firewall) -> list[tuple[str, Mapping[str, object], Mapping[str, object]]]:
    return [
        ("address", old.addresses, new.addresses),
        ("service", old.services, new.services),
        ("schedule", old.schedules, new.schedules),
    ]
