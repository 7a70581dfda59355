"""Orders that show something and change nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .grammar import Match
from .tree import lines_of

if TYPE_CHECKING:
    from .session import Session

ORDERS = (
    "running",
    "block_interface",
    "startup",
    "candidate",
    "this",
    "nothing",
    "page_length",
    "archive",
    "policy_state",
)
_FILTER = re.compile(r"\s\|\s*(include|exclude|begin|section|count)\s+(.+)$")


def split(line: str) -> tuple[str, tuple[str, str] | None]:
    """Part a display command from the filter behind its pipe."""
    found = _FILTER.search(line)
    return (line[: found.start()].rstrip(), (found[1], found[2].strip())) if found else (line, None)


def filtered(text: str, by: tuple[str, str] | None) -> str:
    """Return what a filter lets through."""
    if by is None:
        return text
    how, pattern = by
    lines = text.split("\n")
    hits = [bool(re.search(pattern, line)) for line in lines]
    if how == "begin":
        return "\n".join(lines[hits.index(True) :] if True in hits else [])
    if how == "count":
        return f"Total number of lines: {sum(hits)}."
    if how == "section":
        inside = False
        for at, line in enumerate(lines):
            inside = hits[at] or (inside and line.startswith(" "))
            hits[at] = inside
    return "\n".join(line for line, hit in zip(lines, hits, strict=True) if hit != (how == "exclude"))


async def running(session: Session, match: Match) -> str:
    """Show the running configuration, or the blocks of one kind."""
    kind, device = session.kind, session.device
    if "block" in match.names:
        return _blocks(session, match.names["block"])
    body = device.running
    return _whole(kind.running_intro.format(size=len(body), name=device.hostname), kind.header, body, kind.footer)


async def block_interface(session: Session, match: Match) -> str:
    """Show the block of an interface."""
    return _blocks(session, f"interface {match.names['block']}")


def _blocks(session: Session, wanted: str) -> str:
    kind, nodes = session.kind, session.device.tree.shown()
    chosen = [node for node in nodes if node.key == wanted] or [node for node in nodes if node.key.startswith(wanted)]
    shown = [line for node in chosen for line in (node.line, *lines_of(node, 1), kind.separator)]
    return "\n".join([kind.separator, *shown, *kind.footer])


async def startup(session: Session, match: Match) -> str:
    """Show the saved configuration."""
    kind, device = session.kind, session.device
    body = device.startup
    if not body:
        return kind.no_startup
    return _whole(kind.startup_intro.format(size=len(body)), kind.header, body, kind.footer)


async def candidate(session: Session, match: Match) -> str:
    """Show the candidate configuration of a two-stage device."""
    kind = session.kind
    return _whole("", kind.header, session.device.text(session.tree), kind.footer)


def _whole(intro: str, header: tuple[str, ...], body: str, footer: tuple[str, ...]) -> str:
    return "\n".join([*([intro] if intro else []), *header, body, *footer])


async def this(session: Session, match: Match) -> str:
    """Show the block of the view."""
    kind, node = session.kind, session.path[-1]
    lines = [node.line, *lines_of(node, 1)] if node.line else lines_of(node)
    return "\n".join([kind.separator, *lines, kind.separator, *kind.footer])


async def nothing(session: Session, match: Match) -> str:
    """Take note of nothing that is emulated."""
    return ""


async def page_length(session: Session, match: Match) -> str:
    """Set the lines of a page; 0 switches paging off."""
    session.terminal.page_lines = int(match.values[0]) if match.values else 0
    return ""


async def archive(session: Session, match: Match) -> str:
    """Show the archive and the timer of rollback."""
    if not any(line.strip().startswith("path") for line in session.device.lines):
        return session.kind.texts["no_archive"]
    return "The maximum archive configurations allowed is 10.\n There are currently 1 archive configurations saved."


async def policy_state(session: Session, match: Match) -> str:
    """Show whether the rules of the security policy match as they are configured."""
    device = session.device
    state = "Success" if device.matching_policy == device.policy_lines() else "Accelerating"
    return f"Security policy ip accelerate status: {state}"
