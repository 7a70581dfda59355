"""The playbook that changes configurations, as an operator runs it, on emulated devices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulators.network import Device, emulated

from .playing import estate, play, reach

CONFIG = "vlan batch 10 20\n#\ninterface GigabitEthernet0/0/1\n description 旧\n"
WANTED = "vlan batch 30\ninterface GigabitEthernet0/0/1\n description 办公\n"
PATIENCE = ("-e", "network_change_minutes=1")


def written(folder: Path, devices: tuple[Device, ...], wanted: str = WANTED, **more: Any) -> None:
    """Write an inventory in which the same is written down for every device."""
    variables = {"network_config": wanted, "panshi_net_encoding": "utf-8", **more}
    hosts: dict[str, Mapping[str, Any]] = {
        device.name: reach(device.host, device.port, device.platform, **variables) for device in devices
    }
    estate(folder, hosts, [device.known_hosts for device in devices])


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = play(folder, "network_change.yml", "-e", f"network_change_plans={folder / 'plans'}", *arguments)
    return done.returncode, done.stdout + done.stderr


def approval(shown: str) -> tuple[str, ...]:
    """Return the arguments that carry out the plan that was made."""
    path = re.search(r"计划：(\S+)", shown)
    sha256 = re.search(r"摘要（批准时写明）：([0-9a-f]{64})", shown)
    assert path, shown
    assert sha256, shown
    return "-e", f"plan={path[1]}", "-e", f"plan_sha256={sha256[1]}", *PATIENCE


def test_emulated_a_change_from_the_plan_to_the_second_run(tmp_path: Path) -> None:
    device = Device("sw1", "huawei_vrp", config=CONFIG)
    before = device.running
    with emulated(device):
        written(tmp_path, (device,))
        status, shown = run(tmp_path, "--check", "--diff")
        assert status == 0, shown
        assert "vlan batch 30\ninterface GigabitEthernet0/0/1\ndescription 办公\nquit\n" in shown
        assert not (tmp_path / "plans").exists()
        status, shown = run(tmp_path)
        assert status == 0, shown
        assert device.running == before
        assert all(entry.view == "user" for entry in device.journal)
        approved = approval(shown)
        status, shown = run(tmp_path, *approved)
        assert status == 0, shown
        assert "changed=1" in shown
        assert {"vlan batch 10 20 30", " description 办公"} <= set(device.lines)
        assert device.startup == device.running
        status, shown = run(tmp_path)
        assert status == 0, shown
        assert "没有要做的" in shown
        status, shown = run(tmp_path, *approved)  # once more the same plan: nothing is left of it
        assert status == 0, shown
        assert "changed=0" in shown
