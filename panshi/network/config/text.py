"""A configuration for eyes and records: what changes by itself taken out, what is secret masked (pure)."""

from __future__ import annotations

import difflib
import re

from panshi.network.config.rulebook import rule_book
from panshi.network.config.tree import Node, parse, render

MASK = "***"


def normal(text: str, platform: str) -> str:
    """Return a configuration without what changes by itself (headers, clocks, counters); hashes stay.

    A view of which there is one is left out while it is empty: once entered it may be shown, and says nothing.

    Raises:
        PanshiError: PS-E8070, PS-E8071, as ``parse``.
    """
    tree, lone = parse(text, platform), rule_book(platform).lone
    said = (one for one in tree.children if one.children or not any(view.match(one.line) for view in lone))
    return render(Node("", tuple(said)), platform)


def masked(text: str, platform: str) -> str:
    """Return a configuration, or a command of it, with every password, key, community and hash as ``***``."""
    for pattern in rule_book(platform).secrets:
        text = pattern.sub(_hide, text)
    return text


def differences(before: Node, after: Node, platform: str) -> str:
    """Return what two trees differ in as a unified diff with the views around it, secrets masked; empty if alike.

    A secret that differs is seen as a line taken out and a line put in, both masked.
    """
    # Every line is compared with the views that it stands in: the same line of another interface is another line.
    old, new = _flat(before), _flat(after)
    if old == new:
        return ""
    found: list[str] = []
    shown: tuple[str, ...] = ()
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for sign, rows in (("-", old[i1:i2]), ("+", new[j1:j2])):
            for row in rows:
                found += _around(row[:-1], shown)
                found.append(sign + " " * (len(row) - 1) + row[-1])
                shown = row
    return masked("\n".join(found) + "\n", platform)


def _flat(tree: Node) -> list[tuple[str, ...]]:
    return [(*path, node.line) for path, node in tree.walk()]


def _around(views: tuple[str, ...], shown: tuple[str, ...]) -> list[str]:
    """Return the lines of the views that the row before has not shown."""
    same = next((n for n, (a, b) in enumerate(zip(views, shown, strict=False)) if a != b), min(len(views), len(shown)))
    return [" " * (depth + 1) + view for depth, view in enumerate(views) if depth >= same]


def _hide(found: re.Match[str]) -> str:
    start, end = (place - found.start() for place in found.span(1))
    return found[0][:start] + MASK + found[0][end:]
