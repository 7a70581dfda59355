"""Each silent or late failure of netmiko 4.8.0 as it comes, and that ours does not have it (emulated devices)."""

from __future__ import annotations

import io
import logging
import time
from pathlib import Path

import pytest
from emulators.network import Device, emulated, until
from netmiko import ReadTimeout
from netmiko.exceptions import ConfigInvalidException

from panshi.errors import PanshiError
from panshi.network.session import PushFailed

from .sessions import ours, stock

VLANS = range(10, 22)
CHINESE = "\n".join(f"vlan {number}\n description 办公区接入{number}" for number in VLANS)
NEW = "Chg-2026-Nov"


def test_emulated_a_save_that_asks_in_other_words_is_answered(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", save="ne8000", factory=True)
    with emulated(device):
        with stock(device) as session:
            assert "[Y/N]" in session.save_config()
        assert device.startup == ""  # said nothing, saved nothing
        with ours(device, tmp_path) as session:
            session.save()
    assert device.startup == device.running


@pytest.mark.parametrize("dialogue", ["default", "ar", "ne8000", "file"])
def test_emulated_every_dialogue_of_a_save_is_answered(tmp_path: Path, dialogue: str) -> None:
    device = Device("SW1", "huawei_vrp", save=dialogue, factory=True)
    with emulated(device), ours(device, tmp_path) as session:
        assert session.startup() == ""
        session.save()
        assert session.is_saved()
    assert device.startup == device.running


def test_emulated_a_save_that_is_refused_is_an_error(tmp_path: Path) -> None:
    busy = "Error: The device is busy. Please try again later."
    device = Device("SW1", "huawei_vrp", factory=True, faults={"save_fail": busy})
    with emulated(device):
        with stock(device) as session:
            session.save_config()  # returns as if it had saved
        with ours(device, tmp_path) as session, pytest.raises(PanshiError, match="busy") as failure:
            session.save()
    assert failure.value.code == "PS-E8044"
    assert device.startup == ""


def test_emulated_a_save_that_saves_nothing_is_an_error(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", faults={"save_skips": True})
    with emulated(device), ours(device, tmp_path) as session:
        session.push(["vlan batch 10"])
        with pytest.raises(PanshiError) as failure:
            session.save()
    assert failure.value.code == "PS-E8045"


def test_emulated_a_refused_line_stops_the_push(tmp_path: Path) -> None:
    lines = ["vlan 10", "name office", "nonsense 1", "vlan 20"]
    device = Device("SW1", "cisco_ios")
    with emulated(device):
        with stock(device) as session:
            session.send_config_set(lines)  # no word of the line, and the ones after it are there
        assert "vlan 20" in device.running
    device = Device("SW1", "cisco_ios")
    with emulated(device), ours(device, tmp_path) as session, pytest.raises(PushFailed) as failure:
        session.push(lines, window=1)
    assert failure.value.code == "PS-E8041"
    assert [line.number for line in failure.value.pushed.lines if line.error] == [3]
    assert not failure.value.pushed.unaccounted
    assert "vlan 20" not in device.running


def test_emulated_after_a_refused_line_configuration_is_left(tmp_path: Path) -> None:
    device = Device("SW1", "cisco_ios")
    with emulated(device):
        with stock(device) as session:
            with pytest.raises(ConfigInvalidException):
                session.send_config_set(["nonsense 1"], error_pattern="% Invalid")
            assert session.find_prompt() == "SW1(config)#"  # half a configuration, and still in it
        with ours(device, tmp_path) as session:
            with pytest.raises(PushFailed):
                session.push(["nonsense 1"])
            assert "hostname SW1" in session.running()


def test_emulated_a_cut_session_is_seen_at_once(tmp_path: Path) -> None:
    lines = [f"vlan {number}" for number in range(10, 30)]
    device = Device("SW1", "cisco_ios", faults={"drop_on": "vlan 15"})
    with emulated(device):
        began = time.monotonic()
        with stock(device, read_timeout_override=2) as session, pytest.raises(ReadTimeout):
            session.send_config_set(lines)
        assert time.monotonic() - began > 2  # its whole time-out, and no word of the cut
        with ours(device, tmp_path, timeout=30) as session:
            began = time.monotonic()
            with pytest.raises(PushFailed) as failure:
                session.push(lines)
            assert time.monotonic() - began < 2
    assert failure.value.code == "PS-E8038"
    pushed = failure.value.pushed
    assert len(pushed.lines) <= 5  # what was answered may have been lost on the way
    assert {"vlan 15"} <= {lines[number - 1] for number in pushed.unaccounted}


def test_emulated_gbk_is_recognised(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", config="vlan 10\n description 办公区-接入\n", faults={"encoding": "gbk"})
    with emulated(device):
        with stock(device) as session:
            assert "办公区" not in session.send_command("display current-configuration")
        with ours(device, tmp_path) as session:
            assert "description 办公区-接入" in session.running()
            assert session.encoding == "gb18030"
            session.push(["vlan 10", "description 财务室", "quit"])
    assert "财务室" in device.running


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_emulated_no_character_is_lost_between_packets(tmp_path: Path, encoding: str) -> None:
    device = Device("SW1", "huawei_vrp", config=CHINESE, faults={"encoding": encoding})
    with emulated(device):
        with stock(device, encoding=encoding) as session:
            device.fault.slow_bps = 740
            broken = session.send_command("display current-configuration", read_timeout=30)
            device.fault.slow_bps = 0
        with ours(device, tmp_path) as session:
            device.fault.slow_bps = 1900
            whole = session.running()
    assert broken.count("办公区接入") < len(VLANS)
    assert whole.count("办公区接入") == len(VLANS)


def test_emulated_a_device_may_be_renamed_in_a_push(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp")
    with emulated(device):
        with stock(device) as session:
            session.write_channel("system-view\n")
            session.read_until_pattern(r"\[SW1\]")
            with pytest.raises(ReadTimeout):
                session.send_command("sysname CORE-1", read_timeout=1)
        with ours(device, tmp_path) as session:
            session.push(["sysname ACC-7", "vlan batch 10", "vlan 10", "description a", "quit"])
            assert session.name == "ACC-7"
            assert "sysname ACC-7" in session.running()


def test_emulated_pages_that_cannot_be_switched_off_are_turned(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", config=CHINESE, faults={"paging_sticky": True})
    with emulated(device):
        with stock(device) as session, pytest.raises(ReadTimeout):
            session.send_command("display current-configuration", read_timeout=1)
        with ours(device, tmp_path) as session:
            text = session.running()
    assert "More" not in text
    assert [line for line in text.splitlines() if "办公区接入" in line] == [
        f" description 办公区接入{number}" for number in VLANS
    ]


def test_emulated_the_log_of_a_device_is_not_its_configuration(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", config="vlan batch 10", faults={"noise": True})
    with emulated(device):
        with stock(device) as session:
            assert "IF_STATE" in session.send_command("display current-configuration")
        with ours(device, tmp_path) as session:
            assert "IF_STATE" not in session.running()


@pytest.mark.long  # 13 seconds of netmiko's own waiting
def test_emulated_a_commit_that_asks_is_not_answered_by_netmiko() -> None:
    device = Device("CE1", "huawei_vrpv8", faults={"commit_ask": "Warning: Commit the changes? [Y/N]:"})
    with emulated(device), stock(device) as session:
        session.write_channel("system-view\nvlan batch 10\n")
        session.read_until_pattern(r"\[\*CE1\]")
        with pytest.raises(ReadTimeout):
            session.commit(read_timeout=1)
    assert "vlan batch 10" not in device.running


def test_emulated_a_commit_that_asks_is_answered(tmp_path: Path) -> None:
    device = Device("CE1", "huawei_vrpv8", faults={"commit_ask": "Warning: Commit the changes? [Y/N]:"})
    with emulated(device), ours(device, tmp_path) as session:
        session.push(["vlan batch 10"])
    assert "vlan batch 10" in device.running


def test_emulated_a_commit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    failed = "Error: Failed to generate committed config: conflict."
    device = Device("CE1", "huawei_vrpv8", faults={"commit_fail": failed})
    with emulated(device), ours(device, tmp_path) as session:
        before = device.running
        with pytest.raises(PushFailed, match="conflict") as failure:
            session.push(["vlan batch 10"])
        assert failure.value.code == "PS-E8047"
        device.fault.commit_fail = ""
        session.push(["vlan batch 20"])
        assert "vlan batch 10" not in session.running()
    assert before != device.running


def test_emulated_a_changed_password_is_nowhere_in_clear(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    line = f"username audit secret {NEW}"
    device = Device("SW1", "cisco_ios")
    log = io.BytesIO()
    caplog.set_level(logging.DEBUG)
    with emulated(device):
        with stock(device, session_log=io.BufferedRandom(log)) as session:  # type: ignore[arg-type]
            session.send_config_set([line])
            with pytest.raises(ConfigInvalidException) as quoted:
                session.send_config_set([f"nonsense password {NEW}"], error_pattern="% Invalid")
            assert session.session_log is not None
            session.session_log.close()
        assert NEW in log.getvalue().decode()
        assert NEW in caplog.text
        assert NEW in str(quoted.value)
        caplog.clear()
        transcript = tmp_path / "transcript"
        with ours(device, tmp_path, transcript) as session:
            pushed = session.push([line])
            with pytest.raises(PushFailed) as failure:
                session.push([f"nonsense {NEW}"])
            session.read("show running-config")
    told = [str(failure.value), repr(failure.value.pushed), repr(pushed), transcript.read_text(), caplog.text]
    assert [text for text in told if NEW in text] == []
    assert "username audit secret ***" in told[3]
    assert transcript.stat().st_mode & 0o777 == 0o600


def test_emulated_an_unknown_host_key_is_refused_before_the_password(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp")
    with emulated(device):
        with stock(device) as session:
            assert session.is_alive()  # whoever it is
        with pytest.raises(PanshiError, match="SHA256:") as unknown, ours(device, tmp_path, known_hosts=None):
            raise AssertionError
    assert unknown.value.code == "PS-E8032"


def test_emulated_a_changed_host_key_is_refused(tmp_path: Path) -> None:
    first, second = Device("SW1", "huawei_vrp"), Device("SW2", "huawei_vrp")
    with emulated(first, second):
        known = tmp_path / "swapped"
        known.write_text(f"[{first.host}]:{first.port} {second.host_key}\n")
        with pytest.raises(PanshiError) as failure, ours(first, tmp_path, known_hosts=known):
            raise AssertionError
    assert failure.value.code == "PS-E8033"
    assert first.journal == []


def test_emulated_old_algorithms_only_where_declared(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", legacy_ssh=True)
    with emulated(device):
        with stock(device) as session:
            assert session.is_alive()  # without a word
        with pytest.raises(PanshiError) as failure, ours(device, tmp_path):
            raise AssertionError
        assert failure.value.code == "PS-E8034"
        with ours(device, tmp_path, legacy_ssh=True) as session:
            assert session.weak_algorithms == ("sha1-kex", "ssh-rsa", "aes128-cbc")
            assert "sysname SW1" in session.running()


def test_emulated_a_cipher_that_authenticates_by_itself_is_preferred(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp")
    with emulated(device):
        with stock(device) as session:
            assert session.remote_conn_pre.get_transport().remote_cipher == "aes128-ctr"
        with ours(device, tmp_path) as session:
            assert (session.algorithms["cipher"], session.algorithms["mac"]) == ("aes128-gcm@openssh.com", "")
    device = Device("SW2", "huawei_vrp", legacy_ssh=True)
    with emulated(device), ours(device, tmp_path, legacy_ssh=True) as session:
        assert session.algorithms["cipher"] == "aes128-cbc"
        assert session.algorithms["mac"].startswith("hmac-")


def test_emulated_a_session_ends_at_once_and_frees_its_line(tmp_path: Path) -> None:
    device = Device("SW1", "huawei_vrp", faults={"max_vty": 1})
    with emulated(device):
        with stock(device) as session:
            began = time.monotonic()
            session.disconnect()
            assert time.monotonic() - began > 2
        until(lambda: not device.sessions)
        for _ in range(2):
            with ours(device, tmp_path) as session:
                began = time.monotonic()
            assert time.monotonic() - began < 1
            until(lambda: not device.sessions)
