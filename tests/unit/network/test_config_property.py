"""For random configurations a and b: the commands of patch(a, b), typed into the emulated device, make a become b.

The emulator has rules of its own, written without looking at the rule books: what they agree in is meant twice.
"""

from __future__ import annotations

import pytest
from emulators.network.platform import platform as emulated_platform
from emulators.network.rules import loaded, typed
from emulators.network.tree import Node, lines_of
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from panshi.network.config import normal, parse, patch, render, rule_book

from .configurations import PLATFORMS

# A found example is told as it is: making it smaller takes minutes.
FAST = (Phase.explicit, Phase.generate)
pytestmark = pytest.mark.parametrize("platform", sorted(PLATFORMS))


def after_typing(platform: str, text: str, commands: list[str]) -> list[str]:
    """Return the lines of an emulated device on which commands were typed; each must be accepted in its own view."""
    kind = emulated_platform(platform)
    path: list[Node] = [loaded(kind, text)]
    for command in commands:
        if command == rule_book(platform).leave:
            assert len(path) > 1, "the configuration mode was left"
            path.pop()
            continue
        outcome = typed(kind, path, command)
        assert outcome.accepted and not outcome.popped, (command, path[-1].line, outcome)
        if outcome.opened is not None:
            path.append(outcome.opened)
    assert len(path) == 1, "a view was not left"
    return lines_of(path[0])


def check(platform: str, before: str, after: str) -> None:
    commands = patch(parse(before, platform), parse(after, platform), platform)
    made = after_typing(platform, before, commands)
    assert made == after_typing(platform, after, []), commands
    shown = parse("\n".join(made), platform)
    assert patch(shown, parse(after, platform), platform) == []
    assert patch(parse(after, platform), shown, platform) == []


@given(data=st.data())
@settings(max_examples=25, phases=FAST)
def test_emulated_a_patched_is_b(platform: str, data: st.DataObject) -> None:
    check(platform, data.draw(PLATFORMS[platform]), data.draw(PLATFORMS[platform]))


@pytest.mark.long
@given(data=st.data())
@settings(max_examples=2000, phases=FAST)
def test_emulated_a_patched_is_b_for_many(platform: str, data: st.DataObject) -> None:
    check(platform, data.draw(PLATFORMS[platform]), data.draw(PLATFORMS[platform]))


@given(data=st.data())
@settings(max_examples=25, phases=FAST)
def test_parsed_text_survives_the_tree(platform: str, data: st.DataObject) -> None:
    text = data.draw(PLATFORMS[platform])
    tree = parse(text, platform)
    assert parse(render(tree, platform), platform) == tree
    assert normal(normal(text, platform), platform) == normal(text, platform)
