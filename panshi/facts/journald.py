"""journald: the settings in force over all drop-ins, and whether the journal survives a reboot."""

from __future__ import annotations

import re
from dataclasses import dataclass

from panshi.facts.model import Facts, Item

# Strongest first (systemd-system.conf(5)): a main file or a drop-in of the same name hides the weaker ones.
_ROOTS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")
_SECONDS = {"": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "minute": 60, "minutes": 60}
_SECONDS |= {"h": 3600, "hr": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400}
_SECONDS |= {"w": 604800, "week": 604800, "weeks": 604800, "month": 2629800, "months": 2629800}
_SECONDS |= {"y": 31557600, "year": 31557600, "years": 31557600}


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in force and the file that gives it; without a file it is the built-in default."""

    value: str
    source: str = ""


def settings(facts: Facts, name: str = "journald") -> dict[str, Setting]:
    """Return the settings in force of ``<name>.conf`` and its drop-ins, by key as documented.

    Args:
        facts: the host.
        name: journald or timesyncd.
    """
    found: dict[str, Setting] = {}
    for item in _files(facts, name):
        path = item.id.removeprefix("file:")
        for line in item.out.splitlines():
            key, sep, value = line.strip().partition("=")
            if not sep or key.startswith(("#", ";")):
                continue
            if value.strip():
                found[key.strip()] = Setting(value.strip(), path)
            else:
                found.pop(key.strip(), None)
    return found


def _files(facts: Facts, name: str) -> list[Item]:
    main = [i for root in _ROOTS for i in facts.glob(f"{root}/{name}.conf") if i.ok][:1]
    by_name: dict[str, Item] = {}
    for root in _ROOTS:
        for item in facts.glob(f"{root}/{name}.conf.d/*.conf"):
            if item.ok:
                by_name.setdefault(item.id.rpartition("/")[2], item)
    return main + [by_name[key] for key in sorted(by_name)]


def seconds(text: str) -> float:
    """Return a systemd time span in seconds; 0 for what is not one.

    Args:
        text: for example ``6month``, ``180day`` or ``1w 2d``.
    """
    parts = re.findall(r"([\d.]+)\s*([a-zA-Z]*)", text)
    return sum(float(number) * _SECONDS.get(unit if unit == "M" else unit.lower(), 0) for number, unit in parts)


def persistent(facts: Facts) -> bool:
    """Return whether the journal is kept on disk (``Storage=auto`` keeps it when /var/log/journal exists)."""
    storage = settings(facts).get("Storage", Setting("auto")).value.lower()
    if storage == "auto":
        return facts.out("log.journal").startswith("persistent yes")
    return storage == "persistent"


def flag(facts: Facts, key: str) -> bool | None:
    """Return a boolean setting in force, None when neither the configuration nor the shipped file tells it.

    Built-in defaults differ between distributions; the commented line of the shipped main file shows them.

    Args:
        facts: the host.
        key: for example ``ForwardToSyslog`` or ``Audit``.
    """
    setting = settings(facts).get(key)
    shown = [re.search(rf"(?m)^#{key}=(\w+)", item.out) for item in _files(facts, "journald")]
    values = [setting.value] if setting else [match[1] for match in shown if match]
    return values[0].lower() in ("yes", "true", "1", "on") if values else None
