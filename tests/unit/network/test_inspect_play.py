"""``network_inspect.yml`` as an operator runs it, on emulated devices: rows, report and what is said."""

from __future__ import annotations

from pathlib import Path

from emulators.network import Device, emulated
from emulators.network.platform import platform

from panshi.facts.network import PLATFORMS
from panshi.record import NetworkInspectionRow, read_run, verify_run
from panshi.verdict import Status

from .playing import estate, play, reach


def rows(folder: Path) -> dict[str, NetworkInspectionRow]:
    (run,) = (folder / "records" / "emulated" / "network_inspect").iterdir()
    assert not verify_run(run)
    return {row.host: row for row in read_run(run).network_inspections}


def statuses(row: NetworkInspectionRow) -> dict[str, str]:
    return {one["id"]: one["status"] for one in row.subjects if one["status"] != Status.PASS}


def test_emulated_devices_are_inspected_and_reported(tmp_path: Path) -> None:
    good = [Device(f"sw{number}", name) for number, name in enumerate(PLATFORMS, 1)]
    vrp = platform("huawei_vrp").shows
    shows = {
        "display fan": vrp["display fan"].replace("Normal", "Abnormal"),
        "display cpu-usage": "nothing that is known",
        "display power": "Error: busy",
    }
    ill = Device("ill", "huawei_vrp", shows=shows)
    stranger = Device("stranger", "cisco_ios", faults={"auth_fail": 99})
    wrong = Device("wrong", "cisco_ios")
    left = Device("left", "cisco_ios")
    with emulated(*good, ill, stranger, wrong, left):
        everyone = (*good, ill, stranger, wrong, left)
        hosts = {one.name: reach(one.host, one.port, one.platform) for one in everyone}
        hosts["sw1"]["panshi_net_neighbours"] = {"GE0/0/1": "core1"}
        hosts["sw2"]["mlps_device_memory_percent"] = 30
        hosts["left"]["panshi_targets"] = []
        hosts["sw1"]["lab_emulated"] = True
        hosts["wrong"]["panshi_net_neighbours"] = ["core1"]
        estate(tmp_path, hosts, [one.known_hosts for one in everyone])
        done = play(tmp_path, "network_inspect.yml")
        journal = {entry.line for device in (*good, ill) for entry in device.journal}
    assert done.returncode == 2, done.stdout
    recap = {line.split()[0]: line for line in done.stdout.splitlines() if "failed=" in line}
    assert {name for name, line in recap.items() if "failed=1" in line} == {"stranger", "wrong"}
    assert all("changed=0" in line for line in recap.values())
    found = rows(tmp_path)
    assert {name: row.code for name, row in found.items() if row.state == "failed"} == {
        "stranger": "PS-E8031",
        "wrong": "PS-E8130",
    }
    assert (found["left"].state, left.journal) == ("skipped", [])
    assert {name for name, row in found.items() if row.emulated} == {"sw1"}
    assert statuses(found["sw1"]) == {}
    assert statuses(found["sw2"]) == {"memory": "fail", "neighbours": "not_applicable"}
    assert statuses(found["sw3"]) == {"neighbours": "not_applicable"}
    unread = {"cpu": "error", "power": "error", "fan": "fail", "neighbours": "not_applicable"}
    assert statuses(found["ill"]) == unread
    assert "风扇异常：01Abnormal" in "".join(done.stdout.split())
    (report,) = tmp_path.glob("records/emulated/network_inspect/*/report/*.html")
    text = report.read_text()
    assert all(
        word in text for word in ("sw5", "stranger", "PS-E8031", "没有读到", "异常", "仿真", "display fan", "Abnormal")
    )
    assert all(line.split()[0] in ("display", "show", "screen-length", "terminal", "quit", "exit") for line in journal)
