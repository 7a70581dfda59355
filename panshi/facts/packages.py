"""Installed packages and how their versions compare, the way dpkg and rpm themselves do it.

Sources: deb-version(7) for the Debian order; the comment block of rpm's ``rpmio/rpmvercmp.c`` and rpm's manual page
"rpm-version" for ``~`` (sorts before everything) and ``^`` (sorts after the base version, before a longer one).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

from panshi.facts.model import Facts

_DEB_PARTS = re.compile(r"(\D*)(\d*)")
_RPM_SEGMENT = re.compile(r"\d+|[A-Za-z]+|~|\^")


@dataclass(frozen=True, slots=True)
class Package:
    """One installed binary package; ``version`` is complete (epoch and revision or release)."""

    name: str
    version: str
    arch: str
    source: str = ""


def _sign(left: int, right: int) -> int:
    return (left > right) - (left < right)


def _split_epoch(version: str) -> tuple[int, str]:
    epoch, colon, rest = version.partition(":")
    return (int(epoch), rest) if colon and epoch.isdigit() else (0, version.removeprefix("(none):"))


def _deb_character(character: str) -> int:
    """Return the sort weight: ``~`` before the end of the text, letters before everything else."""
    if character == "~":
        return -1
    return ord(character) if character.isalpha() or not character else ord(character) + 256


def _compare_deb_part(left: str, right: str) -> int:
    for (a_text, a_number), (b_text, b_number) in zip_longest(
        _DEB_PARTS.findall(left), _DEB_PARTS.findall(right), fillvalue=("", "")
    ):
        for a, b in zip_longest(a_text, b_text, fillvalue=""):
            order = _sign(_deb_character(a) if a else 0, _deb_character(b) if b else 0)
            if order:
                return order
        order = _sign(int(a_number or 0), int(b_number or 0))
        if order:
            return order
    return 0


def compare_deb(left: str, right: str) -> int:
    """Return -1, 0 or 1 as ``dpkg --compare-versions`` orders two Debian versions."""
    (a_epoch, a), (b_epoch, b) = _split_epoch(left), _split_epoch(right)
    a_upstream, _, a_revision = a.rpartition("-") if "-" in a else (a, "", "")
    b_upstream, _, b_revision = b.rpartition("-") if "-" in b else (b, "", "")
    return (
        _sign(a_epoch, b_epoch)
        or _compare_deb_part(a_upstream, b_upstream)
        or _compare_deb_part(a_revision, b_revision)
    )


def compare_rpm_part(left: str, right: str) -> int:
    """Return -1, 0 or 1 as rpm's ``rpmvercmp`` orders two versions or two releases (no epoch, no dash)."""
    if left == right:
        return 0
    for a, b in zip_longest(_RPM_SEGMENT.findall(left), _RPM_SEGMENT.findall(right)):
        if a == b:
            continue
        if "~" in (a, b):
            return -1 if a == "~" else 1
        if "^" in (a, b):
            # a caret is newer than the end of the other text and older than any further segment of it
            if a == "^":
                return 1 if b is None else -1
            return -1 if a is None else 1
        if a is None or b is None:
            return -1 if a is None else 1
        if a.isdigit() != b.isdigit():
            return 1 if a.isdigit() else -1
        order = _sign(int(a), int(b)) if a.isdigit() else (a > b) - (a < b)
        if order:
            return order
    return 0


def compare_rpm(left: str, right: str) -> int:
    """Return -1, 0 or 1 for two ``[epoch:]version[-release]``; a missing release matches every release."""
    (a_epoch, a), (b_epoch, b) = _split_epoch(left), _split_epoch(right)
    (a_version, _, a_release), (b_version, _, b_release) = a.partition("-"), b.partition("-")
    order = _sign(a_epoch, b_epoch) or compare_rpm_part(a_version, b_version)
    return order or (compare_rpm_part(a_release, b_release) if a_release and b_release else 0)


def compare(family: str, left: str, right: str) -> int:
    """Return -1, 0 or 1 in the order of the family (``debian`` or ``rpm``)."""
    return compare_deb(left, right) if family == "debian" else compare_rpm(left, right)


def upstream_version(version: str) -> str:
    """Return the upstream part: no epoch, no Debian revision or rpm release."""
    bare = _split_epoch(version)[1]
    return bare.rpartition("-")[0] if "-" in bare else bare


def parse_dpkg(text: str) -> list[Package]:
    """Return the really installed packages of item ``pkg.dpkg`` (removed ones keep only their configuration)."""
    found = []
    for line in text.splitlines():
        name, version, arch, status, *rest = [*line.split("\t"), "", "", "", ""]
        if version and (status.endswith("installed") and "not-installed" not in status or status.startswith("ii")):
            found.append(Package(name, version, arch, rest[0]))
    return found


def parse_rpm(text: str) -> list[Package]:
    """Return the packages of item ``pkg.rpm``."""
    found = []
    for line in text.splitlines():
        name, version, arch, source, *_ = [*line.split("\t"), "", "", "", ""]
        if version:
            found.append(Package(name, version.removeprefix("(none):"), arch, re.sub(r"-[^-]+-[^-]+$", "", source)))
    return found


def installed(facts: Facts) -> Mapping[str, Package]:
    """Return the newest installed package per name, whatever the family of the host.

    Raises:
        FactMissing: when neither package list was collected.
    """
    family = facts.family
    return _newest(family, facts.out("pkg.rpm" if family == "rpm" else "pkg.dpkg"))


@lru_cache(maxsize=2)  # several checks of one host ask the same text
def _newest(family: str, text: str) -> Mapping[str, Package]:
    found: dict[str, Package] = {}
    for package in parse_rpm(text) if family == "rpm" else parse_dpkg(text):
        other = found.get(package.name)
        if other is None or compare(family, package.version, other.version) > 0:
            found[package.name] = package
    return found
