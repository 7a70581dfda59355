"""net_account as an operator uses it: a playbook on emulated devices."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from emulators.network import NAMES, Device, emulated

from .estates import PASSWORD, Estate, made

# An administrator beside the one that logs in, an auditor that shall go, and one that is given less.
CONFIG = {
    "huawei_vrp": "aaa\n local-user ops privilege level 15\n local-user keeper privilege level 15\n",
    "huawei_vrpv8": "aaa\n local-user ops level 3\n local-user keeper level 3\n",
    "hp_comware": "",
    "cisco_ios": "",
    "ruijie_os": "",
}


def kind_of(platform: str, level: int) -> dict[str, object]:
    if platform == "hp_comware":
        return {"role": "network-admin" if level == 15 else "network-operator"}
    return {"level": level}


def tasks(folder: Path, *accounts: dict[str, object]) -> Path:
    play = {
        "hosts": "network",
        "gather_facts": False,
        "tasks": [
            {"name": f"Account | Ensure {one['name']}", "net_account": one, "ignore_errors": True} for one in accounts
        ],
    }
    path = folder / "accounts.yml"
    path.write_text(yaml.safe_dump([play]))
    return path


def prepared(folder: Path, device: Device) -> Estate:
    estate = Estate(folder)
    # No literals: Ansible shows the lines of a playbook around a task that fails.
    estate.describe(device, given="Given-Pass-7", other="Given-Pass-8")
    estate.keep(device.name, "ops")
    return estate


@pytest.mark.parametrize(
    "platform", [one if one == "huawei_vrp" else pytest.param(one, marks=pytest.mark.long) for one in NAMES]
)
def test_emulated_accounts_are_made_changed_and_taken_away(platform: str, tmp_path: Path) -> None:
    users = {"ops": PASSWORD, "keeper": PASSWORD, "leaver": PASSWORD}
    device = made(platform, users=users, config=CONFIG[platform])
    with emulated(device):
        estate = prepared(tmp_path, device)
        wanted = [
            {"name": "auditor", **kind_of(platform, 1)},
            {"name": "keeper", **kind_of(platform, 1), "password": "{{ given }}"},
            {"name": "leaver", "state": "absent"},
        ]
        before = device.running
        trial = estate.play(tasks(tmp_path, *wanted), "--check", "--diff")
        assert "ignored=0" in trial.stdout, trial.stdout + trial.stderr
        assert "changed=3" in trial.stdout
        assert device.running == device.startup == before
        assert estate.entry("sw1", "auditor").current is None
        # A second time nothing is to be done; a password that the store would not know is not set.
        others = [{"name": name, "password": "{{ other }}"} for name in ("auditor", "ops")]
        done = estate.play(tasks(tmp_path, *wanted, *wanted, *others), "--diff", "-vvv")
        assert all(f"[PS-E8155] 账户 {one['name']} " in done.stdout for one in others), done.stdout + done.stderr
        assert "changed=3 " in done.stdout and "failed=0" in done.stdout and "ignored=2" in done.stdout
        first = estate.value("sw1", "auditor")
        assert device.lets_in("auditor", first)
        assert device.lets_in("keeper", "Given-Pass-7")
        assert not device.lets_in("leaver", PASSWORD)
        assert "leaver" not in device.running
        assert device.running == device.startup
        told = done.stdout + done.stderr + "".join(path.read_text() for path in estate.records.rglob("*.jsonl"))
        for secret in (first, PASSWORD, "Given-Pass-7", "Given-Pass-8"):
            assert secret not in told
