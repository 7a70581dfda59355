"""The playbooks that read devices, as an operator runs them, on emulated devices."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import yaml
from emulators.network import Device, emulated

from panshi.record import read_run

from .sessions import PASSWORD

ROOT = Path(__file__).resolve().parents[3]
HASH = "$1c$00000000$1111111111111111$"
CONFIG = f"vlan batch 10 20\naaa\n local-user audit password irreversible-cipher {HASH}\n"


def estate(folder: Path, devices: tuple[Device, ...]) -> None:
    """Write an inventory of the devices, with their host keys, and a store that has their passwords."""
    hosts = {
        device.name: {
            "ansible_host": device.host,
            "ansible_port": device.port,
            "ansible_network_os": device.platform,
        }
        for device in devices
    }
    shared = {
        "ansible_user": "ops",
        "ansible_password": PASSWORD,
        "panshi_estate": "emulated",
        "panshi_net_known_hosts": str(folder / "known_hosts"),
        "panshi_net_state": str(folder / "state"),
        "panshi_net_timeout": 2,
        "panshi_records": str(folder / "records"),
    }
    (folder / "known_hosts").write_text("".join(f"{device.known_hosts}\n" for device in devices))
    (folder / "hosts.yml").write_text(yaml.safe_dump({"network": {"hosts": hosts, "vars": shared}}))
    (folder / "vault").write_text("Store-Password-1")


def play(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["ansible-playbook", "-i", str(folder / "hosts.yml"), str(ROOT / "playbooks" / name), *arguments]
    env = {
        **os.environ,
        "ANSIBLE_VAULT_PASSWORD_FILE": str(folder / "vault"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_emulated_a_backup_job_from_the_first_run_to_the_third(tmp_path: Path) -> None:
    devices = (
        Device("sw1", "huawei_vrp", config=CONFIG),
        Device("sw2", "cisco_ios", factory=True),
        Device("sw3", "huawei_vrp", faults={"auth_fail": 99}),
    )
    backups = tmp_path / "state" / "backups"
    with emulated(*devices):
        estate(tmp_path, devices)
        trial = play(tmp_path, "network_backup.yml", "--check", "--diff")
        assert "irreversible-cipher ***" in trial.stdout
        assert HASH not in trial.stdout
        assert not backups.exists()
        assert not (tmp_path / "records").exists()
        first = play(tmp_path, "network_backup.yml")
        assert first.returncode == 2
        assert "PS-E8031" in first.stdout  # sw3, and no other
        assert [line for line in first.stdout.splitlines() if "failed=1" in line][0].startswith("sw3")
        second = play(tmp_path, "network_backup.yml", "--limit", "sw1,sw2")
        assert second.returncode == 0
        assert "changed=1" not in second.stdout
    assert "irreversible-cipher ***" in (backups / "sw1" / "running.cfg").read_text()
    runs = sorted((tmp_path / "records" / "emulated" / "network_backup").iterdir())
    rows = {row.host: row for row in read_run(runs[0]).network_backups}
    assert {name: row.state for name, row in rows.items()} == {"sw1": "changed", "sw2": "changed", "sw3": "failed"}
    assert [one["code"] for one in rows["sw2"].findings] == ["PS-E8053"]
    assert [one["code"] for one in rows["sw3"].findings] == ["PS-E8031", "PS-E8052"]
    assert HASH not in json.dumps([path.read_text() for path in tmp_path.rglob("*.jsonl")])


def test_emulated_transcripts_are_without_secrets(tmp_path: Path) -> None:
    device = Device("sw1", "huawei_vrp", config=CONFIG)
    with emulated(device):
        estate(tmp_path, (device,))
        done = play(tmp_path, "network_transcripts.yml", "-e", f"network_transcripts_folder={tmp_path / 'out'}")
    assert done.returncode == 0, done.stdout
    text = (tmp_path / "out" / "sw1.txt").read_text()
    assert "<sw1>display version" in text
    assert "Unrecognized command" in text
    assert "irreversible-cipher ***" in text
    assert HASH not in text + done.stdout
    assert all(entry.view == "user" for entry in device.journal)
