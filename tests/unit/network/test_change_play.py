"""The playbook that changes configurations, as an operator runs it, on emulated devices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from emulators.network import Device, emulated

from panshi.network.change.journal import Open, digest, held
from panshi.network.config import normal
from panshi.record import NetworkChangeRow, read_run

from .playing import estate, play, reach
from .sessions import ours

CONFIG = "vlan batch 10 20\n#\ninterface GigabitEthernet0/0/1\n description 旧\n"
WANTED = "vlan batch 30\ninterface GigabitEthernet0/0/1\n description 办公\n"
CUT = "vlan 5\n#\ninterface Vlan-interface5\n ip address 192.0.2.5 255.255.255.0\n"


def written(folder: Path, wanted: Sequence[tuple[Device, str]]) -> None:
    """Write an inventory with what is written down for each device."""
    hosts = {
        device.name: reach(device.host, device.port, device.platform, network_lines=text, panshi_net_encoding="utf-8")
        for device, text in wanted
    }
    estate(folder, hosts, [device.known_hosts for device, _ in wanted])


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = play(folder, "network_change.yml", "-e", f"network_change_plans={folder / 'plans'}", *arguments)
    return done.returncode, done.stdout + done.stderr


def approval(shown: str) -> tuple[str, ...]:
    """Return the arguments that carry out the plan that was made."""
    path = re.search(r"计划：(\S+)", shown)
    sha256 = re.search(r"摘要（批准时写明）：([0-9a-f]{64})", shown)
    assert path, shown
    assert sha256, shown
    return "-e", f"plan={path[1]}", "-e", f"plan_sha256={sha256[1]}", "-e", "network_change_minutes=1"


def last_run(folder: Path) -> Path:
    return max((folder / "records" / "emulated" / "network_change").iterdir())


def report(folder: Path) -> str:
    (file,) = (last_run(folder) / "report").glob("*.html")
    return file.read_text(encoding="utf-8")


def rows(folder: Path) -> dict[str, NetworkChangeRow]:
    """Return by device what the last run has recorded."""
    return {row.host: row for row in read_run(last_run(folder)).network_changes}


def test_emulated_a_change_from_the_plan_to_the_second_run(tmp_path: Path) -> None:
    device = Device("sw1", "huawei_vrp", config=CONFIG)
    before = device.running
    with emulated(device):
        written(tmp_path, [(device, WANTED)])
        status, shown = run(tmp_path, "--check", "--diff")
        assert status == 0, shown
        assert "vlan batch 30\ninterface GigabitEthernet0/0/1\ndescription 办公\nquit\n" in shown
        assert not (tmp_path / "plans").exists()
        status, shown = run(tmp_path)
        assert status == 0, shown
        assert device.running == before
        assert all(entry.view == "user" for entry in device.journal)
        assert "待批准的摘要" in report(tmp_path)
        approved = approval(shown)
        status, shown = run(tmp_path, *approved)
        assert status == 0, shown
        assert "changed=1" in shown
        assert {"vlan batch 10 20 30", " description 办公"} <= set(device.lines)
        assert device.startup == device.running
        steps = [one["step"] for one in rows(tmp_path)["sw1"].steps]
        assert steps == ["begun", "pushed", "logged_in", "probed", "confirmed", "saved"]
        assert "新登录" in report(tmp_path)
        status, shown = run(tmp_path, *approved)  # once more the same plan: nothing is left of it
        assert status == 0, shown
        assert "changed=0" in shown
        assert rows(tmp_path)["sw1"].state == "same"


def test_emulated_a_plan_is_refused_that_is_not_the_approved_one_and_a_bad_device_leaves_the_others(
    tmp_path: Path,
) -> None:
    good, changed = Device("a-good", "huawei_vrp", config=CONFIG), Device("b-changed", "huawei_vrp", config=CONFIG)
    cut = Device("c-cut", "hp_comware", config=CUT, second=0.01, faults={"kills_session_line": "shutdown"})
    last = Device("d-last", "huawei_vrp", config=CONFIG)
    same = Device("a-as-written", "huawei_vrp", config=CONFIG.replace("batch 10 20", "batch 30").replace("旧", "办公"))
    wanted = [
        (same, WANTED),
        (good, WANTED),
        (changed, WANTED),
        (cut, "interface Vlan-interface5\n shutdown\n"),
        (last, WANTED),
    ]
    devices = [device for device, _ in wanted]
    before = [(device.running, device.startup) for device in devices]
    with emulated(*devices):
        written(tmp_path, wanted)
        status, shown = run(tmp_path)
        assert status == 0, shown
        approved = approval(shown)
        plan = next((tmp_path / "plans").rglob("*.yml"))
        text = plan.read_text()
        plan.write_text(text.replace("vlan batch 30", "vlan batch 31"))
        status, shown = run(tmp_path, *approved)
        assert status == 2
        assert "PS-E8109" in shown
        assert [(device.running, device.startup) for device in devices] == before
        plan.write_text(text)
        with ours(changed, tmp_path) as by_hand:
            by_hand.push(["vlan batch 77"])
            by_hand.save()
        with ours(last, tmp_path) as killed:  # as a controller leaves it that dies in the middle
            saved = digest(normal(killed.startup(), "huawei_vrp"))
            with held(tmp_path / "state" / "changes", "d-last") as journal:
                journal.begin(Open("run", "2026-11-22T01:02:03Z", saved))
            killed.push(["vlan batch 30"])
        status, shown = run(tmp_path, *approved)
        assert status == 2
        found = rows(tmp_path)
        assert {name: (row.state, row.code) for name, row in found.items()} == {
            "a-good": ("changed", ""),
            "b-changed": ("failed", "PS-E8110"),
            "c-cut": ("failed", "PS-E8004"),
            "d-last": ("changed", ""),
        }
        assert (cut.running, cut.startup) == before[3]
        assert [one["step"] for one in found["d-last"].steps][:2] == ["settled", "begun"]
        assert last.startup == last.running
        assert [one["step"] for one in found["c-cut"].steps][-1] == "taken_back"
        assert not any(row.unproven for row in found.values())
