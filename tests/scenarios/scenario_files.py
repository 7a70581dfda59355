"""Load scenario files (docs/design.md, section 4) and lay their changes over a recorded host.

A scenario file is ``tests/scenarios/<check-id>.yml`` with ``check`` and ``scenarios``. One scenario has

* ``name``: begins with ``real_`` or ``emulated_`` (an untouched recording), ``parsed_`` (the untouched texts of a
  network device, written by hand) or ``constructed_`` (any of these, or nothing, with changes laid over it);
* ``base``: the recording ``hosts/<base>.json.gz``, or the folder of texts ``devices/<platform>-<kind>/``, one file per
  item; left out for a document that holds only what ``set`` gives;
* ``set``: item id -> new output (text), or a mapping of item fields (``rc``, ``out``, ``err``, ``stat`` …);
* ``edit``: item id -> list of ``[old, new]``; ``old`` must occur, so a scenario cannot rot silently;
* ``append``: item id -> text put behind the output (the item must exist);
* ``remove``: item ids or shell patterns; the file or answer is then absent (a path stays "looked for");
* ``params``: values that the estate sets instead of the catalogue's defaults (``bastion_addresses: [192.0.2.10]``);
* ``status``, and optionally ``observed`` and ``reason``: substrings that the verdict must show.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from panshi.checks import CHECKS
from panshi.controls.catalogue import Catalogue, load_catalogue
from panshi.controls.params import Params
from panshi.facts import FactMissing, Facts
from panshi.verdict import Status, Verdict

HERE = Path(__file__).parent
HOSTS = HERE / "hosts"
DEVICES = HERE / "devices"
KINDS = ("real_", "emulated_", "parsed_", "constructed_")
OVERLAYS = ("set", "edit", "append", "remove")
# Recordings of a Debian userland under the name and tools of another distribution (see lab/).
EMULATED_HOSTS = ("kylin", "openeuler")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One expectation: this host, seen so, gets this status."""

    check: str
    name: str
    status: Status
    base: str = ""
    set: Mapping[str, Any] = field(default_factory=dict)
    edit: Mapping[str, list[list[str]]] = field(default_factory=dict)
    append: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    observed: str = ""
    reason: str = ""

    @property
    def id(self) -> str:
        """Return the name that pytest shows."""
        return f"{self.check}-{self.name}"

    def problems(self) -> list[str]:
        """Return what is wrong with the scenario itself: a name must not promise more than was done."""
        touched = [key for key in OVERLAYS if getattr(self, key)]
        emulated = self.base.startswith(EMULATED_HOSTS)
        parsed = bool(self.base) and (DEVICES / self.base).is_dir()
        found = []
        if not self.name.startswith(KINDS):
            found.append(f"name must begin with one of {', '.join(KINDS)}")
        if self.name.startswith(("real_", "emulated_", "parsed_")):
            if touched:
                found.append(f"only constructed_ scenarios may use {', '.join(touched)}")
            if not self.base:
                found.append("needs a recorded base")
        if self.name.startswith("real_") and emulated:
            found.append(f"{self.base} is an emulated distribution: name it emulated_")
        if self.name.startswith("emulated_") and self.base and not emulated:
            found.append(f"{self.base} is a real distribution: name it real_")
        if parsed and not self.name.startswith(("parsed_", "constructed_")):
            found.append(f"{self.base} is written by hand: name it parsed_")
        if self.name.startswith("parsed_") and not parsed:
            found.append(f"{self.base} is not a text of a device")
        return found


def read_scenarios(path: Path) -> list[Scenario]:
    """Return the scenarios of one file; an unknown key raises TypeError."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [_scenario(content["check"], entry) for entry in content["scenarios"]]


def _scenario(check_id: str, entry: Mapping[str, Any]) -> Scenario:
    values = dict(entry)
    values["status"] = Status(values["status"])
    values["remove"] = tuple(values.get("remove", ()))
    return Scenario(check=check_id, **values)


def all_scenarios() -> list[Scenario]:
    """Return the scenarios of every file in this folder, sorted by file name."""
    return [scenario for path in sorted(HERE.glob("*.yml")) for scenario in read_scenarios(path)]


@cache
def _recording(base: str) -> str:
    return gzip.decompress((HOSTS / f"{base}.json.gz").read_bytes()).decode("utf-8")


def recording(base: str) -> Document:
    """Return a fresh copy of a recorded document, or a bare one for ``base`` ``""``."""
    if (DEVICES / base).is_dir() and base:
        return device(base)
    if base:
        document: Document = json.loads(_recording(base))
        return document
    return {"schema": 1, "collector": "constructed", "globs": ["/etc/*", "/usr/lib/*", "/lib/*", "/run/*"], "items": {}}


def device(base: str) -> Document:
    """Return the document of a device from its folder of texts; the platform is the first part of the folder's name."""
    items = {path.stem: {"cmd": path.stem, "out": path.read_text("utf-8")} for path in (DEVICES / base).glob("*.txt")}
    return {"schema": 1, "collector": "network", "platform": base.partition("-")[0], "globs": [], "items": items}


def _default_item(item_id: str) -> dict[str, Any]:
    if not item_id.startswith("file:"):
        return {"cmd": item_id}
    stat = {"type": "file", "mode": "0644", "owner": "root", "group": "root", "uid": 0, "gid": 0, "size": 0, "mtime": 0}
    return {"cmd": f"cat {item_id[5:]}", "stat": stat}


def overlay(document: Document, scenario: Scenario) -> Document:
    """Lay the scenario's changes over a document, in the order remove, set, edit, append.

    Raises:
        ValueError: when something to remove, edit or append to is not there.
    """
    items: dict[str, dict[str, Any]] = document["items"]
    for pattern in scenario.remove:
        gone = [item_id for item_id in items if fnmatchcase(item_id, pattern)]
        if not gone:
            raise ValueError(f"{scenario.id}: nothing to remove for {pattern}")
        for item_id in gone:
            del items[item_id]
    for item_id, change in scenario.set.items():
        fields = {"out": change} if isinstance(change, str) else dict(change)
        item = items.get(item_id) or _default_item(item_id)
        stat = {**item.get("stat", {}), **fields.pop("stat", {})}
        items[item_id] = {**item, "rc": 0, **fields, **({"stat": stat} if stat else {})}
    for item_id, pairs in scenario.edit.items():
        for old, new in pairs:
            if old not in items.get(item_id, {}).get("out", ""):
                raise ValueError(f"{scenario.id}: {old!r} is not in {item_id}")
            items[item_id]["out"] = items[item_id]["out"].replace(old, new)
    for item_id, text in scenario.append.items():
        if item_id not in items:
            raise ValueError(f"{scenario.id}: no {item_id} to append to")
        items[item_id]["out"] = items[item_id].get("out", "") + text
    return document


@cache
def catalogue() -> Catalogue:
    """Return the loaded catalogue."""
    return load_catalogue()


def run(scenario: Scenario) -> Verdict:
    """Return what the scenario's check says; missing facts give ``error`` as in the engine."""
    facts = Facts(overlay(recording(scenario.base), scenario))
    try:
        return CHECKS[scenario.check](facts, Params(catalogue().parameters(), scenario.params))
    except FactMissing as missing:
        return Verdict(Status.ERROR, "", reason=str(missing))
