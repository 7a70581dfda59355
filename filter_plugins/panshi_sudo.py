"""Who else may become root: the audit's own judgement, on sudoers as they are now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from panshi.checks.linux.privileges import sudo_restricted
from panshi.controls.params import Params
from panshi.facts import Facts
from panshi.harden import estate
from panshi.verdict import Status


def undeclared_root(listing: str, hostname: str, declared: Mapping[str, Any]) -> str:
    """Return in Chinese the grants that amount to root and that the estate has not declared; "" when there is none.

    Args:
        listing: ``grep -r "" /etc/sudoers /etc/sudoers.d``, ``path:line`` each.
        hostname: of the host, for rules that name hosts.
        declared: the catalogue's parameters ``sudo_full_subjects``, ``sudo_nopasswd_subjects`` and
            ``sudo_root_equivalents`` as they hold for the host.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    for row in listing.splitlines():
        path, _, line = row.partition(":")
        texts[path].append(line)
    items = {f"file:{path}": {"cmd": f"cat {path}", "out": "\n".join(lines)} for path, lines in texts.items()}
    facts = Facts({"hostname": hostname, "items": items, "globs": ["/etc/sudoers"]})
    verdict = sudo_restricted(facts, Params(estate.catalogue().parameters(), declared))
    return verdict.reason if verdict.status is Status.FAIL else ""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"undeclared_root": undeclared_root}
