"""A device goes back to a backup: looked at first, then by the digest, and not otherwise."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from emulators.network import NAMES, Device, emulated

from panshi.errors import PanshiError
from panshi.network.archive import Archive, Copy
from panshi.network.backup import keep_all, read_all
from panshi.network.estate import Login
from panshi.network.intent import carry_out, compare, look
from panshi.network.restore import digest_of, intent_of, refuse_other
from panshi.record import read_run

from .playing import estate_of, play
from .sessions import PASSWORD, reached
from .test_backup import CONFIGS, KEY, VRP, git, kept

ARCHIVE = {"cisco_ios": "archive\n path flash:backup\n!\n"}
SECRET = "Restore-Psk-1"
CONFIG = f"vlan batch 10\nsnmp-agent community read cipher {SECRET}\n"
LATER = ("vlan batch 99", "snmp-agent community read cipher Another-1")


def digest(**changes: str) -> str:
    """Return the digest of a restore that is like the others but for this."""
    running = changes.get("running", VRP.replace("vlan batch 10", "vlan batch 10 20"))
    intent = intent_of(Copy("huawei_vrp", changes.get("kept", VRP), VRP), "SW1", "huawei_vrp")
    found = compare(running, intent, "huawei_vrp")
    return digest_of(changes.get("device", "SW1"), changes.get("commit", "c" * 40), found)


@pytest.mark.parametrize(
    "changes",
    [
        {"device": "SW2"},
        {"commit": "d" * 40},
        {"running": VRP.replace("vlan batch 10", "vlan batch 10 30")},
        {"kept": VRP.replace("SW1", "SW9")},
    ],
    ids=["device", "commit", "running", "kept"],
)
def test_parsed_whatever_changes_is_another_digest(changes: dict[str, str]) -> None:
    assert digest() == digest()
    assert digest(**changes) != digest()


def test_parsed_what_was_not_reviewed_and_another_platform_are_refused() -> None:
    refuse_other(digest(), digest(), "SW1")
    with pytest.raises(PanshiError) as failure:
        refuse_other(digest()[:16], digest(), "SW1")
    assert failure.value.code == "PS-E8058"
    with pytest.raises(PanshiError) as failure:
        intent_of(Copy("huawei_vrp", VRP, VRP), "SW1", "cisco_ios")
    assert failure.value.code == "PS-E8060"


def dated(folder: Path, when: str) -> str:
    """Give the newest commit another time; returns it."""
    identity = {f"GIT_{role}_{key}": "ops" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    command = ["git", "-C", str(folder / "backups"), "commit", "--quiet", "--amend", "--no-edit", "--no-gpg-sign"]
    subprocess.run(command, env={**os.environ, **identity, "GIT_COMMITTER_DATE": when}, check=True)
    return git(folder, "rev-parse", "HEAD").strip()


def test_parsed_a_point_in_time_is_the_last_backup_before_it(tmp_path: Path) -> None:
    commits = []
    for day in (1, 3):
        kept(tmp_path, Copy("huawei_vrp", VRP.replace("vlan batch 10", f"vlan batch {day}"), VRP))
        commits.append(dated(tmp_path, f"2026-11-0{day}T03:00:00+00:00"))
    archive = Archive(tmp_path, KEY)
    assert archive.commit_at() == commits[1]
    assert archive.commit_at("2026-11-02T00:00:00+00:00") == commits[0]
    assert archive.commit_at("2026-11-04") == commits[1]
    assert archive.commit_at(commits[0][:8]) == commits[0]
    assert "vlan batch 1\n" in archive.whole("SW1", commits[0]).running
    for when, code in (("2026-10-31", "PS-E8056"), ("0" * 40, "PS-E8056"), ("yesterday", "PS-E8059")):
        with pytest.raises(PanshiError) as failure:
            archive.commit_at(when)
        assert failure.value.code == code
    with pytest.raises(PanshiError) as failure:
        archive.whole("SW2", commits[0])
    assert failure.value.code == "PS-E8056"


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_device_goes_back_to_its_backup_with_a_way_back(tmp_path: Path, platform: str) -> None:
    device = Device("SW1", platform, config=ARCHIVE.get(platform, "") + CONFIGS[platform])
    with emulated(device):
        login = Login(reached(device, tmp_path), PASSWORD)
        archive = Archive(tmp_path / "state", KEY)
        keep_all(archive, read_all([login]), run="r1", operator="ops@panshi")
        before = device.running
        with login.session() as session:
            session.push(["vlan 77", "quit" if "vlan batch" in before or platform == "hp_comware" else "exit"])
            session.save()
        assert device.running != before
        intent = intent_of(archive.whole("SW1"), "SW1", platform)
        found = look(login, intent)
        state = tmp_path / "changes"
        done = carry_out(login, intent, found, state=state, minutes=1, probes=(), tell=lambda *_: None)
    assert done.lines == len(found.commands) > 0
    assert device.running == before
    assert device.startup == before
    assert device.timer is None


def test_emulated_a_restore_is_looked_at_and_then_made(tmp_path: Path) -> None:
    device = Device("sw1", "huawei_vrp", config=CONFIG)
    with emulated(device):
        estate_of(tmp_path, [device])
        before = device.running
        assert play(tmp_path, "network_backup.yml").returncode == 0
        with Login(reached(device, tmp_path), PASSWORD).session() as session:
            session.push(LATER)
            session.save()
        changed = device.running
        seen = play(tmp_path, "network_restore.yml", "--diff")
        assert seen.returncode == 0, seen.stdout
        assert "sw1：undo vlan batch 99" in seen.stdout
        assert device.running == changed
        found = re.search("摘要 ([0-9a-f]{64})", seen.stdout)
        assert found
        done = play(tmp_path, "network_restore.yml", "-e", f"network_restore_digest={found[1]}")
        assert done.returncode == 0, done.stdout
        assert (device.running, device.startup) == (before, before)
        again = play(tmp_path, "network_restore.yml", "-e", f"network_restore_digest={found[1]}")
        assert again.returncode == 0, again.stdout
        assert "没有要恢复的" in again.stdout
    said = seen.stdout + done.stdout + again.stdout
    assert SECRET not in said
    assert "Another-1" not in said
    runs = sorted((tmp_path / "records" / "emulated" / "network_restore").iterdir())
    assert [[row.state for row in read_run(run).network_changes] for run in runs] == [
        ["differs"],
        ["changed"],
        ["same"],
    ]
    pages = [next(run.rglob("*.html")).read_text(encoding="utf-8") for run in runs]
    assert "undo vlan batch 99" in pages[0] and "只读设备，没有改动任何设备" in pages[0]
    assert "网络设备恢复报告" in pages[1] and "已改，已证明，已保存" in pages[1]
    assert SECRET not in "".join([*pages, *(path.read_text() for path in tmp_path.rglob("*.jsonl"))])
