"""A process is only taken for a machine of ours if it is the one that was started."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest

from panshi.lab import daemon, vm
from panshi.lab.daemon import start_time
from panshi.lab.description import Lab
from panshi.lab.disk import FILE_SYSTEM_UUID, file_system, make_disk
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
    record(machines, start_time(os.getpid()))
    assert machines.found() == {"kernel": Found(True, "s1")}


def test_another_process_with_the_same_number_is_not(machines: Machines) -> None:
    record(machines, "another boot/1")
    assert machines.found() == {"kernel": Found(False, "s1")}


def test_removing_a_machine_spares_a_process_that_took_its_number(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(daemon.os, "kill", lambda pid, signal: killed.append(pid))
    record(machines, "another boot/1")
    machines.remove("kernel")
    assert killed == []
    assert machines.found() == {}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The root file system of an image, as far as a disk needs one."""
    grub = tmp_path / "tree" / "boot" / "grub" / "i386-pc"
    grub.mkdir(parents=True)
    (grub / "boot.img").write_bytes(b"B" * 512)
    (grub / "core.img").write_bytes(b"C" * 1000)
    (tmp_path / "tree" / "etc").mkdir()
    (tmp_path / "tree" / "etc" / "hostname").write_text("old", encoding="utf-8")
    return tmp_path / "tree"


def test_real_files_are_written_into_a_disk_that_is_not_mounted(tree: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    make_disk(tree, disk)
    vm._place(disk, (SeedFile("etc/hostname", b"new\n"), SeedFile("etc/key", b"k\n", 0o600, 1000)))
    listing = vm.run(["debugfs", "-R", "ls -l /etc", file_system(disk)], timeout=30)
    assert "100600" in next(line for line in listing.splitlines() if line.endswith("key"))
    assert "1000" in next(line for line in listing.splitlines() if line.endswith("key"))
    assert vm.run(["debugfs", "-R", "cat /etc/hostname", file_system(disk)], timeout=30) == "new\n"


def test_real_disk_starts_with_grub_and_its_table_names_the_root_file_system(tree: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    make_disk(tree, disk)
    with disk.open("rb") as stream:
        head = stream.read(2048)
    assert head[:440] == b"B" * 440
    assert head[512:1512] == b"C" * 1000
    active, kind, start, count = struct.unpack("<B3xB3xII", head[446:462])
    assert (active, kind, start, head[462:512]) == (0x80, 0x83, 2048, bytes(48) + b"\x55\xaa")
    assert (start + count) * 512 == disk.stat().st_size
    assert FILE_SYSTEM_UUID in vm.run(["debugfs", "-R", "stats -h", file_system(disk)], timeout=30)


def test_a_grub_that_would_run_into_the_file_system_is_refused(tree: Path, tmp_path: Path) -> None:
    (tree / "boot" / "grub" / "i386-pc" / "core.img").write_bytes(bytes(2**20))
    with pytest.raises(OSError, match="does not fit"):
        make_disk(tree, tmp_path / "disk.img")


def test_a_file_that_cannot_be_written_is_noticed(tree: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    make_disk(tree, disk)
    with pytest.raises(CommandError, match="no/such/place"):
        vm._place(disk, (SeedFile("no/such/place", b"x"),))
