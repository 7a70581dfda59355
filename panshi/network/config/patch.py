"""The commands that make one configuration another, with the views that they enter and leave (pure).

Two lists are safe at every line in between: entries of a list that is read in order are put in from the top down and
then taken out from the bottom up, so that what decides about a packet is always an entry of the old list that decided
before, or one of the new list that will decide (docs/network-config.md has the proof). Access policies as a whole are
``panshi/network/policy``, which proves every line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from panshi.network.config.canonical import Setting, by_key, settings
from panshi.network.config.numbering import numbered_like
from panshi.network.config.order import moves
from panshi.network.config.rulebook import GuardRule, RuleBook, rule_book
from panshi.network.config.tree import Node
from panshi.network.config.values import write_numbers


def patch(before: Node, after: Node, platform: str) -> list[str]:
    """Return the commands, typed from the top of the configuration mode, that make ``before`` become ``after``.

    A command of several lines (a banner) is one item with line feeds in it. Nothing is returned for two
    configurations that mean the same.

    Raises:
        PanshiError: PS-E8070 for an unknown platform, PS-E8072 for a list whose order cannot be changed by commands.
    """
    book = rule_book(platform)
    old, new = (settings(tree.children, "", book) for tree in (before, after))
    return _body(old, new, "", book)


def _body(before: Sequence[Setting], after: Sequence[Setting], view: str, book: RuleBook) -> list[str]:
    old, new = by_key(before, numbered_like(before, after, view, book))
    guard = next((one for one in book.guards if one.within.match(view)), None)
    if guard is not None:
        return _guarded(old, new, view, book, guard)
    return _changes(old, new, view, book)


def _changes(old: Mapping[str, Setting], new: Mapping[str, Setting], view: str, book: RuleBook) -> list[str]:
    added: list[str] = []
    twins = {_content(one): one for one in old.values() if _is_entry(one)}
    settled: set[str] = set()  # keys whose old form is gone
    for key, setting in new.items() if view else _defined_first(old, new):
        twin = twins.get(_content(setting)) if _is_entry(setting) else None
        if twin is not None and twin.key not in settled and _goes(twin, new):
            # The same entry under another number is refused [D], or silently dropped, while the old one is there.
            added.append(twin.undo)
            settled.add(twin.key)
        added += _change(old[key], setting, book) if key in old and key not in settled else _addition(setting, book)
        settled.add(key)
    added += _ordered(old, new, view, book)
    removed = list(_removals({key: one for key, one in old.items() if key in new or key not in settled}, new, book))
    if not view or any(pattern.match(view) for pattern in book.additions_first):
        # At the top, too: what is referred to goes after what refers to it.
        return added + [command for commands in reversed(removed) for command in commands]
    return [command for commands in removed for command in commands] + added


def _defined_first(old: Mapping[str, Setting], new: Mapping[str, Setting]) -> list[tuple[str, Setting]]:
    """Return the settings of the top: sets (of VLANs), then what is new, then views that may refer to either."""

    def rank(entry: tuple[str, Setting]) -> int:
        key, setting = entry
        return 0 if setting.rule is not None else 2 if key in old and setting.is_view else 1

    return sorted(new.items(), key=rank)


def _is_entry(setting: Setting) -> bool:
    """Return whether a setting is an entry that its number names."""
    return not setting.in_place and not setting.is_view and setting.rule is None


def _content(setting: Setting) -> str:
    return setting.line.removeprefix(setting.key)


def _goes(setting: Setting, new: Mapping[str, Setting]) -> bool:
    return setting.key not in new or new[setting.key].line != setting.line


def _addition(setting: Setting, book: RuleBook) -> list[str]:
    if setting.rule is not None:
        first, *more = write_numbers(setting.numbers, setting.rule.comma)
        return [setting.rule.new.replace("{}", first), *(setting.rule.add.replace("{}", one) for one in more)]
    if not setting.is_view:
        return [setting.line]
    return [setting.line, *_body((), setting.settings, setting.line, book), book.leave]


def _change(old: Setting, new: Setting, book: RuleBook) -> list[str]:
    """Return what makes a setting of the same key another; what leaves a set is taken out with the removals."""
    if new.rule is not None:
        return [new.rule.add.replace("{}", one) for one in write_numbers(new.numbers - old.numbers, new.rule.comma)]
    if old.value != new.value:
        return [*([] if new.in_place else [old.undo]), *_addition(new, book)]
    body = _body(old.settings, new.settings, new.line, book)
    return [new.line, *body, book.leave] if body else []


def _removals(old: Mapping[str, Setting], new: Mapping[str, Setting], book: RuleBook) -> Iterator[list[str]]:
    staying = {setting.whole for setting in new.values()}
    said: set[str] = set()
    for key, setting in old.items():
        if setting.rule is not None:
            gone = setting.numbers - (new[key].numbers if key in new else frozenset())
            template = setting.rule.remove if key in new else setting.rule.gone
            yield list(dict.fromkeys(template.replace("{}", one) for one in write_numbers(gone, setting.rule.comma)))
        elif key in new:
            continue
        elif setting.permanent:
            yield [setting.line, *_body(setting.settings, (), setting.line, book), book.leave]
        elif setting.whole and setting.whole not in staying:
            yield [] if setting.whole in said else [setting.whole]
            said.add(setting.whole)
        else:
            yield [setting.undo]


def _ordered(old: Mapping[str, Setting], new: Mapping[str, Setting], view: str, book: RuleBook) -> Iterator[str]:
    """Yield the moves of a list in which the device puts what is new at the end."""
    for rule in book.orders:
        if not rule.within.match(view):
            continue
        names = {key: found[1] for key in (*old, *new) if (found := rule.match.match(key))}
        kept = [key for key in old if key in names and not _made_anew(old[key], new.get(key))]
        wanted = [key for key in new if key in names]
        present = [*kept, *(key for key in wanted if key not in kept)]
        for item, where, other in moves(present, wanted):
            yield rule.move.replace("{0}", names[item]).replace("{1}", where).replace("{2}", names[other])


def _made_anew(old: Setting, new: Setting | None) -> bool:
    return new is not None and not new.in_place and old.value != new.value


def _guarded(
    old: Mapping[str, Setting], new: Mapping[str, Setting], view: str, book: RuleBook, guard: GuardRule
) -> list[str]:
    """Return the changes of a rule that lets packets through, so that it never lets through what neither form does.

    It is opened last and closed first; and it is closed meanwhile, when more than one kind of condition changes: two
    conditions that are both in between would let through their combinations.
    """
    was_open, is_open = (any(one.line == guard.open for one in side.values()) for side in (old, new))
    action = guard.open.split()[0]
    old_conditions, new_conditions = ({key: one for key, one in side.items() if key != action} for side in (old, new))
    body = _changes(old_conditions, new_conditions, view, book)
    kinds = {command.removeprefix(f"{book.negate} ").split()[0] for command in body}
    if was_open and is_open and len(kinds) > 1:
        return [guard.closed, *body, guard.open]
    old_action, new_action = ({key: one for key, one in side.items() if key == action} for side in (old, new))
    said = _changes(old_action, new_action, view, book)
    return [*body, *said] if is_open else [*said, *body]
