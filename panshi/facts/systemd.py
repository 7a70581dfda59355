"""Units as systemd sees them: list-units, list-unit-files and show, merged into one answer per service.

The running state and the state at the next boot are two questions; a service that audits must answer both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from panshi.facts.model import Facts

# States of systemctl list-unit-files in which the unit comes up at boot without anybody's hand.
_AT_BOOT = frozenset({"enabled", "enabled-runtime", "alias", "static", "generated", "indirect", "linked"})
_BULLETS = "●○×↻*"


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit.

    Args:
        name: with suffix, for example ``auditd.service``.
        load: loaded, masked, not-found, error or "" when systemd does not know the unit.
        active: active, activating, inactive, failed or "".
        sub: running, exited, dead, listening … or "".
        boot: state of its unit file (enabled, disabled, static, masked …) or "".
        properties: what ``systemctl show`` said, by name.
    """

    name: str
    load: str = ""
    active: str = ""
    sub: str = ""
    boot: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether the unit is installed (a masked unit is not usable, but it exists)."""
        return self.load not in ("", "not-found", "error", "bad-setting") or self.boot != ""

    @property
    def running(self) -> bool:
        """Whether the unit is active now (for a one-shot: has done its work)."""
        return self.active in ("active", "reloading")

    @property
    def at_boot(self) -> bool:
        """Whether the unit comes up at boot; a static unit does when something pulled it in, that is: when it runs."""
        return self.boot in _AT_BOOT and (self.boot not in ("static", "indirect", "linked") or self.running)

    @property
    def text(self) -> str:
        """Return the state in one short line for a verdict."""
        if not self.exists:
            return f"{self.name} 未安装"
        return f"{self.name} {self.active or 'inactive'}（{self.sub or '-'}），开机 {self.boot or '-'}"


def parse_units(text: str) -> dict[str, Unit]:
    """Parse ``systemctl list-units --all`` (with or without legend and status bullets) by unit name."""
    found = {}
    for line in text.splitlines():
        words = line.lstrip(_BULLETS + " \t").split(None, 4)
        if len(words) >= 4 and "." in words[0] and words[1] != "LOAD":
            found[words[0]] = Unit(words[0], load=words[1], active=words[2], sub=words[3])
    return found


def parse_unit_files(text: str) -> dict[str, str]:
    """Parse ``systemctl list-unit-files``: state of the unit file by unit name."""
    rows = (line.split() for line in text.splitlines())
    return {words[0]: words[1] for words in rows if len(words) >= 2 and "." in words[0] and words[1] != "FILE"}


@lru_cache(maxsize=2)  # some forty checks of one host ask the same text
def parse_show(text: str) -> Mapping[str, Mapping[str, str]]:
    """Parse ``systemctl show`` of several units: properties by ``Id``; blocks are separated by empty lines."""
    found: dict[str, dict[str, str]] = {}
    for block in text.split("\n\n"):
        rows = (line.partition("=") for line in block.splitlines())
        properties = {key: value for key, is_property, value in rows if is_property}
        if properties.get("Id"):
            found[properties["Id"]] = properties
    return found


def units(facts: Facts) -> Mapping[str, Unit]:
    """Return every unit that systemd lists, with its unit file state, by name.

    Raises:
        FactMissing: when the host does not run systemd or the lists were not collected.
    """
    return _merged(facts.out("systemd.units"), facts.out("systemd.unit_files"))


@lru_cache(maxsize=2)
def _merged(units_text: str, files_text: str) -> Mapping[str, Unit]:
    listed = parse_units(units_text)
    files = parse_unit_files(files_text)
    idle = {name: Unit(name, "loaded", "inactive", "dead", state) for name, state in files.items()}
    return idle | {name: replace(found, boot=files.get(name, "")) for name, found in listed.items()}


def unit(facts: Facts, name: str) -> Unit:
    """Return one unit; ``name`` without suffix means the service. Never None: see :attr:`Unit.exists`.

    Raises:
        FactMissing: when the host does not run systemd or the lists were not collected.
    """
    full = name if "." in name else f"{name}.service"
    shown = parse_show(facts.item("systemd.show").out).get(full) if facts.has("systemd.show") else None
    known = units(facts).get(full, Unit(full))
    if shown is None:
        return known
    return Unit(
        full,
        load=shown.get("LoadState") or known.load,
        active=shown.get("ActiveState") or known.active,
        sub=shown.get("SubState") or known.sub,
        boot=shown.get("UnitFileState") or known.boot,
        properties=shown,
    )


def first_running(facts: Facts, names: Iterable[str]) -> Unit | None:
    """Return the first unit of ``names`` that runs now, else the first that exists, else None."""
    candidates = [found for name in names if (found := unit(facts, name)).exists]
    return next((u for u in candidates if u.running), candidates[0] if candidates else None)
