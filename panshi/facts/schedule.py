"""What runs by itself and how often: cron lines and systemd timers as one list of jobs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from panshi.facts.model import Facts
from panshi.facts.systemd import units

DAY = 86400
_NAMED = {
    "@hourly": 1 / 24,
    "@daily": 1,
    "@midnight": 1,
    "@weekly": 7,
    "@monthly": 31,
    "@yearly": 366,
    "@annually": 366,
}
_CRON = re.compile(r"(?P<when>@\w+|(?:\S+\s+){4}\S+)\s+(?P<command>.*)")
_STAMP = re.compile(r"\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\w+)")
# list-timers names the zone by its letters only; CST on a host in China is UTC+8.
_ZONE_HOURS = {"UTC": 0, "GMT": 0, "CST": 8}


@dataclass(frozen=True, slots=True)
class Job:
    """One scheduled job.

    Args:
        command: what it runs (for a timer: the unit).
        place: crontab file, or the timer.
        days: the longest pause between two runs, in days; None when it could not be worked out.
        last: when it last ran (timers only), unix seconds.
    """

    command: str
    place: str
    days: float | None
    last: float | None = None


def jobs(facts: Facts) -> list[Job]:
    """Return cron jobs (when a cron daemon or anacron is there to run them) and active timers.

    Raises:
        FactMissing: when neither crontabs nor timers were collected.
    """
    found = parse_cron(facts.out("cron.jobs"))
    timers = facts.item("systemd.timers")
    if timers.ok:
        active = {name for name, unit in units(facts).items() if unit.running}
        found += [job for job in parse_timers(timers.out) if job.place in active]
    return found


def matching(found: Iterable[Job], patterns: Iterable[str]) -> list[Job]:
    """Return the jobs whose command, or whose file name or timer, contains one of the words as a whole word."""
    wanted = re.compile("|".join(rf"(?<![\w-]){re.escape(word)}(?![\w])" for word in patterns))
    return [job for job in found if wanted.search(job.command) or wanted.search(job.place)]


def parse_cron(text: str) -> list[Job]:
    """Return the jobs of item ``cron.jobs`` (``path:line``; ``/etc/cron.daily/x:@daily`` for run-parts)."""
    found = []
    for row in text.splitlines():
        path, _, line = row.partition(":")
        if re.match(r"\w+\s*=", line):
            continue
        if line in _NAMED:
            found.append(Job(path, path, _NAMED[line]))
        elif path.endswith("/anacrontab"):
            words = line.split(None, 3)
            if len(words) == 4:
                found.append(Job(words[3], path, float(words[0]) if words[0].isdigit() else _NAMED.get(words[0])))
        elif (match := _CRON.match(line)) is not None:
            found.append(Job(match["command"], path, _pause(match["when"].split())))
    return found


def _pause(fields: list[str]) -> float | None:
    """Return the longest pause in days between two runs of a cron line."""
    if len(fields) == 1:
        return _NAMED.get(fields[0])
    minute, hour, day, month, weekday = fields
    if month != "*":
        return 366.0
    if weekday not in ("*", "0-7", "0-6", "1-7") and not weekday.startswith("*/"):
        return 7.0 if "," not in weekday and "-" not in weekday else 4.0
    if day.startswith("*/") and day[2:].isdigit():
        return float(day[2:])
    if day != "*":
        return 31.0
    if hour.startswith("*/") and hour[2:].isdigit():
        return int(hour[2:]) / 24
    return 1.0 if hour != "*" else (1 / 24 if minute != "*" else 1 / 1440)


def parse_timers(text: str) -> list[Job]:
    """Return the jobs of ``systemctl list-timers --no-legend``; the pause is next run minus last, if both are known."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or not words[-2].endswith(".timer"):
            continue
        stamps = [_unix(stamp, zone) for stamp, zone in _STAMP.findall(line)]
        following = stamps[0] if stamps and line.lstrip()[:1].isalpha() and not line.startswith("n/a") else None
        last = stamps[-1] if len(stamps) > 1 or (stamps and following is None) else None
        days = (following - last) / DAY if following is not None and last is not None else None
        found.append(Job(words[-1], words[-2], days, last))
    return found


def _unix(stamp: str, zone: str) -> float:
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp() - 3600 * _ZONE_HOURS.get(zone, 0)
