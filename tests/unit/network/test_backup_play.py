"""The playbooks that read devices, as an operator runs them, on emulated devices."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from panshi.record import NetworkBackupRow, read_run

from .playing import devices, estate, play, reach

HASH = "$1c$00000000$1111111111111111$"
CONFIG = f"vlan batch 10 20\naaa\n local-user audit password irreversible-cipher {HASH}\n"
USERS = {"ops": "Emulated-1"}
DESCRIBED: tuple[Mapping[str, Any], ...] = (
    {"name": "sw1", "platform": "huawei_vrp"},
    {"name": "sw2", "platform": "cisco_ios", "factory": True},
    {"name": "sw3", "platform": "hp_comware", "faults": {"encoding": "gbk", "paging_sticky": True}},
    {"name": "wrong", "platform": "huawei_vrp", "faults": {"auth_fail": 99}},
    {"name": "unknown", "platform": "huawei_vrp"},
    {"name": "exchanged", "platform": "huawei_vrp"},
)
GOOD = ("sw1", "sw2", "sw3")
FAILS = {
    "a-misspelt": "PS-E8050",
    "down": "PS-E8030",
    "exchanged": "PS-E8033",
    "unknown": "PS-E8032",
    "wrong": "PS-E8031",
}


def rows(folder: Path) -> list[tuple[dict[str, str], dict[str, NetworkBackupRow]]]:
    """Return by run, and by device, what became of it and what was found."""
    runs = [read_run(path) for path in sorted((folder / "records" / "emulated" / "network_backup").iterdir())]
    return [
        ({row.host: row.state for row in run.hosts}, {row.host: row for row in run.network_backups}) for run in runs
    ]


def commits(folder: Path) -> list[str]:
    command = ["git", "-C", str(folder / "state" / "backups"), "log", "--format=%H"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def failed(output: str) -> set[str]:
    return {line.split()[0] for line in output.splitlines() if "failed=1" in line}


def test_emulated_a_fleet_is_backed_up_whatever_is_wrong_with_some(tmp_path: Path) -> None:
    (tmp_path / "emulated").mkdir()
    (tmp_path / "emulated" / "sw1.cfg").write_text(CONFIG)
    (tmp_path / "emulated" / "sw3.cfg").write_text("vlan 10\n description 办公网\n", encoding="utf-8")
    described = [
        {**one, "users": USERS, **({"config": f"{one['name']}.cfg"} if one["name"] in ("sw1", "sw3") else {})}
        for one in DESCRIBED
    ]
    with devices(tmp_path / "emulated", described) as found:
        platforms = {one["name"]: one["platform"] for one in DESCRIBED}
        hosts = {name: reach(*found[name][:2], platforms[name]) for name in found}
        hosts["a-misspelt"] = reach("{{ nowhere }}", 22, "huawei_vrp")
        hosts["down"] = reach("127.0.0.1", 1, "huawei_vrp")
        keys = [found[name][2] for name in (*GOOD, "wrong")]
        keys.append(f"{found['exchanged'][2].split()[0]} {' '.join(found['sw1'][2].split()[1:])}")
        estate(tmp_path, hosts, keys)

        trial = play(tmp_path, "network_backup.yml", "--check", "--diff")
        assert "irreversible-cipher ***" in trial.stdout
        assert not (tmp_path / "state").exists()
        assert not (tmp_path / "records").exists()

        first = play(tmp_path, "network_backup.yml")
        assert first.returncode == 2
        assert failed(first.stdout) == set(FAILS)
        assert "网络设备 8 台：3 台读全并留存（3 台有变化），5 台没有备份成；11 项发现" in first.stdout
        second = play(tmp_path, "network_backup.yml", "--limit", ",".join(GOOD))
        assert second.returncode == 0, second.stdout
        assert "changed=1" not in second.stdout

    (_, was), (told, again) = rows(tmp_path)
    assert told == dict.fromkeys(GOOD, "unchanged")
    assert {name: was[name].findings[0]["code"] for name in FAILS} == FAILS
    assert all(was[name].findings[1]["code"] == "PS-E8052" for name in FAILS)
    assert {name: was[name].state for name in GOOD} == dict.fromkeys(GOOD, "changed")
    assert {name: again[name].state for name in GOOD} == dict.fromkeys(GOOD, "same")
    assert {name: again[name].saved for name in GOOD} == {"sw1": True, "sw2": False, "sw3": True}
    assert commits(tmp_path) == [was["sw1"].commit] == [again["sw3"].commit]
    assert was["sw3"].encoding == "gb18030"
    backups = tmp_path / "state" / "backups"
    assert "description 办公网" in (backups / "sw3" / "running.cfg").read_text(encoding="utf-8")
    assert "More" not in (backups / "sw3" / "running.cfg").read_text(encoding="utf-8")
    assert "irreversible-cipher ***" in (backups / "sw1" / "running.cfg").read_text()

    report = min((tmp_path / "records").rglob("*.html")).read_text(encoding="utf-8")
    assert "3 / 8" in report
    assert all(f"（{code}）" in report for code in FAILS.values())
    kept = [path for folder in ("state", "records") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    said = "".join(one.stdout + one.stderr for one in (trial, first, second))
    assert HASH not in said
    assert [path for path in kept if HASH.encode() in path.read_bytes()] == []


def test_emulated_transcripts_are_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "emulated").mkdir()
    (tmp_path / "emulated" / "sw1.cfg").write_text(CONFIG)
    device = {"name": "sw1", "platform": "huawei_vrp", "config": "sw1.cfg", "users": USERS}
    with devices(tmp_path / "emulated", [device]) as found:
        estate(tmp_path, {"sw1": reach(*found["sw1"][:2], "huawei_vrp")}, [found["sw1"][2]])
        done = play(tmp_path, "network_transcripts.yml", "-e", f"network_transcripts_folder={tmp_path / 'out'}")
    assert done.returncode == 0, done.stdout
    text = (tmp_path / "out" / "sw1.txt").read_text()
    assert "<sw1>display version" in text
    assert "Unrecognized command" in text
    assert "irreversible-cipher ***" in text
    assert HASH not in text + done.stdout
