"""Backups of emulated devices: kept, shown without secrets, restored; and what is a finding."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from emulators.network import NAMES, Device, emulated

from panshi.errors import PanshiError
from panshi.network.archive import Archive, Copy
from panshi.network.backup import Read, keep_all, lines_of, read_all, row_of
from panshi.network.config import normal, parse, patch
from panshi.network.estate import Login
from panshi.network.fleet import Outcome, each
from panshi.record import NetworkBackupRow

from .sessions import PASSWORD, ours, reached

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
KEY = Fernet.generate_key().decode()
SECRET = "Backup-Psk-1"
CONFIGS = {
    "huawei_vrp": f"vlan batch 10 20\nsnmp-agent community read cipher {SECRET}\n",
    "huawei_vrpv8": "vlan batch 10 20\n",
    "hp_comware": "vlan 10\nvlan 20\n",
    "ruijie_os": f"vlan 10\nsnmp-server community {SECRET} ro\n",
    "cisco_ios": f"vlan 10\nsnmp-server community {SECRET} RO\n",
}
HASH = "$1c$abcdefgh$ijklmnop$"
VRP = f"#\nsysname SW1\n#\nvlan batch 10\n#\naaa\n local-user ops password irreversible-cipher {HASH}\n#\nreturn\n"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder / "backups"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def kept(folder: Path, copy: Copy, name: str = "SW1") -> str:
    archive = Archive(folder, KEY)
    with archive.open():
        archive.keep(name, copy)
        return archive.commit("backup", "ops@panshi")


def test_parsed_only_a_real_change_is_a_commit(tmp_path: Path) -> None:
    copy = Copy("huawei_vrp", VRP, VRP)
    first = kept(tmp_path, copy)
    assert first
    assert kept(tmp_path, copy) == first
    assert kept(tmp_path, replace(copy, running=f"!Software Version V200R019\n{VRP}")) == first
    later = replace(copy, running=VRP.replace("vlan batch 10", "vlan batch 10 20"))
    assert kept(tmp_path, later) != first
    assert "+vlan batch 10 20" in git(tmp_path, "show", "HEAD")
    assert git(tmp_path, "log", "--format=%an").splitlines() == ["ops@panshi", "ops@panshi"]


def test_parsed_no_secret_is_in_the_history_and_all_are_in_the_whole_copy(tmp_path: Path) -> None:
    copy = Copy("huawei_vrp", VRP, VRP)
    kept(tmp_path, copy)
    for path in (tmp_path / "backups").rglob("*"):
        assert not path.is_file() or b"$1c$abcdefgh" not in path.read_bytes(), path
    assert "irreversible-cipher ***" in git(tmp_path, "show", "HEAD:SW1/running.cfg")
    assert Archive(tmp_path, KEY).whole("SW1") == copy
    assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o700


def test_parsed_a_changed_secret_alone_is_kept_too(tmp_path: Path) -> None:
    first = Copy("huawei_vrp", VRP, VRP)
    commit = kept(tmp_path, first)
    second = replace(first, running=VRP.replace("abcdefgh", "hgfedcba"))
    assert kept(tmp_path, second) != commit
    archive = Archive(tmp_path, KEY)
    assert archive.whole("SW1") == second
    assert archive.whole("SW1", commit) == first


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"x" + data[1:], lambda data: b""])
def test_parsed_a_damaged_copy_is_said_and_replaced(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    copy = Copy("huawei_vrp", VRP, VRP)
    kept(tmp_path, copy)
    path = tmp_path / "backups" / "SW1" / "whole"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PanshiError) as failure:
        Archive(tmp_path, KEY).whole("SW1")
    assert failure.value.code == "PS-E8056"
    kept(tmp_path, copy)
    assert Archive(tmp_path, KEY).whole("SW1") == copy


def test_parsed_without_the_key_a_whole_copy_is_worth_nothing(tmp_path: Path) -> None:
    kept(tmp_path, Copy("huawei_vrp", VRP, VRP))
    with pytest.raises(PanshiError) as failure:
        Archive(tmp_path, Fernet.generate_key().decode()).whole("SW1")
    assert failure.value.code == "PS-E8056"


def test_parsed_two_jobs_do_not_write_at_once(tmp_path: Path) -> None:
    with Archive(tmp_path, KEY).open(), pytest.raises(PanshiError) as failure, Archive(tmp_path, KEY).open():
        raise AssertionError
    assert failure.value.code == "PS-E8055"


def test_real_a_history_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("in the way")
    with pytest.raises(PanshiError) as failure:
        kept(tmp_path, Copy("huawei_vrp", VRP, VRP))
    assert failure.value.code == "PS-E8054"
    (tmp_path / "backups").unlink()
    kept(tmp_path, Copy("huawei_vrp", VRP, VRP))
    (tmp_path / "backups" / ".git" / "HEAD").unlink()
    with pytest.raises(PanshiError) as failure:
        kept(tmp_path, Copy("huawei_vrp", VRP, ""))
    assert failure.value.code == "PS-E8054"


def test_real_what_a_killed_git_left_is_taken_away(tmp_path: Path) -> None:
    copy = Copy("huawei_vrp", VRP, VRP)
    first = kept(tmp_path, copy)
    lock = tmp_path / "backups" / ".git" / "index.lock"
    lock.touch()
    with pytest.raises(PanshiError) as failure:
        kept(tmp_path, replace(copy, startup=""))
    assert failure.value.code == "PS-E8054"
    (tmp_path / "backups" / "SW1" / ".writing-x").touch()
    os.utime(lock, (0, 0))
    assert kept(tmp_path, replace(copy, startup="")) != first
    assert "writing" not in git(tmp_path, "ls-files")


def row(outcome: Outcome[Read], last: datetime | None = None) -> NetworkBackupRow:
    return row_of("SW1", outcome, changed=False, commit="", last=last, now=NOW)


def test_parsed_what_is_a_finding() -> None:
    dead: Outcome[Read] = Outcome(error=PanshiError("PS-E8030", "设备 SW1 连不上", ""))
    assert [one["code"] for one in row(dead).findings] == ["PS-E8030", "PS-E8052"]
    assert "从未备份" in row(dead).findings[1]["message"]
    assert [one["code"] for one in row(dead, NOW - timedelta(days=1)).findings] == ["PS-E8030"]
    assert "已 3 天" in row(dead, NOW - timedelta(days=3)).findings[1]["message"]
    saved = Copy("huawei_vrp", VRP, VRP)
    assert row(Outcome(Read(saved, "", ()))).findings == []
    assert row(Outcome(Read(saved, "", ()))).saved
    unsaved = replace(saved, running=VRP.replace("vlan batch 10", "vlan batch 10 20"))
    found = row(Outcome(Read(unsaved, "", ()))).findings
    assert [one["code"] for one in found] == ["PS-E8053"]
    assert "2 行不同" in found[0]["message"]
    never = row(Outcome(Read(replace(saved, startup=""), "", ()))).findings
    assert "从未保存" in never[0]["message"]
    weak = row(Outcome(Read(saved, "", ("ssh-rsa",)))).findings
    assert [one["code"] for one in weak] == ["PS-E8034"]


def test_parsed_the_operator_is_told_the_sum_and_every_finding() -> None:
    dead: Outcome[Read] = Outcome(error=PanshiError("PS-E8030", "设备 SW1 连不上", ""))
    good = row(Outcome(Read(Copy("huawei_vrp", VRP, VRP), "", ())))
    first, *found = lines_of([row(dead), good, replace(good, state="changed")])
    assert first == "网络设备 3 台：2 台读全并留存（1 台有变化），1 台没有备份成；2 项发现"
    assert found == ["SW1：设备 SW1 连不上（PS-E8030）", "SW1：设备 SW1 从未备份（PS-E8052）"]


def test_parsed_one_bad_device_fails_nobody_else() -> None:
    def work(number: int) -> int:
        if number == 1:
            raise PanshiError("PS-E8030", "连不上")
        if number == 2:
            raise RuntimeError("said Secret-1 to the device")
        return number

    found = each(range(4), work)
    assert [found[number].value for number in range(4)] == [0, None, None, 3]
    errors = [one.error for one in found.values() if one.error]
    assert [one.code for one in errors] == ["PS-E8030", "PS-E8051"]
    assert "Secret-1" not in str(errors[1])


def test_emulated_a_fleet_is_kept_and_the_bad_one_told(tmp_path: Path) -> None:
    devices = [Device(f"SW-{name}", name, config=CONFIGS[name]) for name in NAMES]
    devices += [
        Device("SW-dead", "huawei_vrp", faults={"hang_on": "display current"}),
        Device("SW-cut", "cisco_ios", faults={"drop_on": "show running"}),
    ]
    with emulated(*devices):
        logins = [Login(reached(device, tmp_path, timeout=1.0), PASSWORD) for device in devices]
        found = read_all(logins)
    archive = Archive(tmp_path / "state", KEY)
    changed, commit = keep_all(archive, found, run="r1", operator="ops@panshi")
    assert sorted(changed) == sorted(f"SW-{name}" for name in NAMES)
    assert all(changed.values())
    assert commit
    assert {name: one.error.code for name, one in found.items() if one.error} == {
        "SW-dead": "PS-E8039",
        "SW-cut": "PS-E8038",
    }
    assert sorted(archive.seen()) == sorted(changed)
    assert keep_all(archive, found, run="r2", operator="ops@panshi") == (dict.fromkeys(changed, False), commit)
    assert SECRET not in git(tmp_path / "state", "log", "-p")


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_backup_restores(tmp_path: Path, platform: str) -> None:
    device = Device("SW1", platform, config=CONFIGS[platform])
    with emulated(device):
        login = Login(reached(device, tmp_path), PASSWORD)
        archive = Archive(tmp_path / "state", KEY)
        keep_all(archive, read_all([login]), run="r1", operator="ops@panshi")
        before = device.running
    replacement = Device("SW-new", platform)
    with emulated(replacement), ours(replacement, tmp_path) as session:
        wanted = archive.whole("SW1").running
        session.push(patch(parse(session.running(), platform), parse(wanted, platform), platform))
        session.save()
        assert normal(session.running(), platform) == normal(wanted, platform)
    assert replacement.running == before
    assert replacement.startup == before
