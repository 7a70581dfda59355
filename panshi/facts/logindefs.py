"""``/etc/login.defs`` (login.defs(5)) and the defaults of useradd(8)."""

from __future__ import annotations

import re

from panshi.facts.model import Facts

PATH = "/etc/login.defs"
# shadow's own value when login.defs names none (login.defs(5)).
UID_MIN, UID_MAX = 1000, 60000


def parse(text: str) -> dict[str, str]:
    """Return name -> value; as in shadow's getdef, the last line of a name wins."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split("#", 1)[0].split(None, 1)
        if words:
            values[words[0]] = words[1].strip().strip('"') if len(words) > 1 else ""
    return values


def number(facts: Facts, name: str) -> int | None:
    """Return a number of login.defs, None when it is not set or no number."""
    value = parse(facts.text(PATH)).get(name, "")
    return int(value) if re.fullmatch(r"-?\d+", value) else None


def text(facts: Facts, name: str) -> str:
    """Return a value of login.defs, "" when it is not set."""
    return parse(facts.text(PATH)).get(name, "")


def place(facts: Facts, name: str) -> str:
    """Return in Chinese the line that decides, or that none does."""
    hits = [n for n, line in enumerate(facts.text(PATH).splitlines(), 1) if line.split("#")[0].split()[:1] == [name]]
    return f"{PATH} 第 {hits[-1]} 行" if hits else f"{PATH} 未设置 {name}"


def uid_range(facts: Facts) -> tuple[int, int]:
    """Return the first and last UID of ordinary accounts on this host."""
    low, high = number(facts, "UID_MIN"), number(facts, "UID_MAX")
    return (UID_MIN if low is None else low, UID_MAX if high is None else high)


def useradd_defaults(facts: Facts) -> dict[str, str]:
    """Return what ``useradd -D`` prints: GROUP, HOME, INACTIVE (days after expiry, -1 = never), EXPIRE, SHELL …"""
    return dict(line.partition("=")[::2] for line in facts.out("account.useradd_defaults").splitlines() if "=" in line)
