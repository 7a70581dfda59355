"""The emulated devices as a process of their own."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from emulators.network import NAMES, Device, Flash
from emulators.network.__main__ import devices_of

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "tests.emulators.network"]
FIRST_DAY = dict.fromkeys(NAMES, "vlan 5\n!\ninterface Vlan5\n description a\n") | {
    "huawei_vrp": "vlan batch 5\n#\ninterface Vlanif5\n description a\n",
    "huawei_vrpv8": "vlan batch 5\n#\ninterface Vlanif5\n description a\n",
    "hp_comware": "vlan 5\n#\ninterface Vlan-interface5\n description a\n",
}


def start(text: str, folder: Path, *options: str) -> subprocess.Popen[str]:
    path = folder / "devices.yml"
    path.write_text(text, encoding="utf-8")
    pipe = subprocess.PIPE
    return subprocess.Popen([*COMMAND, *options, str(path)], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_emulated_a_process_says_where_its_devices_are_and_ends_with_its_input(tmp_path: Path) -> None:
    (tmp_path / "sw1.cfg").write_text("vlan batch 10\n", encoding="utf-8")
    text = """
devices:
  - {name: SW1, platform: huawei_vrp, config: sw1.cfg, users: {ops: Emulated-1}}
  - {name: FW1, platform: hp_comware, users: {ops: Emulated-1}, faults: {encoding: gbk}}
"""
    process = start(text, tmp_path)
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(3)]
    assert [line[0] for line in lines] == ["SW1", "FW1", "ready"]
    assert lines[0][2].startswith("[127.0.0.1]:")
    out, errors = process.communicate("")
    assert (process.returncode, out) == (0, "")


def test_emulated_a_process_refuses_what_it_cannot_be(tmp_path: Path) -> None:
    process = start("devices: [{name: A, platform: cisco_ios, listen: '0.0.0.0:2222'}]\n", tmp_path)
    out, errors = process.communicate("")
    assert (process.returncode, out) == (2, "")
    assert "neither loopback" in errors


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{name: A, platform: junos}", "no platform 'junos'"),
        ("{name: A, platform: cisco_ios, faults: {nonsense: 1}}", "no such fault: nonsense"),
        ("{name: A, platform: cisco_ios, colour: red}", "colour"),
        ("{name: A, platform: cisco_ios, save: ne8000}", "no save dialogue 'ne8000'"),
    ],
)
def test_parsed_a_device_that_cannot_be_is_refused(said: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "devices.yml"
    path.write_text(f"devices: [{said}]\n", encoding="utf-8")
    with pytest.raises(ValueError, match=why):
        devices_of(path)


def test_emulated_a_process_that_stays_is_ended_by_a_signal_and_not_by_its_input(tmp_path: Path) -> None:
    process = start("devices: [{name: SW1, platform: huawei_vrp, flash: sw1}]\n", tmp_path, "--stay")
    assert process.stdout is not None and process.stdin is not None
    first = [process.stdout.readline() for _ in range(2)][0]
    process.stdin.close()
    with socket.create_connection(("127.0.0.1", int(re.findall(r":(\d+) ", first)[0])), timeout=10) as reached:
        assert reached.recv(4) == b"SSH-"
    process.terminate()
    assert process.wait(10) == 0
    process.stdout.close()
    again = start("devices: [{name: SW1, platform: huawei_vrp, flash: sw1}]\n", tmp_path)
    out, errors = again.communicate("")
    assert out.split()[-2] == first.split()[-1]  # the same host key


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_what_was_saved_is_there_after_the_device_was_switched_off(platform: str, tmp_path: Path) -> None:
    flash = Flash(tmp_path / "flash")

    def switched_on(password: str) -> Device:
        return Device("SW1", platform, config=FIRST_DAY[platform], users={"ops": password}, flash=flash)

    device = switched_on("Emulated-1")
    before = device.running
    device.tree.children.popitem()
    again = switched_on("Emulated-2")  # what was not saved is gone; the first day comes only once
    assert again.running == again.startup == before
    assert again.lets_in("ops", "Emulated-1")
    assert not again.lets_in("ops", "Emulated-2")
    device.keep()
    assert switched_on("Emulated-1").running == device.running != before
    assert (flash.folder / "startup.cfg").stat().st_mode & 0o777 == 0o600
