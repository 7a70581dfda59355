"""The file on the operations host that Ansible takes its private key from, as a dependent of that key's rotation."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from panshi.errors import PanshiError
from panshi.secret.keys import private_key, public_key, public_line
from panshi.secret.model import Slot
from panshi.secret.rotate import Answer

_TEMPORARY = ".panshi-key-"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One file.

    Args:
        path: of the file; the public key beside it (``.pub``) is kept in step.
        taken: called when it holds the new key: the running connection goes by the file again.
    """

    path: Path
    taken: Callable[[], None] = lambda: None

    def __str__(self) -> str:
        """Return where it is."""
        return f"本机的 {self.path}"

    def ready(self, known: Mapping[Slot, str]) -> None:
        """Refuse a file that holds another key, that others could read, or that cannot be replaced."""
        publics = {public_key(value) for value in known.values()}
        if public_key(read_key(self.path), str(self.path)) not in publics:
            raise _unfit(self.path, "里面的私钥不是库里的任何一个")
        mode = stat.S_IMODE(self._real.stat().st_mode)
        if mode & 0o077:
            raise _unfit(self.path, f"别人也能读（权限 {mode:04o}），ssh 不接受这样的私钥，先 chmod 600")
        try:
            self._clean()
            _temporary(self._real, b"", 0o600).unlink()
        except OSError as error:
            raise _unfit(self.path, f"写不进去：{error.strerror}") from None

    def update(self, known: Mapping[Slot, str], value: str) -> Answer:
        """Replace it, and the public key beside it, and read it again."""
        real = self._real
        try:
            _replace(real, f"{value}\n", stat.S_IMODE(real.stat().st_mode))
            # An older ssh offers what stands there, and not what the private key is.
            beside = real.with_name(f"{real.name}.pub")
            if beside.exists():
                _replace(beside, f"{public_line(value)}\n", stat.S_IMODE(beside.stat().st_mode))
        except OSError as error:
            raise _unfit(self.path, f"写不进去：{error.strerror}") from None
        self.taken()
        same = public_key(read_key(self.path), str(self.path)) == public_key(value)
        return Answer(same, "私钥文件", "" if same else "读回的不是写入的")

    @property
    def _real(self) -> Path:
        return self.path.resolve()

    def _clean(self) -> None:
        """Remove what a killed writer left; nobody else writes here, since the scope is held."""
        for left in self._real.parent.glob(f"{_TEMPORARY}{self._real.name}-*"):
            left.unlink()


def read_key(path: Path) -> str:
    """Return the private key that a file holds, as it is stored.

    Raises:
        PanshiError: PS-E7292 it is none that can be rotated; PS-E7293 it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise _unfit(path, f"读不到：{error.strerror}") from None
    return private_key(text, str(path))


def _replace(path: Path, text: str, mode: int) -> None:
    temporary = _temporary(path, text.encode("ascii"), mode)
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path, data: bytes, mode: int) -> Path:
    """Write a file beside another one, with that one's owner."""
    descriptor, name = tempfile.mkstemp(prefix=f"{_TEMPORARY}{path.name}-", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        owner = path.stat()
        with suppress(PermissionError):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    return Path(name)


def _unfit(path: Path, why: str) -> PanshiError:
    return PanshiError(
        "PS-E7293",
        f"连接用的私钥文件 {path}：{why}",
        "改正 ansible_ssh_private_key_file，或让运行作业的人能读写它与它的文件夹；新旧密钥都在库里",
    )
