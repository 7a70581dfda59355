"""Plans for access lists, line by line, on a device that refuses repetitions and numbers that are taken."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from panshi.network.policy.lists import ALL_ADDRESSES, Lists, Put, compiled_lists, list_steps
from panshi.network.policy.lists_text import ListDialect, list_dialect
from panshi.network.policy.space import PORTED

from .worlds import ALL, allowed, made, policies, sum_of

TODAY = date(2026, 11, 22)
PLATFORMS = ("huawei_vrp", "hp_comware", "cisco_ios", "ruijie_os")


def name_on(platform: str) -> str:
    return "3001" if platform in ("huawei_vrp", "hp_comware") else "office-in"


def devices(platform: str) -> dict[str, Any]:
    return {"sw": {"platform": platform, "lists": {name_on(platform): {"from": "office", "to": "dmz"}}}}


class Switch:
    """Keeps the entries of one list by number; a new number must be free and its statement new."""

    def __init__(self, dialect: ListDialect, name: str) -> None:
        self.dialect, self.name = dialect, name
        self.entries: dict[int, str] = {}
        self.times: dict[str, list[str]] = {}
        self.view = ""

    def say(self, line: str) -> None:
        words = line.split()
        if line == self.dialect.leave:
            self.view = ""
        elif line == self.dialect.head(self.name):
            self.view = "list"
        elif words[0] in ("undo", "no") and words[1] == "time-range":
            assert not any(words[2] in one.split() for one in self.entries.values())
            del self.times[words[2]]
        elif words[0] == "time-range":
            self.times[words[1]] = [line]
            self.view = words[1] if len(words) == 2 else ""
        elif words[0] == "periodic":
            self.times[self.view].append(f" {line}")
        elif words[0] in ("undo", "no"):
            del self.entries[int(words[-1])]
        else:
            number, rest = self.dialect.number_of(words)
            assert self.view == "list"
            assert number not in self.entries
            statement = " ".join(word for word in rest if word not in ("log", "logging"))
            assert statement not in [
                " ".join(word for word in one.split() if word not in ("log", "logging"))
                for one in self.entries.values()
            ]
            self.entries[number] = " ".join(rest)

    def text(self) -> str:
        rule = "rule " if self.dialect.leave == "quit" else ""
        found = [line for one in self.times.values() for line in one]
        found += [self.dialect.head(self.name)] if self.entries else []
        found += [f" {rule}{number} {rest}" for number, rest in sorted(self.entries.items())]
        mark = "#" if self.dialect.leave == "quit" else "!"
        return "\n".join([mark, *found, mark, "return" if mark == "#" else "end", ""])

    def read(self) -> Lists:
        return self.dialect.parse(self.text(), "sw", [self.name])

    def effect(self) -> int:
        lists = self.read()
        if not lists.entries:
            return ALL  # not bound to anything
        return allowed(lists.effective(self.name, 0, 1), self.dialect.default)


PAIR = allowed([]) | sum(1 << n for n in range(ALL.bit_length()) if n * 4 // ALL.bit_length() == 1)


def lines_to(switch: Switch, document: dict[str, Any]) -> list[str]:
    found = made(document)
    now = switch.read()
    return switch.dialect.lines(now, compiled_lists(found, found.devices["sw"], now, TODAY))


def told(switch: Switch, lines: list[str]) -> list[int]:
    found = []
    for line in lines:
        switch.say(line)
        found.append(switch.effect() & PAIR)
    return found


def without_halves(switch: Switch, lines: list[str]) -> int:
    """Return the packets of entries from one address to one, any port: they may be away for a line while they move."""
    entries = [entry for _, entry in switch.read().entries.get(switch.name, ())]
    words = [line.split() for line in lines if " permit " in line or " deny " in line]
    entries += [switch.dialect.read(switch.dialect.number_of(one)[1]) for one in words]
    found = 0
    for entry in entries:
        hosts = entry.source[0] == entry.source[1] and entry.destination[0] == entry.destination[1]
        if hosts and entry.protocol not in PORTED:
            wide = entry._replace(
                schedule="", destination=ALL_ADDRESSES if entry.action == "deny" else entry.destination
            )
            found |= sum_of(Lists({"x": ((1, wide),)}).effective("x", 0, 1)[0])
    return found


@pytest.mark.parametrize("platform", PLATFORMS)
def test_parsed_random_changes_open_and_cut_nothing(platform: str) -> None:
    @settings(max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))
    @given(policies(devices(platform)), policies(devices(platform)))
    def run(before: dict[str, Any], after: dict[str, Any]) -> None:
        switch = Switch(list_dialect(platform), name_on(platform))
        told(switch, lines_to(switch, before))
        old = switch.effect() & PAIR
        assert old == allowed(made(before).rules(TODAY)) & PAIR
        lines = lines_to(switch, after)
        new = allowed(made(after).rules(TODAY)) & PAIR
        brief = without_halves(switch, lines)
        for state in told(switch, lines):
            assert not state & ~(old | new), lines
            assert not old & new & ~state & ~brief, lines
        assert switch.effect() & PAIR == new
        assert lines_to(switch, after) == []

    run()


@given(st.permutations(range(8)), st.lists(st.integers(1, 30), min_size=8, max_size=8, unique=True))
def test_parsed_entries_get_numbers_in_their_order(order: list[int], numbers: list[int]) -> None:
    document_entries = [
        list_dialect("cisco_ios").read(f"permit tcp host 192.0.2.{one + 1} any eq 443".split()) for one in range(8)
    ]
    old = tuple(zip(sorted(numbers), document_entries, strict=True))
    now = dict(old)
    for step in list_steps(old, [document_entries[one] for one in order]):
        if isinstance(step, Put):
            assert step.number not in now
            now[step.number] = step.entry
        else:
            del now[step.number]
    assert [entry for _, entry in sorted(now.items())] == [document_entries[one] for one in order]
