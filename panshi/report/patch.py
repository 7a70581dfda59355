"""A signed patch plan and every run that carried it out: all figures of 补丁实施报告, computed from rows without I/O.

A plan may need several runs: one that was stopped or killed is followed by another that goes on. The report is of the
plan, so it joins them. What no row tells is said to be unknown; it is neither guessed nor counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import count
from typing import Any

from panshi.document import digest
from panshi.record import ChangeRow, GuardRow, HostRow, PatchRow, Run, ServiceRow, SkipRow
from panshi.report.text import beijing, clock
from panshi.verdict import Status

NOT_INSTALLED = "未安装"
NO_ADVISORY = "元数据中没有"
NOT_DECLARED = "没有声明探测的服务"
_PACKAGE = "package:"


class State(StrEnum):
    """What became of a host of the plan, by the last run that came to it."""

    DONE = "done"
    RETURNED = "returned"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    UNREACHABLE = "unreachable"
    UNTOUCHED = "untouched"


STATE_ZH = {
    State.DONE: "完成",
    State.RETURNED: "已退回",
    State.FAILED: "失败",
    State.INTERRUPTED: "中断",
    State.UNREACHABLE: "不可达",
    State.UNTOUCHED: "没有轮到",
}


class Fate(StrEnum):
    """What became of one package on one host."""

    UPDATED = "updated"
    ALREADY = "already"
    RETURNED = "returned"
    UNTOUCHED = "untouched"
    OTHER = "other"
    UNKNOWN = "unknown"
    ALONG = "along"


FATE_ZH = {
    Fate.UPDATED: "已更新",
    Fate.ALREADY: "已是计划版本",
    Fate.RETURNED: "已退回",
    Fate.UNTOUCHED: "未更新",
    Fate.OTHER: "版本不符",
    Fate.UNKNOWN: "不明",
    Fate.ALONG: "随带改变",
}
# Colours of what became of hosts and packages are those of verdicts of the same worth.
STATE_KEY = {
    State.DONE: Status.PASS,
    State.RETURNED: Status.PARTIAL,
    State.FAILED: Status.FAIL,
    State.INTERRUPTED: Status.ERROR,
    State.UNREACHABLE: Status.ERROR,
    State.UNTOUCHED: Status.NOT_APPLICABLE,
}
FATE_KEY = {
    Fate.UPDATED: Status.PASS,
    Fate.ALREADY: Status.PASS,
    Fate.RETURNED: Status.PARTIAL,
    Fate.UNTOUCHED: Status.NOT_APPLICABLE,
    Fate.OTHER: Status.FAIL,
    Fate.UNKNOWN: Status.ERROR,
    Fate.ALONG: Status.MANUAL,
}
# What stands between two events is named by the later one: it is what then was over.
PHASE_ZH = {
    "begun": "开始",
    "resumed": "续作：先前的运行已装好",
    "drained": "摘除分流",
    "installed": "安装",
    "restarted": "重启服务",
    "rebooted": "重启主机",
    "probed": "探测",
    "undrained": "恢复分流",
    "done": "完成",
    "returned": "退回",
    "failed": "失败",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One package on one host: planned and real. ``planned`` is False for one that merely came along."""

    host: str
    name: str
    arch: str
    before: str
    to: str
    after: str
    fate: Fate
    origin: str = ""
    security: bool = False
    advisories: tuple[Mapping[str, Any], ...] = ()
    planned: bool = True
    why: str = ""

    @property
    def patched(self) -> bool:
        """Whether the host has the planned version."""
        return self.fate in (Fate.UPDATED, Fate.ALREADY)

    @property
    def notices(self) -> tuple[str, ...]:
        """Numbers of the advisories, each with its CVE and CNVD numbers."""
        return tuple(" ".join([str(one["id"]), *map(str, one.get("cves") or ())]) for one in self.advisories)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a host's time; ``seconds`` long, ending with the event."""

    event: str
    begin: datetime
    end: datetime
    detail: str

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end - self.begin).total_seconds()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one run did to one host."""

    run: str
    events: tuple[PatchRow, ...]
    row: HostRow | None
    changes: tuple[ChangeRow, ...]
    skips: tuple[SkipRow, ...]

    @property
    def state(self) -> State:
        """What the run left. ``failed`` follows ``returned`` too, so that the order of events does not decide."""
        events = {one.event for one in self.events}
        row = self.row.state if self.row is not None else ""
        if decisive := next((one for one in ("returned", "failed", "done") if one in events), ""):
            return State(decisive)
        if row in ("unreachable", "failed"):
            return State(row)
        return State.INTERRUPTED if self.begun else State.UNTOUCHED

    @property
    def begun(self) -> bool:
        """Whether it took the host on. One that finds nothing to do merely sends it work again, to be sure."""
        return any(one.event in ("begun", "resumed") for one in self.events)

    @property
    def why(self) -> str:
        """What went wrong, in the words of the run; a run that stopped after the host was done says it here too."""
        if self.row is not None and self.row.state in ("failed", "unreachable"):
            return self.row.message or STATE_ZH[State(self.row.state)]
        told = [one.detail for one in self.events if one.event in ("returned", "failed") and one.detail]
        if told:
            return told[-1]
        if self.state is not State.INTERRUPTED:
            return ""
        return f"运行在“{PHASE_ZH.get(self.events[-1].event, self.events[-1].event)}”之后中断，没有留下结果"

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The host's time, in the order in which it passed."""
        moments = [datetime.fromisoformat(one.time) for one in self.events]
        pairs = zip(moments, moments[1:], self.events[1:], strict=False)
        return tuple(Phase(one.event, begin, end, one.detail) for begin, end, one in pairs)

    @property
    def seconds(self) -> float | None:
        """From the first to the last event; None when there were no two."""
        return sum(one.seconds for one in self.phases) if self.phases else None

    @property
    def left_drained(self) -> bool:
        """Whether it was drained and nothing says that it was sent work again."""
        flow = [one.event for one in self.events if one.event in ("drained", "undrained")]
        return bool(flow) and flow[-1] == "drained"

    @property
    def drained_seconds(self) -> float | None:
        """How long no work was sent to it; None when it was not drained, or nobody knows until when."""
        since: datetime | None = None
        total: float | None = None
        for one in self.events:
            moment = datetime.fromisoformat(one.time)
            if one.event == "drained":
                since = moment
            elif one.event == "undrained" and since is not None:
                total, since = (total or 0.0) + (moment - since).total_seconds(), None
        return total if since is None else None


@dataclass(frozen=True, slots=True)
class Story:
    """One host of the plan over all runs."""

    name: str
    wave: str
    planned: Mapping[str, Any]
    attempts: tuple[Attempt, ...]
    items: tuple[Item, ...]

    @property
    def os(self) -> str:
        """Its system, as the plan found it."""
        return str(self.planned.get("os") or "")

    @property
    def reached(self) -> tuple[Attempt, ...]:
        """Runs that began with it; if none did, those that say why they could not."""
        begun = tuple(one for one in self.attempts if one.begun)
        return begun or tuple(one for one in self.attempts if one.state is not State.UNTOUCHED)

    @property
    def state(self) -> State:
        """What the last run left that came to it."""
        return self.reached[-1].state if self.reached else State.UNTOUCHED

    @property
    def why(self) -> str:
        """Why it is not done."""
        return self.reached[-1].why if self.reached and self.state is not State.DONE else ""

    @property
    def left_drained(self) -> bool:
        """Whether the last that is known of its place behind the load balancer is that it has none."""
        flows = [one for one in self.attempts if any(e.event in ("drained", "undrained") for e in one.events)]
        return bool(flows) and flows[-1].left_drained

    @property
    def patched(self) -> int:
        """Planned packages that it has at the planned version."""
        return sum(one.planned and one.patched for one in self.items)


@dataclass(frozen=True, slots=True)
class Part:
    """What one run did of one wave; charts are of these, as a resumed run may come days later."""

    wave: str
    run: str
    hosts: tuple[tuple[Story, Attempt], ...]


@dataclass(frozen=True, slots=True)
class Advisory:
    """One advisory over all hosts. A host counts as closed when all its planned packages of it are patched."""

    id: str
    kind: str
    cves: tuple[str, ...]
    packages: tuple[str, ...]
    closed: tuple[str, ...]
    open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that did not end well, and what of it was taken back."""

    run: str
    host: str
    wave: str
    state: State
    time: str
    why: str
    returned: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exempt:
    """Packages of a host that are not patched, why, and who has it done until when (empty: to be filled in by hand)."""

    host: str
    packages: tuple[str, ...]
    why: str
    owner: str
    due: str


@dataclass(frozen=True, slots=True)
class Drift:
    """A package whose version before this plan is not the one that an earlier run left."""

    host: str
    package: str
    left: str
    found: str
    run: str
    time: str


@dataclass(frozen=True)
class Patching:
    """Everything that the report of a patch plan shows.

    Args:
        runs: that carried the plan out, oldest first; at least one, each with its signed row.
        earlier: runs of any job of the estate before them, oldest first.
        damaged: ids of records that could not be used for the comparison with earlier runs.
    """

    runs: tuple[Run, ...]
    earlier: tuple[Run, ...] = ()
    damaged: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """The digest that was signed."""
        signed = self.runs[-1].signed
        assert signed is not None
        return signed.sha256

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The plan."""
        signed = self.runs[-1].signed
        assert signed is not None
        return signed.document

    @cached_property
    def genuine(self) -> bool:
        """Whether the plan in the record has the digest that was signed."""
        return digest(self.document) == self.sha256

    @property
    def estate(self) -> str:
        """Name of the estate."""
        return self.runs[-1].begin.estate

    @property
    def last(self) -> Run:
        """The latest run."""
        return self.runs[-1]

    @cached_property
    def window(self) -> str:
        """When it was allowed, as signed."""
        window = self.document.get("window") or {}
        return f"{window.get('from') or '不限'} 至 {window.get('until') or '不限'}"

    @property
    def notice(self) -> str:
        """The security notice that the plan answers, with the hours from its receipt to the end of the last run.

        Empty for a plan without one. The notice's times are in Beijing time, as everywhere in the report.
        """
        about = self.document.get("notice") or {}
        if not about:
            return ""
        ending = ended(self.last) or datetime.fromisoformat(last_seen(self.last))
        here = (ending.astimezone(UTC) + timedelta(hours=8)).replace(tzinfo=None)
        hours = (here - datetime.fromisoformat(str(about["received"]))).total_seconds() / 3600
        text = f"{about['id']}（{about['source'] or '没有写来源'}），{about['received']} 收到"
        text += f"，最后一次运行结束时过了 {hours:.1f} 小时"
        if not about["deadline"]:
            return text
        late = here > datetime.fromisoformat(str(about["deadline"]))
        return f"{text}，期限 {about['deadline']}，{'已逾期' if late else '未逾期'}"

    @property
    def made(self) -> str:
        """Which plan it is, and when it was made. A person may have edited it, so nothing but its hosts is certain."""
        made = str(self.document.get("made") or "未写时间")
        with suppress(ValueError):  # what somebody has written over it stays as it is
            made = beijing(made)
        return f"{self.document.get('run') or '未写编号'}，制订于 {made}"

    @cached_property
    def waves(self) -> Mapping[str, tuple[str, ...]]:
        """Hosts by wave; the name of a wave stands once."""
        found: dict[str, tuple[str, ...]] = {}
        for number, wave in enumerate(self.document["waves"], start=1):
            name = str(wave.get("name") or f"第 {number} 批")
            found[f"{name}（{number}）" if name in found else name] = tuple(wave["hosts"])
        return found

    @cached_property
    def hosts(self) -> tuple[Story, ...]:
        """Hosts of the plan, wave by wave."""
        planned = self.document["hosts"]
        return tuple(self._story(name, wave, planned[name]) for wave, names in self.waves.items() for name in names)

    @property
    def unchanged(self) -> tuple[str, ...]:
        """Hosts that had nothing to install when the plan was made."""
        return tuple(map(str, self.document.get("unchanged") or ()))

    @property
    def unreachable(self) -> tuple[str, ...]:
        """Hosts that did not answer when the plan was made."""
        return tuple(map(str, self.document.get("unreachable") or ()))

    def _story(self, name: str, wave: str, planned: Mapping[str, Any]) -> Story:
        attempts = tuple(_attempt(run, name) for run in self.runs)
        return Story(name, wave, planned, attempts, tuple(_items(name, planned, attempts)))

    @cached_property
    def states(self) -> Counter[State]:
        """Hosts by what became of them."""
        return Counter(host.state for host in self.hosts)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """All packages of all hosts."""
        return tuple(item for host in self.hosts for item in host.items)

    @cached_property
    def planned(self) -> tuple[Item, ...]:
        """Packages of the plan."""
        return tuple(item for item in self.items if item.planned)

    @property
    def patched(self) -> int:
        """Packages × hosts at the planned version."""
        return sum(item.patched for item in self.planned)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Waves by run, of those hosts of which there are two events at least."""
        found = []
        for wave in self.waves:
            for number, run in enumerate(self.runs):
                hosts = [(host, host.attempts[number]) for host in self.hosts if host.wave == wave]
                timed = tuple((host, attempt) for host, attempt in hosts if attempt.phases)
                if timed:
                    found.append(Part(wave, run.begin.run, timed))
        return tuple(found)

    @cached_property
    def advisories(self) -> tuple[Advisory, ...]:
        """Advisories of the plan's packages, those that are still open somewhere first."""
        by_id: dict[str, list[tuple[Item, Mapping[str, Any]]]] = {}
        for item in self.planned:
            for one in item.advisories:
                by_id.setdefault(str(one["id"]), []).append((item, one))
        found = [_advisory(name, rows) for name, rows in sorted(by_id.items())]
        return tuple(sorted(found, key=lambda one: not one.open))

    @property
    def closed(self) -> tuple[Advisory, ...]:
        """Advisories of which nothing is left on any planned host."""
        return tuple(one for one in self.advisories if not one.open)

    @cached_property
    def unnumbered(self) -> int:
        """Security updates × hosts for which the metadata names no advisory."""
        return sum(item.security and not item.advisories for item in self.planned)

    @cached_property
    def reboots(self) -> tuple[tuple[Story, Phase], ...]:
        """Hosts that were rebooted, with the stretch that ended with their return."""
        return tuple(self._phases("rebooted"))

    @cached_property
    def restarts(self) -> tuple[tuple[Story, Phase], ...]:
        """Hosts of which services were restarted."""
        return tuple(self._phases("restarted"))

    def _phases(self, event: str) -> Iterator[tuple[Story, Phase]]:
        for host in self.hosts:
            for attempt in host.attempts:
                yield from ((host, phase) for phase in attempt.phases if phase.event == event)

    @cached_property
    def services(self) -> tuple[tuple[Run, ServiceRow | None, str], ...]:
        """What clients saw: a run with a row, or with the reason why there is none."""
        found: list[tuple[Run, ServiceRow | None, str]] = []
        for run in self.runs:
            if run.services:
                found += [(run, row, "" if row.requests else "没有发出过请求，没有测得") for row in run.services]
            else:
                found.append((run, None, NOT_DECLARED if run.end else "运行中断，没有留下探测结果"))
        return tuple(found)

    @property
    def measured(self) -> tuple[ServiceRow, ...]:
        """Rows of services that were really asked."""
        return tuple(row for _, row, why in self.services if row is not None and not why)

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """Attempts that did not end well, and done hosts to which a run's failure is attached, in the order of runs."""
        found = []
        for number, run in enumerate(self.runs):
            for host in self.hosts:
                attempt = host.attempts[number]
                if attempt.why:
                    time = attempt.events[-1].time if attempt.events else ""
                    back = tuple(_taken_back(attempt.changes))
                    found.append(Failure(run.begin.run, host.name, host.wave, attempt.state, time, attempt.why, back))
        return tuple(found)

    @property
    def untouched(self) -> tuple[Story, ...]:
        """Hosts that no run came to."""
        return tuple(host for host in self.hosts if host.state is State.UNTOUCHED)

    @property
    def left_drained(self) -> tuple[Story, ...]:
        """Hosts that may still get no work."""
        return tuple(host for host in self.hosts if host.left_drained)

    @cached_property
    def exempt(self) -> tuple[Exempt, ...]:
        """What is not patched: planned and not done, held, not asked, or declared in the plan."""
        declared = [dict(one) for one in self.document.get("exceptions") or ()]
        rows = [*self._not_patched(), *self._not_planned()]
        groups: dict[tuple[str, str, str, str], list[str]] = {}
        used = []
        for host, package, why in rows:
            known = next(
                (one for one in declared if one["host"] == host and one.get("package") in ("", None, package)), {}
            )
            used.append(known)
            said = "；".join(filter(None, (why, str(known.get("reason") or ""))))
            key = (host, said, str(known.get("owner") or ""), str(known.get("due") or ""))
            groups.setdefault(key, []).append(package)
        patched = {(item.host, item.name) for item in self.planned if item.patched}
        for one in (one for one in declared if one not in used):
            host, package, owner, due = (str(one.get(name) or "") for name in ("host", "package", "owner", "due"))
            said = str(one.get("reason") or "") + ("；没有从计划中删去，已更新" if (host, package) in patched else "")
            groups.setdefault((host, said, owner, due), []).append(package)
        return tuple(
            Exempt(host, tuple(filter(None, packages)), why, owner, due)
            for (host, why, owner, due), packages in groups.items()
        )

    def _not_patched(self) -> Iterator[tuple[str, str, str]]:
        for host in self.hosts:
            for item in host.items:
                if item.planned and not item.patched:
                    why = item.why or (f"主机{STATE_ZH[host.state]}" + (f"：{host.why}" if host.why else ""))
                    yield host.name, item.name, why

    def _not_planned(self) -> Iterator[tuple[str, str, str]]:
        for host in self.hosts:
            for package in host.planned.get("held") or ():
                yield host.name, str(package), "锁定的软件包，不更新"
        for name in self.unreachable:
            yield name, "", "制订计划时没有应答，不在计划内"

    @cached_property
    def _before(self) -> tuple[tuple[Item, str, Run], ...]:
        """Packages of the plan with the version that the last earlier run left, and that run, where it is known."""
        known: dict[tuple[str, str], tuple[int, str, Run]] = {}
        order = count()
        for run in self.earlier:
            for host, name, version in _left_by(run):
                known[host, name] = (next(order), version, run)
        found = []
        for item in self.planned:
            left = [known[item.host, name] for name in _names(item) if (item.host, name) in known]
            _, version, run = max(left, key=lambda one: one[0]) if left else (0, "", self.last)
            if version:
                found.append((item, version, run))
        return tuple(found)

    @property
    def drift(self) -> tuple[Drift, ...]:
        """Packages of the plan that somebody changed outside of Panshi since an earlier run."""
        return tuple(
            Drift(item.host, item.name, left, item.before, run.begin.run, run.begin_time)
            for item, left, run in self._before
            if item.before not in (left, *left.split(","))
        )

    @property
    def compared(self) -> int:
        """Packages × hosts of the plan of which an earlier run is known to have left a version."""
        return len(self._before)

    @property
    def alarms(self) -> tuple[GuardRow, ...]:
        """What was taken back on its own, or could not be."""
        return tuple(one for run in self.runs for one in run.guards if one.event in ("restored", "failed"))

    @property
    def skips(self) -> tuple[SkipRow, ...]:
        """What could not be done on a host."""
        return tuple(one for run in self.runs for one in run.skips)


def started(run: Run) -> datetime:
    """Return when a run was started: its id says so; the record begins with its first row."""
    return datetime.strptime(f"{run.begin.run[:15]}+0000", "%Y%m%dT%H%M%S%z")


def ended(run: Run) -> datetime | None:
    """Return when a run ended; None for one that was killed."""
    return started(run) + timedelta(seconds=run.end.seconds) if run.end else None


def last_seen(run: Run) -> str:
    """Return the time of the last event of a run, or of its first row (UTC, ISO 8601)."""
    return run.patches[-1].time if run.patches else run.begin_time


def stretch(run: Run) -> str:
    """Return from when to when a run went on, or that it was killed and when it was last heard of."""
    end = ended(run)
    until = f"至 {clock(end)}" if end else f"起，中断，最后一条 {clock(last_seen(run))}"
    return f"{clock(started(run))} {until}"


def _attempt(run: Run, host: str) -> Attempt:
    return Attempt(
        run.begin.run,
        tuple(one for one in run.patches if one.host == host),
        next((one for one in run.hosts if one.host == host), None),
        tuple(one for one in run.changes if one.host == host and one.resource.startswith(_PACKAGE)),
        tuple(one for one in run.skips if one.host == host and one.resource.startswith(_PACKAGE)),
    )


def _left_by(run: Run) -> Iterator[tuple[str, str, str]]:
    """Yield host, package and the version that a run of any job left; an empty one where that is not known.

    A run that resumed a killed one found the planned versions, though no row tells of their change.
    """
    if run.signed is None:
        for change in run.changes:
            if change.resource.startswith(_PACKAGE):
                yield change.host, change.resource.removeprefix(_PACKAGE), change.after
        return
    for host, planned in run.signed.document["hosts"].items():
        for item in _items(host, planned, (_attempt(run, host),)):
            if item.fate is not Fate.UNTOUCHED:
                yield host, item.name, item.after


def _items(host: str, planned: Mapping[str, Any], attempts: Sequence[Attempt]) -> Iterator[Item]:
    changes: dict[str, list[ChangeRow]] = {}
    for attempt in attempts:
        for change in attempt.changes:
            changes.setdefault(change.resource.removeprefix(_PACKAGE), []).append(change)
    skips = {one.resource.removeprefix(_PACKAGE): one.why for attempt in attempts for one in attempt.skips}
    for one in planned["packages"]:
        found: list[ChangeRow] = []
        why = ""
        for name in (one["name"], f"{one['name']}:{one['arch']}", f"{one['name']}.{one['arch']}"):
            found += changes.pop(name, [])
            why = why or skips.get(name, "")
        before = (found[0].before if found else one["from"]) or NOT_INSTALLED
        after, fate = _fate(one["to"], before, found, attempts, why)
        yield Item(
            host, one["name"], one["arch"], before, one["to"], after, fate,
            str(one.get("origin") or ""), bool(one.get("security")), tuple(one.get("advisories") or ()),
            why="" if fate in (Fate.UPDATED, Fate.ALREADY) else why,
        )  # fmt: skip
    for name, rows in changes.items():
        fate = Fate.RETURNED if rows[0].before == rows[-1].after else Fate.ALONG
        yield Item(host, name, "", rows[0].before, "", rows[-1].after, fate, planned=False)


def _fate(
    to: str, before: str, found: Sequence[ChangeRow], attempts: Sequence[Attempt], skipped: str
) -> tuple[str, Fate]:
    """Return the version that the host has now, as far as the record tells, and what became of the package."""
    if found:
        after = found[-1].after
        if to in after.split(","):
            return after, Fate.UPDATED
        return after, Fate.RETURNED if after == before else Fate.OTHER
    if skipped:
        return NOT_INSTALLED, Fate.UNTOUCHED
    begun = [one for one in attempts if one.begun]
    events = {event.event for one in begun for event in one.events}
    if events & {"done", "resumed"}:
        return to, Fate.ALREADY
    # A host that failed without an event of it was not changed: it was not well before.
    lost = begun and begun[-1].state in (State.INTERRUPTED, State.UNREACHABLE)
    if lost or (begun and begun[-1].state is State.FAILED and "failed" in events):
        return "", Fate.UNKNOWN
    return before, Fate.UNTOUCHED


def _names(item: Item) -> tuple[str, str, str]:
    """Return how the record may name a package: dpkg adds the architecture where it matters, rpm always."""
    return item.name, f"{item.name}:{item.arch}", f"{item.name}.{item.arch}"


def _taken_back(changes: Iterable[ChangeRow]) -> Iterator[str]:
    first: dict[str, str] = {}
    for one in changes:
        name = one.resource.removeprefix(_PACKAGE)
        if name in first and one.after == first[name]:
            yield f"{name} {one.before} → {one.after}"
        first.setdefault(name, one.before)


def _advisory(name: str, rows: Sequence[tuple[Item, Mapping[str, Any]]]) -> Advisory:
    hosts: dict[str, bool] = {}
    for item, _ in rows:
        hosts[item.host] = hosts.get(item.host, True) and item.patched
    words = [str(one.get(key) or "") for _, one in rows[:1] for key in ("type", "severity")]
    return Advisory(
        name,
        " ".join(filter(None, words)),
        tuple(dict.fromkeys(str(cve) for _, one in rows for cve in one.get("cves") or ())),
        tuple(dict.fromkeys(item.name for item, _ in rows)),
        tuple(host for host, done in hosts.items() if done),
        tuple(host for host, done in hosts.items() if not done),
    )
