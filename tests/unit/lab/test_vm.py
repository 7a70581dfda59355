"""A process is only taken for a machine of ours if it is the one that was started."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from panshi.lab import vm
from panshi.lab.description import Lab
from panshi.lab.plan import Found
from panshi.lab.process import CommandError
from panshi.lab.seed import SeedFile
from panshi.lab.state import State
from panshi.lab.vm import Machines


@pytest.fixture
def machines(lab: Lab, tmp_path: Path) -> Machines:
    state = State(tmp_path)
    state.prepare()
    state.host("kernel").mkdir()
    (state.host("kernel") / "spec").write_text("s1", encoding="ascii")
    return Machines(lab, state)


def record(machines: Machines, start: str | None) -> None:
    path = machines.state.host("kernel") / "process"
    path.write_text(json.dumps({"pid": os.getpid(), "start": start}), encoding="ascii")


def test_the_recorded_process_is_the_machine(machines: Machines) -> None:
    record(machines, vm._start_time(os.getpid()))
    assert machines.found() == {"kernel": Found(True, "s1")}


def test_another_process_with_the_same_number_is_not(machines: Machines) -> None:
    record(machines, "another boot/1")
    assert machines.found() == {"kernel": Found(False, "s1")}


def test_removing_a_machine_spares_a_process_that_took_its_number(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(vm.os, "kill", lambda pid, signal: killed.append(pid))
    record(machines, "another boot/1")
    machines.remove("kernel")
    assert killed == []
    assert machines.found() == {}


def test_real_files_are_written_into_a_disk_that_is_not_mounted(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc" / "hostname").write_text("old", encoding="utf-8")
    disk = tmp_path / "disk.img"
    vm.run(["mkfs.ext4", "-q", "-d", str(tree), str(disk), "8M"], timeout=30)
    vm._place(disk, (SeedFile("etc/hostname", b"new\n"), SeedFile("etc/key", b"k\n", 0o600, 1000)))
    listing = vm.run(["debugfs", "-R", "ls -l /etc", str(disk)], timeout=30)
    assert "100600" in next(line for line in listing.splitlines() if line.endswith("key"))
    assert "1000" in next(line for line in listing.splitlines() if line.endswith("key"))
    assert vm.run(["debugfs", "-R", "cat /etc/hostname", str(disk)], timeout=30) == "new\n"


def test_a_file_that_cannot_be_written_is_noticed(tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    vm.run(["mkfs.ext4", "-q", str(disk), "8M"], timeout=30)
    with pytest.raises(CommandError, match="no/such/place"):
        vm._place(disk, (SeedFile("no/such/place", b"x"),))
