"""What the lines of products' and applications' own logs say: how many, which errors, who was refused.

Travels to targets with the module ``panshi_log_review``: standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ansible.module_utils import panshi_logs as logs

# The first level that a line names is its own: bracketed (nginx, MariaDB), or a word by itself (log4j, Tomcat).
_HEAD = 200
_LEVEL = re.compile(
    rb"\[(error|crit|alert|emerg|warn|notice|info|debug|warning|note)\]"
    rb"|(?<![\w.])(ERROR|FATAL|SEVERE|CRITICAL|ALERT|EMERG|PANIC"
    rb"|WARN|WARNING|Warning|Note|INFO|NOTICE|DEBUG|FINE|TRACE)(?![\w.])",
    re.ASCII,
)
_ERRORS = frozenset(b"error crit alert emerg ERROR FATAL SEVERE CRITICAL ALERT EMERG PANIC".split())
# An access log's status, after the request in its quotes; a request that was cut off may have an escaped one inside.
_STATUS = re.compile(rb'"([A-Z]+) ([^" ?]*)[^"]*" ([1-5]\d\d) ')
_DENIED = re.compile(rb"Access denied for user '([^']*)'@'([^']*)'")
# A time stands before the level; what is folded away would otherwise be most of the line.
_BEFORE = re.compile(r"^[\s\d<>年月日数:./,+TZ-]*(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)?[\s\d:./,+TZ-]*")
_TICK = 5000


class Said(NamedTuple):
    """What a line says: an error's text, a refused request, a refused login (account, source); or nothing of these."""

    error: str = ""
    refused: bool = False
    login: Optional[Tuple[str, str]] = None


def said_by(line: bytes) -> Said:
    """Return what a line of a log says."""
    line = line.rstrip()
    asked = _STATUS.search(line)
    if asked:
        method, path, status = (one.decode("utf-8", "replace") for one in asked.groups())
        error = "HTTP %s %s %s" % (status, method, path) if status[0] == "5" else ""
        return Said(error, status in ("401", "403"))
    denied = _DENIED.search(line)
    login = tuple(one.decode("utf-8", "replace") for one in denied.groups()) if denied else None
    level = _LEVEL.search(line[:_HEAD])
    error = line.decode("utf-8", "replace") if level and (level.group(1) or level.group(2)) in _ERRORS else ""
    return Said(_BEFORE.sub("", error), False, login)  # type: ignore[arg-type]


class Application:
    """What one declared log says of a period."""

    def __init__(self, name: str) -> None:
        self.name, self.lines, self.refused, self.newest = name, 0, 0, 0.0
        self.errors, self.logins = Counter(), Counter()  # type: Counter, Counter

    def count(self, moment: float, line: bytes, folded: Callable[[str], str]) -> None:
        """Count a line."""
        self.lines += 1
        self.newest = max(self.newest, moment)
        said = said_by(line)
        self.refused += said.refused
        if said.error:
            self.errors[folded(said.error)] += 1
        if said.login:
            self.logins[said.login] += 1


def files_of(config: Dict[str, Any], policy: Dict[str, Any], since: float) -> List[str]:
    """Return the files of a log that may hold lines younger than ``since``: archived, rotated, live."""
    folder = logs.folder_of(config, policy)
    rows = logs.kept(logs.manifest(folder)[0])
    archived = [name for name, row in sorted(rows.items()) if row.get("last") is None or row["last"] >= since]
    rest = logs.rotated_files(policy, time.time(), {}) + logs.live_files(policy)
    young = [path for path in dict.fromkeys(rest) if os.stat(path).st_mtime >= since]
    return [path for path in (os.path.join(folder, name) for name in archived) if os.path.isfile(path)] + young


def lines_of(path: str, now: float) -> Iterator[Tuple[float, bytes]]:
    """Yield time and text of each line; a line without a time has that of the one before, 0 before the first."""
    moment = 0.0
    with logs.opened(path) as file:
        for line in file:
            found = logs.line_time(line, now)
            moment = moment if found is None else found
            yield moment, line


def read(
    config: Dict[str, Any], policy: Dict[str, Any], period: Tuple[float, float], deadline: float,
    folded: Callable[[str], str],
) -> Tuple[Application, str]:  # fmt: skip
    """Read one log.

    Args:
        config: ``archive``, the folder of archives.
        policy: as ``panshi/logs/declared.py`` makes it.
        period: from and to, seconds since 1970. A line of a log without times is counted by its file's.
        deadline: monotonic second until which it may read.
        folded: makes texts of the same kind the same.

    Returns:
        What was counted, and why it is not all of it; empty when it is.
    """
    found, (since, until) = Application(policy["name"]), period
    for path in files_of(config, policy, since):
        try:
            for number, (moment, line) in enumerate(lines_of(path, until)):
                if number % _TICK == 0 and time.monotonic() > deadline:
                    return found, "时间用尽，%s 没有读完" % path
                if not moment or since <= moment <= until:
                    found.count(moment, line, folded)
        except logs.UNREADABLE as error:
            return found, "%s 读不完：%s" % (path, error)
    return found, ""
