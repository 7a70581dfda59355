"""The command that takes one line back, beside the one of annet: an oracle that others have written for real devices.

annet (MIT, https://github.com/annetutil/annet) is no dependency: ``pip install -e '.[oracle]'``, and
``pytest -m long tests/unit/network/test_config_annet.py``. Where it has no rule of its own it puts the negation before
the whole line, which says nothing of the device; where it has one, ours must be the same, or be one of ``_MEANT``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module

import pytest
from hypothesis import Phase, given, settings

from panshi.network.config import parse, patch, rule_book

from .configurations import PLATFORMS

pytestmark = pytest.mark.long

Line = tuple[tuple[str, ...], str]
_HARDWARE = {
    "huawei_vrp": "Huawei S6720",
    "huawei_vrpv8": "Huawei CE6870",
    "hp_comware": "H3C",
    "cisco_ios": "Cisco Catalyst",
}
# What ours does on purpose, and the fewest lines for which annet has rules: fewer, and nothing would be proven.
_MEANT = {
    "port (trunk allow-pass|hybrid tagged) vlan ": "all would take VLAN 1 as well, which is there without being shown",
    "exec-timeout ": "IOS takes `no exec-timeout` for never; ours is the ten minutes that a device comes with",
}
_FEWEST = {"huawei_vrp": 12, "huawei_vrpv8": 12, "hp_comware": 4, "cisco_ios": 2}


@pytest.fixture(scope="module")
def oracle() -> Callable[[str, str, str], list[str]]:
    """Return annet's commands from one configuration of a platform to another one."""
    pytest.importorskip("annet", reason="annet 没有安装：pip install -e '.[oracle]'")
    rulebook, hardware, patching, tabparser, vendors, view = (
        import_module(f"annet.{name}")
        for name in (
            *("rulebook", "hardware", "annlib.patching", "vendors.tabparser"),
            *("vendors", "annlib.netdev.views.hardware"),
        )
    )
    rulebook.rulebook_provider_connector.set(rulebook.DefaultRulebookProvider)
    hardware.hardware_connector.set(hardware.AnnetHardwareProvider)

    def commands(before: str, after: str, platform: str) -> list[str]:
        device = view.HardwareView(_HARDWARE[platform])
        rules, form = rulebook.get_rulebook(device), vendors.registry_connector.get().match(device).make_formatter()
        old, new = (tabparser.parse_to_tree(text, form.split) for text in (before, after))
        difference = patching.make_pre(patching.make_diff(old, new, rules, []))
        return [path[-1] for path in form.cmd_paths(patching.make_patch(difference, rules, device, False))]

    return commands


def vocabulary(platform: str) -> list[Line]:
    """Return one of each kind of line that random configurations have, with the views that it stands in."""
    found: dict[tuple[str, ...], Line] = {}

    @settings(max_examples=200, database=None, derandomize=True, phases=[Phase.generate])
    @given(text=PLATFORMS[platform])
    def collect(text: str) -> None:
        for views, line in lines(text, platform):
            kind = re.sub(r"\d\S*", "0", line)
            found.setdefault((*(view.split()[0] for view in views), kind), (views, line))

    collect()
    return list(found.values())


def lines(text: str, platform: str) -> Iterator[Line]:
    return ((path, node.line) for path, node in parse(text, platform).walk() if not node.children)


def shown(views: tuple[str, ...], line: str = "") -> str:
    return "".join(f"{' ' * depth}{one}\n" for depth, one in enumerate((*views, line)) if one)


@pytest.mark.parametrize("platform", sorted(_HARDWARE))
def test_parsed_a_line_is_taken_back_as_annet_takes_it_back(
    platform: str, oracle: Callable[[str, str, str], list[str]]
) -> None:
    book = rule_book(platform)
    compared, differ = 0, []
    for views, line in vocabulary(platform):
        before, after = shown(views, line), shown(views)
        try:
            theirs = [one for one in oracle(before, after, platform) if one not in (*views, book.leave)]
        except AttributeError:  # annet's own, on Comware's link-mode
            continue
        if theirs in ([], [book.negated(line)]) or any(re.match(meant, line) for meant in _MEANT):
            continue
        compared += 1
        ours = patch(parse(before, platform), parse(after, platform), platform)
        if [one for one in ours if one not in (*views, book.leave)] != theirs:
            differ.append((*views, line, ours, theirs))
    assert differ == []
    print(f"{platform}: {compared} lines that annet has a rule for, all taken back alike")
    assert compared >= _FEWEST[platform]
