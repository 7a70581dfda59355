"""The emulated devices as a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from emulators.network.__main__ import devices_of

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "tests.emulators.network"]


def start(text: str, folder: Path) -> subprocess.Popen[str]:
    path = folder / "devices.yml"
    path.write_text(text, encoding="utf-8")
    pipe = subprocess.PIPE
    return subprocess.Popen([*COMMAND, str(path)], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


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
