"""Sessions on the emulated devices of all platforms: log in, read, push, save; and how each fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from emulators.network import NAMES, Device, emulated, until

from panshi.errors import PanshiError
from panshi.network.session import Device as Reached
from panshi.network.session import PushFailed, open_device

from .sessions import PASSWORD, ours, reached

LINES = {
    "huawei_vrp": ["vlan batch 10", "interface GigabitEthernet0/0/1", "description core", "quit"],
    "huawei_vrpv8": ["vlan batch 10", "interface Eth-Trunk1", "description core", "quit"],
    "hp_comware": ["vlan 10", "quit", "interface GigabitEthernet1/0/1", "description core", "quit"],
    "ruijie_os": ["vlan 10", "exit", "interface GigabitEthernet 0/1", "description core", "exit"],
    "cisco_ios": ["vlan 10", "exit", "interface GigabitEthernet1/0/1", "description core", "exit"],
}
ACL = ["acl number 3000"] + [f"rule {5 * n} permit ip source 192.0.2.{n} 0" for n in range(1, 101)]


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_what_is_pushed_runs_and_what_is_saved_starts(tmp_path: Path, platform: str) -> None:
    device = Device("SW-1", platform)
    with emulated(device), ours(device, tmp_path) as session:
        assert session.name == "SW-1"
        before = session.running()
        pushed = session.push(LINES[platform])
        assert "description core" in session.running()
        assert session.startup().count("description core") == 0
        session.save()
        assert session.is_saved()
    assert [line.text for line in pushed.lines] == LINES[platform]
    assert [line for line in pushed.lines if line.error or line.output] == []
    assert "description core" not in before
    assert device.startup == device.running
    assert all(entry.accepted for entry in device.journal)


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_refused_line_has_its_number(tmp_path: Path, platform: str) -> None:
    device = Device("SW1", platform)
    with emulated(device), ours(device, tmp_path) as session:
        before = session.running()
        with pytest.raises(PushFailed) as failure:
            session.push(["nonsense", *LINES[platform]])
        assert session.running() == before or platform != "huawei_vrpv8"
    pushed = failure.value.pushed
    assert failure.value.code == "PS-E8041"
    assert pushed.lines[0].error
    assert len(pushed.lines) + len(pushed.unaccounted) <= pushed.total


@pytest.mark.parametrize("platform", NAMES)
@pytest.mark.parametrize(
    "faults",
    [
        {"banner": "Authorized access only #\nUnit 3>", "pw_expire_prompt": True},
        {"noise": True, "paging_sticky": True},
        {"latency": 0.02},
    ],
    ids=lambda faults: "+".join(faults),
)
def test_emulated_nothing_at_log_in_or_between_confuses(
    tmp_path: Path, platform: str, faults: dict[str, object]
) -> None:
    device = Device("SW1", platform, faults=faults)
    with emulated(device), ours(device, tmp_path) as session:
        session.push(LINES[platform])
        session.save()
    assert "description core" in device.startup


@pytest.mark.parametrize(("platform", "prefix"), [("huawei_vrp", "HRP_M"), ("hp_comware", "RBM_P")])
def test_emulated_the_role_in_a_pair_stands_before_the_prompt(tmp_path: Path, platform: str, prefix: str) -> None:
    device = Device("FW1", platform, faults={"prompt_prefix": prefix})
    with emulated(device), ours(device, tmp_path) as session:
        session.push(LINES[platform])
        device.fault.prompt_prefix = prefix[:-1] + "S"  # the other one has taken over
        session.save()
    assert "description core" in device.startup


def test_emulated_the_privileged_level_has_a_password(tmp_path: Path) -> None:
    device = Device("SW1", "cisco_ios", enable="Emulated-2")
    with emulated(device):
        with open_device(reached(device, tmp_path), PASSWORD, enable="Emulated-2") as session:
            assert "hostname SW1" in session.running()
        with pytest.raises(PanshiError) as failure, ours(device, tmp_path):
            raise AssertionError
    assert failure.value.code == "PS-E8037"


def test_emulated_hundreds_of_lines_in_flight_are_all_accounted_for(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", faults={"latency": 0.01})
    with emulated(device), ours(device, tmp_path) as session:
        pushed = session.push(ACL, window=16)
    assert [line.number for line in pushed.lines] == list(range(1, 102))
    assert sum("permit ip source" in line for line in device.lines) == 100


@pytest.mark.parametrize("window", [1, 8])
def test_emulated_after_a_refused_line_no_more_than_the_window_was_sent(tmp_path: Path, window: int) -> None:
    device = Device("SW1", "huawei_vrp", faults={"error_on": "rule 100 "})
    with emulated(device), ours(device, tmp_path) as session, pytest.raises(PushFailed, match="第 21 行") as failure:
        session.push(ACL, window=window)
    sent = [entry for entry in device.journal if entry.line.startswith("rule ")]
    pushed = failure.value.pushed
    assert len(sent) <= 20 + window - 1
    assert len(pushed.lines) == len(sent) + 1
    assert [line.number for line in pushed.lines if line.error] == [21]


def test_emulated_a_view_that_is_refused_is_not_left(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", faults={"error_on": "^interface"})
    with emulated(device), ours(device, tmp_path) as session, pytest.raises(PushFailed) as failure:
        session.push(["interface GigabitEthernet0/0/1", "quit", "reboot"])
    assert [line.number for line in failure.value.pushed.lines] == [1]
    assert not [entry for entry in device.journal if entry.view != "user" and entry.line in ("quit", "reboot")]


def test_emulated_a_terminal_that_loses_what_is_typed_ahead_is_noticed(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", faults={"input_buffer": 60, "cpu_delay": 0.02})
    with emulated(device):
        with ours(device, tmp_path, timeout=1) as session, pytest.raises(PushFailed) as failure:
            session.push(ACL, window=32)
        pushed = failure.value.pushed
        held = [line for line in device.lines if "permit ip source" in line]
        good = [line.text for line in pushed.lines if line.text.startswith("rule") and not line.error]
        assert {text.strip() for text in held} >= set(good)  # nothing is said to be there that is not
        with ours(device, tmp_path) as session:
            session.push(ACL, window=1)
    assert sum("permit ip source" in line for line in device.lines) == 100


def test_emulated_a_device_that_hangs_is_given_up(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", faults={"hang_on": "vlan batch"})
    with emulated(device), ours(device, tmp_path, timeout=0.5) as session, pytest.raises(PushFailed) as failure:
        session.push(["vlan batch 10"])
    assert failure.value.code == "PS-E8039"
    assert list(failure.value.pushed.unaccounted) == [1]


def test_emulated_chinese_needs_a_known_encoding(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", faults={"encoding": "gbk"})
    lines = ["vlan 10", "description 财务室", "quit"]
    with emulated(device):
        with ours(device, tmp_path) as session:
            with pytest.raises(PushFailed) as failure:
                session.push(lines)
            assert failure.value.code == "PS-E8046"
            assert "vlan 10" not in session.running()
        with ours(device, tmp_path, encoding="gb18030") as session:
            session.push(lines)
    assert "财务室" in device.running


def test_emulated_a_refused_read_is_an_error(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp")
    with emulated(device), ours(device, tmp_path) as session:
        with pytest.raises(PanshiError, match="Unrecognized") as failure:
            session.read("display nonsense")
        assert "Huawei Versatile" in session.read("display version")
    assert failure.value.code == "PS-E8040"


def test_emulated_a_configuration_that_is_cut_off_is_not_one(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", shows={"display current-configuration": "#\nsysname SW1\n#"})
    with emulated(device), ours(device, tmp_path) as session, pytest.raises(PanshiError) as failure:
        session.running()
    assert failure.value.code == "PS-E8043"


def test_emulated_a_configuration_that_begins_like_a_prompt_is_read(tmp_path: Path) -> None:
    shown = "[V200R009C00SPC500]\n#\nsysname AR1\n#\nreturn"
    device = Device("AR1", "huawei_vrp", shows={"display current-configuration": shown}, faults={"slow_bps": 400})
    with emulated(device), ours(device, tmp_path) as session:
        assert session.running() == shown + "\n"


def test_emulated_a_wrong_password_is_refused(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", faults={"auth_fail": 1})
    with emulated(device), pytest.raises(PanshiError) as failure, ours(device, tmp_path):
        raise AssertionError
    assert failure.value.code == "PS-E8031"
    assert PASSWORD not in str(failure.value)


def test_emulated_no_line_is_free(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", faults={"max_vty": 1})
    with emulated(device), ours(device, tmp_path):
        until(lambda: device.sessions)
        with pytest.raises(PanshiError) as failure, ours(device, tmp_path):
            raise AssertionError
    assert failure.value.code in ("PS-E8030", "PS-E8038")


def test_real_nobody_listens() -> None:
    device = Reached("SW1", "huawei_vrp", "127.0.0.1", "ops", port=1, connect_timeout=2)
    with pytest.raises(PanshiError) as failure, open_device(device, PASSWORD):
        raise AssertionError
    assert failure.value.code == "PS-E8030"
    assert failure.value.message.endswith("连不上：端口拒绝连接")


def test_parsed_a_platform_that_is_not_known() -> None:
    with pytest.raises(PanshiError) as failure, open_device(Reached("SW1", "junos", "127.0.0.1", "ops"), PASSWORD):
        raise AssertionError
    assert failure.value.code == "PS-E8048"
