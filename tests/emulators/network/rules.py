"""How a configuration line changes the configuration, by the platform's own rules. Pure but for the random salts."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from .grammar import Match, Refusal, Why
from .platform import Command, Platform
from .tree import Node, natural, numbers_of, numbers_text


@dataclass(frozen=True)
class Outcome:
    """What became of a line: the block that it opened, the platform's words, or why it was refused."""

    opened: Node | None = None
    said: str = ""
    refusal: Refusal | None = None
    popped: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the line was understood and not answered by an error."""
        return self.refusal is None and not self.said


def typed(platform: Platform, path: Sequence[Node], line: str) -> Outcome:
    """Carry out a line typed in the block ``path[-1]``; on platforms that fall back, else in the ones around it.

    Args:
        platform: whose rules.
        path: the blocks from the root to the one of the view.
        line: the line.
    """
    first = _typed_here(platform, path, line)
    if first.refusal is None or not platform.falls_back:
        return first
    for popped in range(1, len(path)):
        outcome = _typed_here(platform, path[:-popped], line)
        if outcome.refusal is None:
            return Outcome(outcome.opened, outcome.said, None, popped)
    return first


def _typed_here(platform: Platform, path: Sequence[Node], line: str) -> Outcome:
    view = platform.views[path[-1].view or "system"]
    word, _, rest = line.partition(" ")
    if word == platform.negate:
        found = view.undos.match(rest)
        if isinstance(found, Refusal):
            return Outcome(refusal=Refusal(found.why, found.column + len(word) + 1))
        return _undone(platform, path[-1], *found)
    found = view.commands.match(line)
    if isinstance(found, Refusal):
        return Outcome(refusal=found)
    return _done(platform, path, *found)


def _done(platform: Platform, path: Sequence[Node], match: Match, command: Command) -> Outcome:
    node = path[-1]
    if command.effect:
        return _EFFECTS[command.effect](node, match, command)
    if command.members:
        return _joined(node, match, command)
    fresh = _node(platform, path, match, command)
    before = node.children.get(fresh.key) or _named(node, fresh.aliases)
    if before is not None and command.opens:
        return Outcome(opened=before)
    if before is not None and command.taken and before.line != fresh.line:
        return Outcome(said=command.taken)
    if command.usual or fresh.line == command.default:
        node.children.pop(fresh.key, None)
        return Outcome()
    node.children[fresh.key] = fresh
    if command.member_of:
        _joined_numbers(node, command.member_of, {int(match.values[0])}, "spaced")
    return Outcome(opened=fresh if command.opens else None)


def _node(platform: Platform, path: Sequence[Node], match: Match, command: Command) -> Node:
    """Return the line as it is kept."""
    names = {name: value for node in path for name, value in node.names.items()} | dict(match.names)
    line = command.canonical.format(*match.values, **names) if command.canonical else match.line
    key = " ".join(match.words[: command.one]) if command.one else line
    aliases = tuple(alias.format(*match.values, **names) for alias in command.names)
    number: tuple[tuple[int, int, str], ...] | None = None
    if command.step:
        line, key, aliases, number = _numbered(path[-1], match, command, aliases)
    login = None
    if command.stored:
        given = names["password"]
        kept = given if given.startswith(command.stored.mark) else hashed(given, command.stored.mark)
        line = command.stored.line.format(**{**command.stored.usual, **names}, hash=kept)
        login = (names["user"], kept)
    suffix = platform.views[command.opens].suffix if command.opens else ""
    within = () if command.ordered else number or natural(line)
    return Node(
        line=line,
        key=key,
        view=command.opens,
        suffix=suffix.format(*match.values, key=key.replace(" ", "-"), **names),
        rank=(command.place, within),
        names=match.names,
        aliases=aliases,
        login=login,
        hidden_empty=bool(command.member_of),
    )


def _numbered(
    node: Node, match: Match, command: Command, aliases: tuple[str, ...]
) -> tuple[str, str, tuple[str, ...], tuple[tuple[int, int, str], ...]]:
    """Give a line its number: the one that was typed, the one that it has, or the next."""
    at = command.pattern.split().index("[<id:number>]")
    words = list(match.words)
    rest = words[at + 1 :] if "id" in match.names else words[at:]
    have = {child.key: child for child in node.children.values()}
    same = _named(node, aliases)
    if "id" in match.names:
        number = int(match.names["id"])
    elif same is not None:
        number = int(same.key.split()[-1])
    else:
        taken = [int(key.split()[-1]) for key in have if key.split()[-1].isdigit()]
        number = (max(taken) // command.step + 1) * command.step if taken else command.first
    head = [*words[:at], str(number)]
    plain = " ".join([*words[:at], *rest])
    return " ".join(head + rest), " ".join(head), (*aliases, plain), ((0, number, ""),)


def _named(node: Node, aliases: Sequence[str]) -> Node | None:
    if not aliases:
        return None
    return next((child for child in node.children.values() if set(aliases) & set(child.aliases)), None)


def _found(node: Node, name: str) -> Node | None:
    return node.children.get(name) or _named(node, [name])


def _joined(node: Node, match: Match, command: Command) -> Outcome:
    numbers = numbers_of(match.values[-1], command.members)
    if numbers is None:
        return Outcome(refusal=Refusal(Why.WRONG, len(match.line) - len(match.values[-1])))
    key = command.canonical or " ".join(match.words[:-1])
    _joined_numbers(node, key, numbers, command.members, command.place)
    return Outcome()


def _joined_numbers(node: Node, key: str, numbers: set[int], style: str, place: int = 0) -> None:
    before = node.children.get(key)
    have = (numbers_of(before.line[len(key) :].strip(), style) or set()) if before else set()
    rank = before.rank if before else (place, ())
    node.children[key] = Node(line=f"{key} {numbers_text(have | numbers, style)}", key=key, rank=rank)


def _left(node: Node, match: Match, command: Command) -> Outcome:
    """Take numbers out of a list."""
    key = command.canonical or " ".join(match.words[:-1])
    numbers = numbers_of(match.values[-1], command.members) if match.values else None
    before = node.children.get(key)
    if before is None:
        return Outcome(said=command.absent)
    have = numbers_of(before.line[len(key) :].strip(), command.members) or set()
    left = have - (have if numbers is None else numbers)
    if left:
        before.line = f"{key} {numbers_text(left, command.members)}"
    else:
        del node.children[key]
    for number in have - left if command.blocks else ():
        node.children.pop(f"{command.blocks} {number}", None)
    return Outcome()


def _undone(platform: Platform, node: Node, match: Match, command: Command) -> Outcome:
    if command.members and command.effect != "leave":
        return _left(node, match, command)
    target = command.undo_as.format(*match.values, **match.names) if command.undo_as else match.line
    if command.one and command.undo is None:
        target = " ".join(match.words[: command.one])
    if command.usual:
        line = f"{platform.negate} {target}"
        node.children[target] = Node(line=line, key=target, rank=(command.place, natural(line)))
        return Outcome()
    # "undo acl inbound" leaves "acl ipv6 2000 inbound" if there is one of its own; "undo local-user a" takes all of a.
    exact = [child for child in node.children.values() if target in (child.key, *child.aliases)]
    within = [
        child for child in node.children.values() if any(_is(name, target) for name in (child.key, *child.aliases))
    ]
    gone = exact if exact and command.one else within
    for child in gone:
        del node.children[child.key]
        if command.member_of:
            _left_number(node, command.member_of, int(child.key.split()[-1]))
    return Outcome(said="" if gone else command.absent)


def _is(name: str, target: str) -> bool:
    return name == target or name.startswith(target + " ")


def _left_number(node: Node, key: str, number: int) -> None:
    before = node.children.get(key)
    left = (numbers_of(before.line[len(key) :].strip(), "spaced") or set()) - {number} if before else set()
    node.children.pop(key, None)
    if before and left:
        node.children[key] = Node(line=f"{key} {numbers_text(left, 'spaced')}", key=key, rank=before.rank)


def _moved(node: Node, match: Match, command: Command) -> Outcome:
    """Move a rule before or after another, to the top or to the bottom."""
    moved = _found(node, command.names[0].format(match.names["what"]))
    where = next(word for word in match.words if word in ("before", "after", "top", "bottom"))
    other = _found(node, command.names[0].format(match.names["other"])) if "other" in match.names else None
    if moved is None or (other is None and where in ("before", "after")):
        return Outcome(said=command.absent)
    rules = [child for child in node.children.values() if child is not moved and child.rank == moved.rank]
    others = [child for child in node.children.values() if child.rank != moved.rank]
    at = {"top": 0, "bottom": len(rules)}.get(where)
    if at is None and other is not None:
        at = rules.index(other) + (where == "after") if other is not moved else None
    if at is not None:
        rules.insert(at, moved)
        node.children = {child.key: child for child in [*others, *rules]}
    return Outcome()


def _renamed(node: Node, match: Match, command: Command) -> Outcome:
    """Give a rule another name; its place stays."""
    old, new = (command.names[0].format(match.names[name]) for name in ("what", "other"))
    if old not in node.children or new in node.children:
        return Outcome(said=command.absent)
    children = list(node.children.values())
    rule = node.children[old]
    rule.line = rule.key = new
    rule.suffix = rule.suffix.replace(match.names["what"], match.names["other"])
    node.children = {child.key: child for child in children}
    return Outcome()


_EFFECTS = {"move": _moved, "rename": _renamed, "leave": _left, "none": lambda node, match, command: Outcome()}


def hashed(password: str, mark: str) -> str:
    """Return a salted hash in the device's form (its own arithmetic is not emulated: nobody can log in with a hash)."""
    salt = secrets.token_hex(4)
    return f"{mark}{salt}${_digest(salt, password)}"


def fits(password: str, kept: str) -> bool:
    """Tell whether a password belongs to a hash."""
    _, salt, digest = kept.rsplit("$", 2) if kept.count("$") > 1 else ("", "", "")
    return bool(salt) and hmac.compare_digest(digest, _digest(salt, password))


def _digest(salt: str, password: str) -> str:
    return hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()[:32]


def loaded(platform: Platform, text: str) -> Node:
    """Return the configuration that a text describes. What is not emulated is kept as it stands and cannot be typed.

    Raises:
        ValueError: a line stands in a block that its device does not have.
    """
    root = Node()
    stack: list[tuple[int, Node | None]] = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line[0] in "#!" or platform.skipped(line):
            if not raw.startswith(" "):
                stack.clear()
            continue
        depth = len(raw) - len(raw.lstrip())
        while stack and stack[-1][0] >= depth:
            stack.pop()
        path = [root]
        for _, node in stack:
            if node is None:
                raise ValueError(f"{platform.name}: {line!r} stands below a line that opens no view")
            path.append(node)
        known = path[-1] is root or path[-1].view
        outcome = _typed_here(platform, path, line) if known else Outcome(refusal=Refusal(Why.UNKNOWN, 0))
        if outcome.refusal is None:
            stack.append((depth, outcome.opened))
            continue
        last = next(reversed(path[-1].children.values()), None)
        kept = Node(line=line, key=line, rank=last.rank if last else (-1, ()))
        path[-1].children[line] = kept
        stack.append((depth, kept))
    return root
