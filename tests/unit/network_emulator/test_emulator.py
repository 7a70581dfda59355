"""The emulated devices: what they know they do, what they do not know they refuse."""

from __future__ import annotations

import pytest
from emulators.network import NAMES, Device, Typist, emulated

HUAWEI = ("huawei_vrp", "huawei_vrpv8")
IOS = ("cisco_ios", "ruijie_os")
TWO_STAGE = "huawei_vrpv8"
ERRORS = {  # unknown, incomplete, wrong value: what each platform says [D: command references]
    **dict.fromkeys(HUAWEI, ("Error: Unrecognized command", "Error: Incomplete command", "Error: Wrong parameter")),
    "hp_comware": ("% Unrecognized command", "% Incomplete command", "% Wrong parameter"),
    "cisco_ios": ("% Invalid input detected", "% Incomplete command.", "% Invalid input detected"),
    "ruijie_os": ("% Unknown command.", "% Incomplete command.", "% Invalid input detected"),
}


def shows(name: str) -> str:
    return "show running-config" if name in IOS else "display current-configuration"


def enters(name: str) -> str:
    return "configure terminal" if name in IOS else "system-view"


def up(name: str) -> str:
    return "exit" if name in IOS else "quit"


def commit(name: str) -> list[str]:
    return ["commit"] if name == TWO_STAGE else []


def saves(terminal: Typist, name: str) -> str:
    said = terminal.type("write" if name in IOS else "save")
    while "[Y/N]" in said[-20:] or said.endswith(":"):
        said = terminal.type("y" if "[Y/N]" in said[-20:] else "")
    return said


@pytest.mark.parametrize("name", NAMES)
def test_emulated_what_is_typed_runs_and_what_is_saved_starts(name: str) -> None:
    device = Device("SW1", name)
    with emulated(device), Typist(device) as terminal:
        before = device.running
        terminal.type("screen-length 0 temporary" if name in HUAWEI else "terminal length 0")
        assert "sysname SW1" in terminal.type(shows(name)) or "hostname SW1" in device.running
        terminal.lines(enters(name), "interface GigabitEthernet 1/0/2", "description 接入", up(name))
        assert (device.running == before) == (name == TWO_STAGE)
        terminal.lines(*commit(name), up(name))
        assert "interface GigabitEthernet1/0/2\n description 接入" in device.running
        assert device.startup == before
        saves(terminal, name)
        assert device.startup == device.running != before


@pytest.mark.parametrize("name", NAMES)
def test_emulated_refuses_what_it_does_not_know(name: str) -> None:
    unknown, incomplete, wrong = ERRORS[name]
    device = Device("SW1", name)
    with emulated(device), Typist(device) as terminal:
        assert unknown in terminal.type("frobnicate")
        terminal.type(enters(name))
        before = device.running
        assert unknown in terminal.type("frobnicate the network")
        assert incomplete in terminal.type("interface")
        assert wrong in terminal.type("vlan 5000")
        assert unknown in terminal.type("transport-input ssh")  # no word of any view
        assert device.running == before
        assert [entry.accepted for entry in device.journal] == [False, True, False, False, False, False]
