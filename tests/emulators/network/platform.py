"""What is particular to one platform: prompts, dialogues, the commands of each view. Read from platforms/<name>.yml.

These files are independent of the product's own rule book on purpose: a mistake that both shared would be invisible.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .grammar import Patterns, Why

_FOLDER = Path(__file__).with_name("platforms")
NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.yml")))


@dataclass(frozen=True)
class Stored:
    """How a password that is typed becomes a hash in the configuration.

    Attributes:
        line: what is kept, with ``{hash}`` and the named slots of the command.
        mark: how a hash begins; a value that begins so is kept as it is.
        usual: what a named slot is when it is not typed.
    """

    line: str
    mark: str
    usual: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """One configuration command.

    Attributes:
        pattern: see grammar.py.
        place: its place among the commands of its view, in which a device shows them.
        opens: the view that it opens.
        one: the first words that identify it; another line with the same ones replaces it. 0: the whole line.
        canonical: how it is shown, with the values of its slots as ``{0}``.
        names: other ways to name it when it is removed.
        undo: patterns of its removal, without the negating word; None: its identity.
        undo_as: what the removal names, with the values of its slots.
        members: the last value is a list of numbers that is added to: ``spaced`` (10 20 to 30) or ``comma`` (10,20-30).
        blocks: the blocks that belong to the members, and go with them.
        member_of: the list that gets this command's first value; a block without content is then not shown.
        first, step: numbering of lines typed without a number; 0: not numbered.
        ordered: kept in the order of typing, not sorted.
        usual: on by default: not shown when on, shown negated when off.
        default: the line that is not shown because it is the default.
        effect: what else it does (rules.py).
        stored: for a password.
        absent: what is said when there is nothing to remove or move.
        taken: what is said when its number belongs to another line; empty: it takes its place.
    """

    pattern: str
    place: int
    opens: str = ""
    one: int = 0
    canonical: str = ""
    names: tuple[str, ...] = ()
    undo: tuple[str, ...] | None = None
    undo_as: str = ""
    members: str = ""
    blocks: str = ""
    member_of: str = ""
    first: int = 0
    step: int = 0
    ordered: bool = False
    usual: bool = False
    default: str = ""
    effect: str = ""
    stored: Stored | None = None
    absent: str = ""
    taken: str = ""


@dataclass(frozen=True)
class View:
    """The commands of one view, typed and negated, and what the prompt adds."""

    suffix: str
    commands: Patterns[Command]
    undos: Patterns[Command]


@dataclass(frozen=True)
class Order:
    """A command that changes no configuration: what it does, and where it is known (user, config or any)."""

    does: str
    where: str = "user"


@dataclass(frozen=True)
class Question:
    """A question of a dialogue; ``kind`` is yes (nothing is done unless answered y) or text."""

    text: str
    kind: str = "yes"


@dataclass(frozen=True)
class Platform:
    """Everything particular to one platform."""

    name: str
    prompts: Mapping[str, str]
    errors: Mapping[Why, str]
    views: Mapping[str, View]
    orders: Patterns[Order]
    negate: str
    separator: str
    indent_top: str
    header: tuple[str, ...]
    footer: tuple[str, ...]
    running_intro: str
    startup_intro: str
    no_startup: str
    more: str
    erase: str
    enter_message: str
    saves: Mapping[str, tuple[Question, ...]]
    saved: str
    falls_back: bool
    two_stage: bool
    timer: str
    texts: Mapping[str, str]
    shows: Mapping[str, str]
    user: str
    skip: re.Pattern[str]
    interfaces: tuple[str, ...]

    def says(self, why: Why) -> str:
        """Return the platform's own line for a refusal."""
        return self.errors[why]

    def skipped(self, line: str) -> bool:
        """Tell whether a line of a configuration's text is not configuration: headings and endings."""
        return line in self.footer or bool(self.skip.match(line))


def _read(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((_FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    base = spec.pop("base", "")
    if not base:
        return spec
    below = _read(base)
    for key, value in spec.items():
        mergeable = isinstance(value, dict) and isinstance(below.get(key), dict)
        below[key] = _merged(below[key], value) if mergeable else value
    return below


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay a mapping over another, views command by command; ``drop: true`` takes a command away."""
    result = dict(below)
    for key, value in above.items():
        mergeable = key in result and isinstance(value, dict) and isinstance(result[key], dict)
        result[key] = _merged(result[key], value) if mergeable else value
        if isinstance(value, dict) and value.get("drop"):
            del result[key]
    return result


def _command(pattern: str, place: int, said: Mapping[str, Any] | None) -> Command:
    said = dict(said or {})
    for key in ("names", "undo"):
        if isinstance(said.get(key), str):
            said[key] = [said[key]]
        if key in said:
            said[key] = tuple(said[key] or ())
    if "stored" in said:
        said["stored"] = Stored(**said["stored"])
    return Command(pattern=pattern, place=place, **said)


def _undo_patterns(command: Command, takes_rest: bool) -> list[str]:
    if command.undo is not None:
        return list(command.undo)
    if not command.one:
        return [command.pattern]
    words = command.pattern.split()[: command.one]
    return [" ".join(words) + (" [<text>]" if takes_rest else "")]


def _view(said: Mapping[str, Any], interfaces: tuple[str, ...], takes_rest: bool) -> View:
    listed = [_command(pattern, place, more) for place, (pattern, more) in enumerate(said["commands"].items())]
    return View(
        suffix=said.get("suffix", ""),
        commands=Patterns([(command.pattern, command) for command in listed], interfaces),
        undos=Patterns(
            [(pattern, command) for command in listed for pattern in _undo_patterns(command, takes_rest)], interfaces
        ),
    )


@cache
def platform(name: str) -> Platform:
    """Return a platform.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in NAMES:
        raise ValueError(f"no platform {name!r}; there are {', '.join(NAMES)}")
    said = _read(name)
    interfaces = tuple(said["interfaces"])
    takes_rest = said["negated_lines_may_go_on"]
    orders = [
        (pattern, Order(**({"does": one} if isinstance(one, str) else one))) for pattern, one in said["orders"].items()
    ]
    return Platform(
        name=name,
        prompts=said["prompts"],
        errors={why: said["errors"][why.value] for why in Why},
        views={view: _view(more, interfaces, takes_rest) for view, more in said["views"].items()},
        orders=Patterns(orders, interfaces),
        negate=said["negate"],
        separator=said["separator"],
        indent_top=said.get("indent_top", ""),
        header=tuple(said.get("header", ())),
        footer=tuple(said["footer"]),
        running_intro=said.get("running_intro", ""),
        startup_intro=said.get("startup_intro", ""),
        no_startup=said["no_startup"],
        more=said["more"],
        erase=said["erase"],
        enter_message=said["enter_message"],
        saves={
            variant: tuple(Question(**question) for question in questions)
            for variant, questions in said["saves"].items()
        },
        saved=said["saved"],
        falls_back=said["falls_back"],
        two_stage=said.get("two_stage", False),
        timer=said.get("timer", ""),
        texts=said["texts"],
        shows=said.get("shows", {}),
        user=said["user"],
        skip=re.compile(said["skip"]),
        interfaces=interfaces,
    )
