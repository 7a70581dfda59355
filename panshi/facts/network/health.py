"""How a network device is: load, hardware, interface errors, neighbours and uptime, read from its displays.

Every reader raises FactMissing where the display was not answered or has another form than is known: what is not
understood is never taken for healthy. Forms: [D] vendors' documents and public transcripts for VRP, Comware and IOS;
[K] experience for Ruijie's memory, power, fans and neighbours, seen on no device of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from panshi.facts.model import FactMissing, Facts
from panshi.facts.network.display import by_template

CPU, MEMORY, POWER, FAN = "net.cpu", "net.memory", "net.power", "net.fan"
ERRORS, NEIGHBOURS, VERSION = "net.errors", "net.neighbours", "net.version"
_VRP = ("huawei_vrp", "huawei_vrpv8")


@dataclass(frozen=True, slots=True)
class Unit:
    """A power supply or a fan, with its state in the device's own words."""

    name: str
    state: str

    @property
    def absent(self) -> bool:
        """Whether its slot is empty."""
        return self.state.lower().replace(" ", "") in ("absent", "notpresent", "notinstalled", "n/a", "-", "--")

    @property
    def normal(self) -> bool:
        """Whether the device says that it works."""
        return self.state.lower() in ("normal", "ok", "supply", "good")


@dataclass(frozen=True, slots=True)
class Counters:
    """Packets of a port, in and out, and how many of them were faulty, since its counters were cleared."""

    port: str
    packets: int
    errors: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What is plugged in at a port, by LLDP."""

    port: str
    name: str
    remote: str


def cpu(facts: Facts) -> float:
    """Return the busiest processor's mean load of five minutes in per cent; of one, where a device tells no other."""
    text = facts.out(CPU)
    means = re.findall(r"five minutes *: *([\d.]+)%|([\d.]+)% in last 5 minutes", text)
    means = means or re.findall(r"^ *CPU Usage +: *([\d.]+)()%", text, re.MULTILINE)
    return max(_numbers(facts, CPU, ("".join(mean) for mean in means)))


def memory(facts: Facts) -> float:
    """Return the share of memory in use in per cent, of the fullest board; of IOS the processor's pool."""
    text, platform = facts.out(MEMORY), _platform(facts)
    if platform in _VRP:
        return max(_numbers(facts, MEMORY, re.findall(r"Memory Using Percentage(?: Is)? *: *([\d.]+)%", text)))
    if platform == "hp_comware":
        return 100 - min(_numbers(facts, MEMORY, re.findall(r"^ *Mem:.*\s([\d.]+)%\s*$", text, re.MULTILINE)))
    if platform == "ruijie_os":
        shares = re.findall(r"([\d.]+)% *used rate|used rate *: *([\d.]+)%", text, re.IGNORECASE)
        return max(_numbers(facts, MEMORY, ("".join(share) for share in shares)))
    pools = re.findall(r"^ *Processor +\S+ +(\d+) +(\d+) ", text, re.MULTILINE)
    return max(_numbers(facts, MEMORY, (str(100 * int(used) / int(total)) for total, used in pools)))


def power(facts: Facts) -> list[Unit]:
    """Return the power supplies; none where the device lists those that can be exchanged, and has no such."""
    if _platform(facts) == "cisco_ios":
        rows = by_template(facts, POWER, "cisco_ios", "show environment power all")
        return [Unit(row["ps_module"], row["status"] or row["sys_pwr"] or row["pid"]) for row in rows]
    return _units(facts, POWER, "power")


def fans(facts: Facts) -> list[Unit]:
    """Return the fans; none where the device lists them, and has none."""
    text = facts.out(FAN)
    if _platform(facts) == "cisco_ios" and (said := re.findall(r"(?mi)^\s*(.*?\bFAN(?: \d+)?) is (.+?)\s*$", text)):
        return [Unit(name, state) for name, state in said]
    return _units(facts, FAN, "fan")


def counters(facts: Facts) -> list[Counters]:
    """Return the counters of every port that has some."""
    platform = _platform(facts)
    if platform == "cisco_ios":
        rows = by_template(facts, ERRORS, platform, "show interfaces")
        found = [
            Counters(
                row["interface"],
                _sum(row[key] for key in ("input_packets", "output_packets")),
                _sum(row[key] for key in ("input_errors", "output_errors")),
            )
            for row in rows
            if row["input_errors"]
        ]
    else:
        found = list(_counted(facts.out(ERRORS), *_COUNTERS[platform]))
    if not found:
        raise _strange(facts, ERRORS)
    return found


def neighbours(facts: Facts) -> list[Neighbour]:
    """Return the neighbours by LLDP."""
    return _NEIGHBOURS[_platform(facts)](facts)


def uptime(facts: Facts) -> int:
    """Return for how many seconds the device has been up; of several boards the one that was started last."""
    found = re.findall(r"\buptime(?: is| *:) *(.+)", facts.out(VERSION), re.IGNORECASE)
    seconds = [_seconds(words) for words in found]
    if not any(seconds):
        raise _strange(facts, VERSION)
    return min(one for one in seconds if one)


def _platform(facts: Facts) -> str:
    return str(facts.document.get("platform", ""))


def _strange(facts: Facts, item: str) -> FactMissing:
    return FactMissing(f"{facts.item(item).cmd} 的输出不是已知的形式")


def _numbers(facts: Facts, item: str, said: Iterable[str]) -> list[float]:
    numbers = [float(one) for one in said]
    if not numbers:
        raise _strange(facts, item)
    return numbers


def _sum(said: Iterable[str]) -> int:
    return sum(int(one or 0) for one in said)


# Power supplies and fans

_NAMES = frozenset({"slot", "powerid", "fanid", "fan", "switch", "power-id", "fan-id", "id"})
_STATES = ("state", "status")


def _units(facts: Facts, item: str, what: str) -> list[Unit]:
    """Read a table of units, or a block of lines for each."""
    text = facts.out(item)
    blocks = re.findall(rf"(?mi)^\s*({what}\S* \d+)\s*:?\s+(?:State|Status)\s*: *(\S+)", text)
    if blocks:
        return [Unit(name, state) for name, state in blocks]
    rows = list(_table(text))
    if not rows and not _heads(text):
        raise _strange(facts, item)
    return rows


def _heads(text: str) -> bool:
    return any(_head(line.lower().split()) for line in text.splitlines())


def _head(words: list[str]) -> bool:
    return bool(_NAMES & set(words)) and any(state in words for state in _STATES)


def _table(text: str) -> Iterator[Unit]:
    heads: list[str] = []
    for line in text.splitlines():
        words = [] if set(line) <= set("- ") else line.split()
        lower = [word.lower() for word in words]
        if _head(lower):
            heads = lower
        elif heads and len(words) > (at := next(heads.index(state) for state in _STATES if state in heads)):
            name = " ".join(word for head, word in zip(heads, words, strict=False) if head in _NAMES)
            online = words[heads.index("online")] if "online" in heads else "Present"
            yield Unit(name, words[at] if online == "Present" else online)


# Counters: what begins a port, what counts packets, what counts errors.

_Patterns = tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]
_COUNTS = (
    re.compile(r"^(\S+) current state *:", re.MULTILINE),
    re.compile(r"^ *(?:Input|Output): *(\d+) packets", re.MULTILINE),
    re.compile(r"Total Error: *(\d+)"),
)
_COUNTERS: dict[str, _Patterns] = {
    "huawei_vrp": _COUNTS,
    "huawei_vrpv8": _COUNTS,
    "hp_comware": (
        re.compile(r"^(\S+)(?:\n| +)current state *:", re.MULTILINE | re.IGNORECASE),
        re.compile(r"^ *(?:Input|Output) *\(total\): *(\d+) packets", re.MULTILINE),
        re.compile(r"(\d+) (?:input|output) errors"),
    ),
    "ruijie_os": (
        re.compile(r"^(\S+ \d\S*) is \S+ *, *line protocol is", re.MULTILINE),
        re.compile(r"(\d+) packets (?:input|output)"),
        re.compile(r"(\d+) (?:input|output) errors"),
    ),
}


def _counted(
    text: str, begins: re.Pattern[str], packets: re.Pattern[str], errors: re.Pattern[str]
) -> Iterator[Counters]:
    heads = list(begins.finditer(text))
    for head, after in zip_longest(heads, heads[1:]):
        block = text[head.end() : after.start() if after else None]
        if faulty := errors.findall(block):
            yield Counters(head[1], _sum(packets.findall(block)), _sum(faulty))


# Neighbours


def _huawei_neighbours(facts: Facts) -> list[Neighbour]:
    found = []
    for words in (line.split() for line in facts.out(NEIGHBOURS).splitlines()):
        if len(words) != 4:
            continue
        # VRP5 ends a row with the seconds that it is valid for, VRPv8 has them second, and the device last.
        if words[3].isdigit():
            found.append(Neighbour(words[0], words[1], words[2]))
        elif words[1].isdigit():
            found.append(Neighbour(words[0], words[3], words[2]))
    return found


def _ruijie_neighbours(facts: Facts) -> list[Neighbour]:
    text = facts.out(NEIGHBOURS)
    heads, rows = 0, []
    for line in text.splitlines():
        words = re.split(r" {2,}", line.strip())
        if words[0].lower().startswith("system name"):
            heads = len(words)
        elif heads and len(words) > 2:
            rows.append(Neighbour(words[1], words[0], words[2]))
    return rows


def _listed(platform: str, command: str) -> Callable[[Facts], list[Neighbour]]:
    def read(facts: Facts) -> list[Neighbour]:
        rows = by_template(facts, NEIGHBOURS, platform, command)
        return [Neighbour(row["local_interface"], row["neighbor_name"], row["neighbor_interface"]) for row in rows]

    return read


_NEIGHBOURS: dict[str, Callable[[Facts], list[Neighbour]]] = {
    "huawei_vrp": _huawei_neighbours,
    "huawei_vrpv8": _huawei_neighbours,
    "hp_comware": _listed("hp_comware", "display lldp neighbor-information list"),
    "ruijie_os": _ruijie_neighbours,
    "cisco_ios": _listed("cisco_ios", "show lldp neighbors"),
}


# Uptime

_SPANS = {"year": 365 * 86400, "week": 7 * 86400, "day": 86400, "hour": 3600, "minute": 60, "second": 1}


def _seconds(words: str) -> int:
    """Return the seconds in ``1 week, 2 days`` or ``days:hours:minutes:seconds``; 0 for neither."""
    if found := re.match(r"(\d+):(\d+):(\d+):(\d+)\s*$", words):
        return sum(int(n) * span for n, span in zip(found.groups(), (86400, 3600, 60, 1), strict=True))
    return sum(int(n) * _SPANS[span] for n, span in re.findall(r"(\d+) (year|week|day|hour|minute|second)s?\b", words))
