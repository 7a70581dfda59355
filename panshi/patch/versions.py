"""The ledger of versions: of every declared product, what is installed, what the sources have, and since when (pure).

Read once a month; what has become new, is still open or was closed since is the difference to the record before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panshi.errors import PanshiError
from panshi.record import Run, VersionRow, list_runs, read_run, verify_run

_HELP = "写法见 docs/runbook-mirror.md"
_FAMILIES = ("debian", "rpm")


@dataclass(frozen=True, slots=True)
class Product:
    """What the estate wants to know about.

    Args:
        name: as the table shows it.
        packages: names by family, debian and rpm.
        policy: in the estate's words, when it is updated.
    """

    name: str
    packages: Mapping[str, Sequence[str]]
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """What has changed since the run before; rows of this run, but for ``silent``.

    Args:
        new: outdated now and not before.
        open: outdated before, and now or not known to the sources any more.
        closed: outdated before, and now up to date, or not installed any more (rows of the run before).
        silent: outdated before, on hosts that did not answer now (rows of the run before).
    """

    new: Sequence[VersionRow]
    open: Sequence[VersionRow]
    closed: Sequence[VersionRow]
    silent: Sequence[VersionRow]


def products_of(declared: Any) -> list[Product]:
    """Return the products of the variable ``versions_products``.

    Raises:
        PanshiError: PS-E6609 it is not what the manual describes.
    """
    if not isinstance(declared, list) or not declared:
        raise PanshiError("PS-E6609", "versions_products 应为产品的列表，而且不能是空的", _HELP)
    found: list[Product] = []
    for one in declared:
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or not one["name"]:
            raise PanshiError("PS-E6609", f"versions_products 中的 {str(one)[:80]} 缺少 name", _HELP)
        name = one["name"]
        if unknown := sorted(set(one) - {"name", "policy", *_FAMILIES}):
            raise PanshiError("PS-E6609", f"versions_products 的 {name} 没有字段 {'、'.join(map(str, unknown))}", _HELP)
        packages = {family: one[family] for family in _FAMILIES if family in one}
        if not packages or not all(_names(value) for value in packages.values()):
            raise PanshiError("PS-E6609", f"versions_products 的 {name} 应有 debian 或 rpm：软件包名的列表", _HELP)
        if any(name == other.name for other in found):
            raise PanshiError("PS-E6609", f"versions_products 中 {name} 出现不止一次", _HELP)
        found.append(Product(name, packages, str(one.get("policy") or "")))
    return found


def _names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) and one for one in value)


def names_of(products: Iterable[Product]) -> list[str]:
    """Return the names of all packages of all families."""
    return sorted({name for product in products for names in product.packages.values() for name in names})


def rows_of(
    products: Sequence[Product], answers: Mapping[str, Mapping[str, Any]], before: Sequence[VersionRow]
) -> list[VersionRow]:
    """Return a row for every installed package of a product.

    Args:
        products: as declared.
        answers: by host name, what the module ``panshi_updates`` returned, with ``offered``.
        before: rows of the run before, which know since when a version is known.
    """
    known = {(row.package, row.newest): row.since for row in before if row.since}
    rows = []
    for host, found in sorted(answers.items()):
        updates = {one["name"]: one for one in found["updates"]}
        for product in products:
            for package in product.packages.get(found["family"], ()):
                if package in found["versions"]:
                    offer = found["offered"].get(package, {})
                    rows.append(_row(host, product, package, found["versions"][package], offer, updates, known))
    return rows


def _row(
    host: str,
    product: Product,
    package: str,
    installed: str,
    offer: Mapping[str, Any],
    updates: Mapping[str, Mapping[str, Any]],
    known: Mapping[tuple[str, str], str],
) -> VersionRow:
    outdated = bool(offer.get("newer"))
    update = updates.get(package, {}) if outdated else {}
    newest, origin = str(offer.get("version", "")), str(update.get("origin") or offer.get("source", ""))
    # a held package is in no list of updates; then the name of its suite tells
    security = bool(update.get("security")) or (outdated and bool(re.search("security", origin, re.I)))
    return VersionRow(
        host=host,
        product=product.name,
        package=package,
        installed=installed,
        newest=newest,
        origin=origin,
        security=security,
        outdated=outdated,
        since=known.get((package, newest)) or str(offer.get("date", "")),
        advisories=[" ".join([one["id"], *one["cves"]]) for one in update.get("advisories", ())],
        policy=product.policy,
    )


def difference(before: Iterable[VersionRow], now: Sequence[VersionRow], answered: Iterable[str]) -> Difference:
    """Return what has changed between two runs.

    Args:
        before: rows of the run before.
        now: rows of this run.
        answered: hosts of this run, also those without a product: a host that was not asked has closed nothing.
    """
    was = {(row.host, row.package): row for row in before if row.outdated}
    present = {(row.host, row.package): row for row in now}
    hosts = set(answered)
    gone = [row for key, row in was.items() if key not in present]
    return Difference(
        new=[row for key, row in present.items() if row.outdated and key not in was],
        open=[row for key, row in present.items() if key in was and (row.outdated or not row.newest)],
        closed=[row for key, row in present.items() if key in was and row.newest and not row.outdated]
        + [row for row in gone if row.host in hosts],
        silent=[row for row in gone if row.host not in hosts],
    )


def last_run(root: Path, estate: str, job: str) -> Run | None:
    """Return the newest complete and unchanged run of a job, or None when there is none."""
    for path in reversed(list_runs(root, estate, job)):
        if not verify_run(path):
            return read_run(path)
    return None
