"""A virtual machine's disk: one partition for the root file system, and GRUB where grub-install puts it."""

from __future__ import annotations

import struct
from pathlib import Path

from panshi.lab.process import run

# The image of a recipe is one for all its hosts, and so is this.
FILE_SYSTEM_UUID = "8f6f3f7e-54a5-4a52-9c3b-2d1b6f0e7a51"
_MIB = 2**20
_SECTOR = 512
_SIZE = 4096 * _MIB
_START = _MIB
# The format of a master boot record: code, signature of the disk, four partitions, mark.
_CODE_BYTES = 440
_SIGNATURE = b"PNSH\0\0"
_ACTIVE, _LINUX = 0x80, 0x83
_BEYOND_CHS = b"\xfe\xff\xff"


def make_disk(root: Path, disk: Path) -> None:
    """Make a disk that boots from the files of a root file system; recipes/disk.sh has prepared GRUB's.

    Raises:
        CommandError: mkfs.ext4 failed.
    """
    grub = root / "boot/grub/i386-pc"
    core = (grub / "core.img").read_bytes()
    if _SECTOR + len(core) > _START:
        raise OSError(f"GRUB ({len(core)} B) does not fit in front of the first partition")
    with disk.open("wb") as stream:
        stream.truncate(_SIZE)
        stream.write(boot_sector((grub / "boot.img").read_bytes()))
        stream.write(core)
    options = ["-q", "-L", "root", "-U", FILE_SYSTEM_UUID, "-E", f"offset={_START}", "-d", str(root)]
    run(["mkfs.ext4", *options, str(disk), f"{(_SIZE - _START) // 1024}k"], timeout=300)


def file_system(disk: Path) -> str:
    """Return the root file system of a disk as debugfs names it."""
    return f"{disk}?offset={_START}"


def boot_sector(boot: bytes) -> bytes:
    """Return a master boot record with GRUB's boot.img as code, which goes on in the next sector."""
    count = (_SIZE - _START) // _SECTOR
    partition = struct.pack("<B3sB3sII", _ACTIVE, _BEYOND_CHS, _LINUX, _BEYOND_CHS, _START // _SECTOR, count)
    return boot[:_CODE_BYTES] + _SIGNATURE + partition + bytes(3 * len(partition)) + b"\x55\xaa"
