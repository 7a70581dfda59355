"""What can go wrong on an emulated device goes wrong as it was asked for."""

from __future__ import annotations

import time

import paramiko
import pytest
from emulators.network import NAMES, Device, Faults, Typist, emulated, until


def test_parsed_a_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no such fault: sav_fail"):
        Device("SW1", "huawei_vrp", faults={"sav_fail": "x"})


def test_emulated_a_login_needs_the_password_in_the_configuration() -> None:
    device = Device("SW1", "huawei_vrp", users={"ops": "Emulated-1"})
    with emulated(device), Typist(device) as terminal:
        with pytest.raises(paramiko.AuthenticationException):
            Typist(device, password="wrong")
        terminal.lines("system-view", "aaa", "local-user ops password irreversible-cipher Emulated-2")
        with pytest.raises(paramiko.AuthenticationException):
            Typist(device, password="Emulated-1")
        with Typist(device, password="Emulated-2") as other:
            assert other.type("display this | include sysname").startswith(" ")  # refused: no view to show


def test_emulated_the_next_logins_are_refused() -> None:
    device = Device("SW1", "cisco_ios", faults={"auth_fail": 1})
    with emulated(device):
        with pytest.raises(paramiko.AuthenticationException):
            Typist(device)
        Typist(device)


def test_emulated_output_comes_in_pages_and_is_erased() -> None:
    text = "".join(f"interface GigabitEthernet0/0/{port}\n description x\n" for port in range(20))
    device = Device("SW1", "huawei_vrp", config=text)
    with emulated(device), Typist(device) as terminal:
        said = terminal.type("display current-configuration")
        assert said.endswith("---- More ----")
        assert "\x1b[16D" in terminal.type(" ", end="", echo=False)
        assert terminal.type("q", end="", echo=False).endswith("<SW1>")
        terminal.type("screen-length 0 temporary")
        assert terminal.type("display current-configuration").endswith("return\n<SW1>")
        device.fault.paging_sticky = True
        assert terminal.type("display current-configuration").endswith("---- More ----")


def test_emulated_gbk_text() -> None:
    device = Device("SW1", "huawei_vrp", faults={"encoding": "gbk"})
    with emulated(device), Typist(device, encoding="gbk") as terminal:
        terminal.lines("system-view", "interface g0/0/1")
        assert terminal.type("description 办公区-接入") == "[SW1-GigabitEthernet0/0/1]"
        assert "办公区-接入".encode("gbk") in _raw(terminal, "display this")
    assert " description 办公区-接入" in device.lines


def _raw(terminal: Typist, line: str) -> bytes:
    terminal.type(line)
    return terminal.raw


def test_emulated_echo_is_by_character() -> None:
    device = Device("SW1", "huawei_vrp")
    with emulated(device), Typist(device) as terminal:
        for character in "system":
            assert (
                terminal.type(
                    character,
                    end="",
                    waits="^$",
                )
                == ""
            )
        assert terminal.type("-view").endswith("[SW1]")


def test_emulated_banner_question_prefix_and_noise() -> None:
    faults = {"banner": "# 未经授权 <禁止> 登录", "pw_expire_prompt": True, "prompt_prefix": "HRP_M", "noise": True}
    device = Device("FW1", "huawei_vrp", faults=faults)
    with emulated(device), Typist(device) as terminal:
        assert "禁止" in terminal.first
        assert terminal.first.endswith("[Y/N]:")
        assert terminal.type("N") == "HRP_M<FW1>"
        assert "IF_STATE" in terminal.type("display version")


@pytest.mark.parametrize("faults", [{"drop_after": 2}, {"drop_on": "vlan 12"}])
def test_emulated_a_session_that_is_cut_leaves_half_the_lines(faults: dict[str, object]) -> None:
    device = Device("SW1", "hp_comware", faults=faults)
    with emulated(device), Typist(device) as terminal:
        terminal.lines("system-view", "vlan 10", "quit", "vlan 11", "quit")
        with pytest.raises(EOFError):
            terminal.type("vlan 12")
        assert [line for line in device.lines if line.startswith("vlan")] == ["vlan 10", "vlan 11"]
        until(lambda: not device.sessions)


def test_emulated_a_command_that_is_never_answered() -> None:
    device = Device("SW1", "ruijie_os", faults={"hang_on": "^write"})
    with emulated(device), Typist(device) as terminal:
        terminal.type("write", waits="^$")
        with pytest.raises(TimeoutError):
            terminal.read(seconds=0.2)
        assert device.journal[-1].line == "write"


def test_emulated_a_line_that_is_refused_and_latency() -> None:
    device = Device("SW1", "cisco_ios", faults={"error_on": "10.* deny", "latency": 0.05})
    with emulated(device), Typist(device) as terminal:
        began = time.monotonic()
        terminal.lines("configure terminal", "ip access-list extended X")
        assert "% Invalid input" in terminal.type("10 deny ip any any")
        assert time.monotonic() - began >= 0.15


def test_emulated_a_slow_line() -> None:
    device = Device("SW1", "cisco_ios", faults={"slow_bps": 2000})
    with emulated(device), Typist(device) as terminal:
        began = time.monotonic()
        said = terminal.type("show version")
        assert time.monotonic() - began > len(said) / 2000 * 0.8


def test_emulated_one_processor_for_all_sessions() -> None:
    device = Device("SW1", "cisco_ios", faults={"cpu_delay": 0.05})
    with emulated(device), Typist(device) as one, Typist(device) as two:
        began = time.monotonic()
        one.send("show version\r")
        two.type("show version")
        one.read()
        assert time.monotonic() - began >= 0.1


def test_emulated_typed_ahead_input_is_lost_when_the_buffer_is_full() -> None:
    device = Device("SW1", "huawei_vrp", faults={"input_buffer": 64, "cpu_delay": 0.05})
    with emulated(device), Typist(device) as terminal:
        terminal.type("system-view")
        terminal.send("".join(f"vlan {number}\rquit\r" for number in range(10, 30)))
        until(lambda: device.journal[-1].time < time.monotonic() - 0.3)
        assert 1 < len(device.journal) < 20


@pytest.mark.parametrize(
    ("faults", "said", "saved"),
    [
        ({"save_fail": "Error: The device is busy."}, "busy", False),
        ({"save_skips": True}, "success", False),
        ({"save_prompt": "Overwrite cfcard:/x.cfg? [Y/N]:"}, "success", True),
        ({"save_delay": 0.05}, "success", True),
    ],
)
def test_emulated_ways_of_saving(faults: dict[str, object], said: str, saved: bool) -> None:
    device = Device("SW1", "huawei_vrp", faults=faults)
    with emulated(device), Typist(device) as terminal:
        terminal.lines("system-view", "vlan batch 10", "quit")
        assert terminal.type("save").endswith(str(faults.get("save_prompt", "[Y/N]")))
        assert said in terminal.type("y")
        assert (device.startup == device.running) == saved


def test_emulated_every_save_dialogue_and_a_no() -> None:
    for name in NAMES:
        for variant in Device("SW1", name).kind.saves:
            device = Device("SW1", name, save=variant)
            with emulated(device), Typist(device) as terminal:
                enter, leave, save = (
                    ("configure terminal", "end", "copy running-config startup-config")
                    if name in ("cisco_ios", "ruijie_os")
                    else ("system-view", "return", "save")
                )
                terminal.lines(enter, "interface LoopBack 0", *(["commit"] if device.kind.two_stage else []), leave)
                for question in device.kind.saves[variant]:
                    said = terminal.type(save)
                    assert said.strip().endswith(question.text.split("\n")[-1].strip())
                    save = "" if question.kind == "text" else "y"
                assert device.startup != device.running
                terminal.type(save)
                assert device.startup == device.running
    with emulated(device := Device("SW1", "huawei_vrp", factory=True)), Typist(device) as terminal:
        terminal.lines("save", "n")
        assert device.startup == ""
        assert "no saved" in terminal.type("display saved-configuration")


def test_emulated_a_line_that_lets_no_login_in_any_more() -> None:
    device = Device("SW1", "huawei_vrp", faults={"lockout_line": "acl 3999 inbound"})
    with emulated(device), Typist(device) as terminal:
        terminal.lines("system-view", "user-interface vty 0 4", "acl 3999 inbound")
        with pytest.raises(paramiko.AuthenticationException):
            Typist(device)
        terminal.type("undo acl inbound")
        Typist(device)


def test_emulated_an_account_is_locked_by_failed_logins_in_a_row() -> None:
    device = Device("SW1", "huawei_vrp", faults={"locks_after": 2})
    with emulated(device):
        for password, let_in in (("x", False), ("Emulated-1", True), ("x", False), ("x", False), ("Emulated-1", False)):
            assert device.lets_in("ops", password) is let_in


@pytest.mark.parametrize(
    ("platform", "view", "typed"),
    [
        ("huawei_vrp", "aaa", "local-user ops password irreversible-cipher {}"),
        ("huawei_vrpv8", "aaa", "local-user ops password irreversible-cipher {}"),
        ("hp_comware", "local-user ops class manage", "password simple {}"),
        ("cisco_ios", "", "username ops privilege 15 algorithm-type scrypt secret {}"),
        ("ruijie_os", "", "username ops privilege 15 secret {}"),
    ],
)
def test_emulated_a_password_that_the_devices_rules_do_not_take(platform: str, view: str, typed: str) -> None:
    device = Device("SW1", platform, faults={"password_least": 9, "password_history": 2})
    with emulated(device), Typist(device) as terminal:
        enter = "configure terminal" if platform in ("cisco_ios", "ruijie_os") else "system-view"
        terminal.lines(enter, *([view] if view else []))
        assert "too short" in terminal.type(typed.format("Short-1"))
        assert "used" in terminal.type(typed.format("Emulated-1"))
        for fresh in ("Emulated-2", "Emulated-3", "Emulated-1"):
            assert "assword" not in terminal.type(typed.format(fresh)).removeprefix(typed.format(fresh))
        if platform == "huawei_vrpv8":
            terminal.type("commit")
    assert device.lets_in("ops", "Emulated-1")


def test_emulated_an_account_of_ios_has_the_level_that_was_typed() -> None:
    device = Device("SW1", "cisco_ios")
    with emulated(device), Typist(device) as terminal:
        terminal.lines("configure terminal", "username a privilege 7 secret Emulated-2", "username b secret Emulated-3")
    assert [line.split("secret")[0] for line in device.lines if line.startswith(("username a", "username b"))] == [
        "username a privilege 7 ",
        "username b privilege 1 ",
    ]


def test_emulated_a_line_that_cuts_all_sessions() -> None:
    device = Device("SW1", "huawei_vrp", faults={"kills_session_line": "shutdown"})
    with emulated(device), Typist(device) as terminal, Typist(device) as other:
        terminal.lines("system-view", "interface Vlanif 1")
        with pytest.raises(EOFError):
            terminal.type("shutdown")
        with pytest.raises((EOFError, OSError)):
            other.type("display this")
        with pytest.raises(paramiko.SSHException):
            Typist(device)
        assert " shutdown" in device.lines


def test_emulated_as_many_sessions_as_lines() -> None:
    device = Device("SW1", "huawei_vrp", faults={"max_vty": 1})
    refused = pytest.raises(EOFError, match="All user interfaces are used")
    with emulated(device), Typist(device), refused, Typist(device):
        pass


def test_emulated_old_cryptography() -> None:
    device = Device("SW1", "huawei_vrp", legacy_ssh=True)
    with emulated(device), Typist(device) as terminal:
        transport = terminal._client.get_transport()
        assert transport is not None and transport.local_cipher == "aes128-cbc"
        assert device.host_key.startswith("ssh-rsa ")


def test_emulated_the_privileged_level() -> None:
    device = Device("SW1", "ruijie_os", enable="Privileged-1")
    with emulated(device), Typist(device) as terminal:
        assert terminal.first == "SW1>"
        assert "% Unknown command" in terminal.type("show running-config")
        assert terminal.type("enable").endswith("Password:")
        assert terminal.type("wrong", waits="SW1>$", echo=False).endswith("% Access denied\nSW1>")
        terminal.type("enable")
        assert terminal.type("Privileged-1", echo=False).endswith("SW1#")


def test_emulated_it_listens_nowhere_else() -> None:
    with (
        pytest.raises(ValueError, match="neither loopback"),
        emulated(Device("SW1", "huawei_vrp", listen=("0.0.0.0", 0))),
    ):
        pass


def test_emulated_every_fault_is_used_by_a_test() -> None:
    from pathlib import Path

    texts = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [
        name for name in Faults.__dataclass_fields__ if f'"{name}"' not in texts and f"fault.{name}" not in texts
    ] == []
