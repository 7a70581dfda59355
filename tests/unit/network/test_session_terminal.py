"""What is accounted for when a device says something else than expected (a scripted channel instead of a device)."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from panshi.network.session import Device, PushFailed
from panshi.network.session.decoding import Decoder
from panshi.network.session.masking import Mask
from panshi.network.session.platforms import PLATFORMS
from panshi.network.session.push import Push
from panshi.network.session.screen import Cleaner, Prompts, find_echo, question
from panshi.network.session.terminal import Terminal
from panshi.network.session.transcript import Transcript


class Script:
    """Answers each write by what a function makes of its lines."""

    def __init__(self, answer: Callable[[list[str]], str]) -> None:
        self.sent: list[str] = []
        self._answer = answer
        self._ready = "\r\n<SW1>"

    def send(self, text: str, seconds: float) -> None:
        lines = text.split("\n")[:-1]
        self.sent += lines
        self._ready += self._answer(lines)

    def receive(self, seconds: float) -> str:
        text, self._ready = self._ready, ""
        return text


def terminal(answer: Callable[[list[str]], str]) -> tuple[Terminal, Script]:
    script = Script(lambda lines: f"{lines[0]}\r\n<SW1>")
    connection: Any = SimpleNamespace(channel=script, decoder=Decoder())
    mask = Mask("huawei_vrp")
    device = Device("SW1", "huawei_vrp", "192.0.2.1", "ops", timeout=0.5)
    made = Terminal(device, PLATFORMS["huawei_vrp"], connection, mask, Transcript(None, mask))
    made.log_in("")
    script.sent.clear()
    script._answer = answer
    return made, script


def test_parsed_echoes_that_come_all_first_are_counted_and_the_rest_goes_one_by_one() -> None:
    def types_ahead(lines: list[str]) -> str:
        refused = "\r\nError: Wrong parameter found.\r\n[SW1]"
        return "".join(f"{line}\r\n" for line in lines) + "".join(
            refused if line == "bad" else "\r\n[SW1]" for line in lines
        )

    made, script = terminal(types_ahead)
    pushed = Push(made, [f"ntp {number}" for number in range(12)], 4).run()
    assert pushed.window == 1
    assert [line.text for line in pushed.lines] == [f"ntp {number}" for number in range(12)]
    made, script = terminal(types_ahead)
    with pytest.raises(PushFailed) as failure:
        Push(made, ["ntp 1", "ntp 2", "bad", *(f"ntp {number}" for number in range(3, 12))], 4).run()
    assert [line.number for line in failure.value.pushed.lines if line.error] == [3]
    assert "ntp 11" not in script.sent


def test_parsed_a_question_with_lines_behind_it_is_not_answered_by_them() -> None:
    made, script = terminal(lambda lines: f"[SW1]{lines[0]}\r\nThis will cut all users. Continue? [Y/N]:")
    with pytest.raises(PushFailed, match="提问") as failure:
        Push(made, ["unheard-of 1", "vlan 10", "vlan 11"], 8).run()
    assert failure.value.code == "PS-E8042"
    assert list(failure.value.pushed.unaccounted) == [1, 2, 3]
    assert script.sent == ["unheard-of 1", "vlan 10", "vlan 11"]


def test_parsed_a_line_that_may_ask_is_alone_and_answered() -> None:
    def asks(lines: list[str]) -> str:
        if lines[0].startswith("undo interface"):
            return f"{lines[0]}\r\nAll its configuration will be lost. Continue? [Y/N]:"
        return "y\r\n[SW1]" if lines == ["y"] else "".join(f"{line}\r\n[SW1]" for line in lines)

    made, script = terminal(asks)
    pushed = Push(made, ["vlan 10", "undo interface Vlanif10", "vlan 11"], 8).run()
    assert script.sent == ["vlan 10", "undo interface Vlanif10", "y", "vlan 11"]
    assert [line.asked for line in pushed.lines] == [False, True, False]


def test_parsed_a_late_refusal_belongs_to_the_line_before() -> None:
    def late(lines: list[str]) -> str:
        return "vlan 1\r\n[SW1]\r\nError: VLAN 1 is reserved.\r\n[SW1]vlan 2\r\n[SW1]" if len(lines) > 1 else ""

    made, _ = terminal(late)
    with pytest.raises(PushFailed) as failure:
        Push(made, ["vlan 1", "vlan 2"], 8).run()
    assert [line.number for line in failure.value.pushed.lines if line.error] == [1]


@pytest.mark.parametrize(
    ("shown", "kind"),
    [
        ("Are you sure to continue?[Y/N]", "yes_no"),
        ("Are you sure to save the configuration to cfcard:/x.cfg? [Y/N]:", "yes_no"),
        (" Are you sure to continue? (y/n)[n]:", "yes_no"),
        ("Are you sure to commit them before exiting? [Y(yes)/N(no)/C(cancel)]:", "yes_no"),
        ("Overwrite the previous NVRAM configuration?[confirm]", "enter"),
        ("Destination filename [startup-config]? ", "enter"),
        (
            "Please input the file name(*.cfg)[flash:/startup.cfg]\n(To leave it unchanged, press the enter key):",
            "enter",
        ),
        ("Press Y or ENTER to continue, N to exit.", "enter"),
        ("Enter old password:", "password"),
        ("Password: ", "password"),
        ("<SW1>", ""),
        (" description is it on? [Y/N] or not", ""),
        ("[SW1-GigabitEthernet0/0/1]", ""),
    ],
)
def test_parsed_questions(shown: str, kind: str) -> None:
    assert question(f"display x\n{shown}") == kind


def test_parsed_the_end_of_a_page_is_wiped_out_wherever_it_is_cut() -> None:
    shown = "a\r\n\x1b[16D                \x1b[16D b\r\n\x08\x08\x08   \x08\x08\x08c\r\r\n"
    for cut in range(len(shown) + 1):
        cleaner = Cleaner()
        assert cleaner.clean(shown[:cut]) + cleaner.clean(shown[cut:]) == "a\n b\nc\n", cut


def test_parsed_characters_are_whole_wherever_they_are_cut() -> None:
    for encoding in ("utf-8", "gb18030"):
        data = "办公区-接入".encode(encoding)
        for cut in range(len(data) + 1):
            decoder = Decoder(encoding)
            assert decoder.decode(data[:cut]) + decoder.decode(data[cut:]) == "办公区-接入"


@pytest.mark.parametrize("shown", ["rule permit ip", "rule per\n mit ip", "rule permit i\r\np".replace("\r", "")])
def test_parsed_an_echo_may_be_wrapped(shown: str) -> None:
    assert find_echo(f"{shown}\n[SW1]", "rule permit ip") == (0, len(shown))


@pytest.mark.parametrize("shown", ["[V200R009C00SPC500]", "[SW2]", "<SW1", "x [SW1]", "[SW10]"])
def test_parsed_what_only_looks_like_a_prompt(shown: str) -> None:
    assert Prompts.of(PLATFORMS["huawei_vrp"], ["SW1"]).at_end(f"a\n{shown}") == ""


@pytest.mark.parametrize(
    "shown", ["<SW1>", "[SW1]", "[~SW1-10GE1/0/1]", "[*SW1]", "HRP_M[SW1-policy-security-rule-p1]"]
)
def test_parsed_prompts_of_all_views(shown: str) -> None:
    assert Prompts.of(PLATFORMS["huawei_vrpv8"], ["SW1"]).at_end(f"a\n{shown}") == shown


def test_parsed_a_long_name_is_cut_by_ios() -> None:
    name = "distribution-switch-building-7"
    assert Prompts.of(PLATFORMS["cisco_ios"], [name]).at_end(f"a\n{name[:20]}(config)#")
