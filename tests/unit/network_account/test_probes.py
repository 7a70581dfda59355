"""Probes: what they take, and that each of them sees what is broken."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from emulators.network import NAMES, emulated

from panshi.errors import PanshiError
from panshi.network.probes import probes_of

from .estates import Estate, made
from .test_rotate import begun

# As the vendors' references show it, for one that answers twice of three times and one that never does.
HUAWEI = """  PING 192.0.2.9: 56  data bytes, press CTRL_C to break
  --- 192.0.2.9 ping statistics ---
    3 packet(s) transmitted
    {} packet(s) received
    {}% packet loss"""
COMWARE = "--- Ping statistics for 192.0.2.9 ---\n3 packet(s) transmitted, {} packet(s) received, {}.0% packet loss"
IOS = "Type escape sequence to abort.\nSuccess rate is {1} percent ({0}/3)"
SAID = {"huawei_vrp": HUAWEI, "huawei_vrpv8": HUAWEI, "hp_comware": COMWARE, "ruijie_os": IOS, "cisco_ios": IOS}
COMMAND = {"ruijie_os": "ping 192.0.2.9 ntimes 3", "cisco_ios": "ping 192.0.2.9 repeat 3"}


@pytest.mark.parametrize("answered", [2, 0])
@pytest.mark.parametrize("platform", NAMES)
def test_emulated_ping_from_a_device(platform: str, answered: int, tmp_path: Path) -> None:
    share = answered * 33 if "ios" in platform or "ruijie" in platform else 100 - answered * 33
    shows = {COMMAND.get(platform, "ping -c 3 192.0.2.9"): SAID[platform].format(answered, share)}
    device = made(platform, shows=shows)
    with emulated(device), begun(tmp_path, device).reach(device).login() as session:
        (probe,) = probes_of([{"ping": "192.0.2.9"}])
        assert bool(probe.failing(session)) is not bool(answered)


def test_emulated_a_port_that_takes_connections_and_one_that_does_not(tmp_path: Path) -> None:
    device = made("huawei_vrp")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    # Nobody listens there any more.
    with emulated(device), begun(tmp_path, device).reach(device).login() as session:
        open_, closed = probes_of([{"tcp": device.port}, {"title": "门户", "tcp": port, "host": "127.0.0.1"}])
        assert open_.failing(session) == ""
        assert "连不上" in closed.failing(session)
        assert closed.title == "门户"


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"ping": "gateway; reboot"},
        {"tcp": "22"},
        {"tcp": 0},
        {"ping": "192.0.2.1", "match": "x"},
        {"command": "reboot", "match": "x"},
        {"command": "display clock"},
        {"command": "display clock", "match": "("},
    ],
)
def test_parsed_a_probe_that_is_not_written_well_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(PanshiError) as refused:
        probes_of([said])
    assert refused.value.code == "PS-E8073"


def test_emulated_the_module_says_what_is_not_true(tmp_path: Path) -> None:
    device, estate = made("huawei_vrp"), Estate(tmp_path)
    probes = [{"title": "版本", "command": "display version", "match": "V200"}, {"title": "网关", "ping": "192.0.2.9"}]
    task = {"name": "Probe | Ensure", "net_probe": {"probes": probes, "accounts": ["audit"]}}
    play = tmp_path / "probe.yml"
    play.write_text(yaml.safe_dump([{"hosts": "network", "gather_facts": False, "tasks": [task]}]))
    with emulated(device):
        estate.describe(device)
        estate.keep("sw1", "ops")
        estate.keep("sw1", "audit", "not-this-one")
        done = estate.play(play)
        assert done.returncode == 2
        assert "登录 audit：设备不接受库里的现用口令" in done.stdout
        assert "网关：" in done.stdout and "PS-E8040" in done.stdout
        assert "版本：" not in done.stdout
        assert "title: 登录 ops" in done.stdout
    assert all(entry.view == "user" for entry in device.journal)
