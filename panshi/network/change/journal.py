"""Which device is being changed, in a file that outlives the controller. It holds digests, never a configuration."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from panshi.errors import PanshiError
from panshi.record import safe_name


@dataclass(frozen=True, slots=True)
class Open:
    """A change that has begun and not ended.

    Attributes:
        run: whose it is.
        began: ISO 8601, UTC.
        before: SHA-256 of the configuration, running and saved, before it.
    """

    run: str
    began: str
    before: str


class Journal:
    """The journal of one device; made by :func:`held`."""

    def __init__(self, device: str, path: Path) -> None:
        self._device = device
        self._path = path

    def open(self) -> Open | None:
        """Return the change that has not ended.

        Raises:
            PanshiError: PS-E8007 the file is damaged.
        """
        try:
            return Open(**json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise PanshiError(
                "PS-E8007",
                f"设备 {self._device} 的变更账本 {self._path} 读不懂",
                "先人工核对设备的运行配置与启动配置，一致后再删除这个文件",
            ) from error

    def begin(self, change: Open) -> None:
        """Write down that a change begins; on the disk before anything is sent."""
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(change), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        _sync(self._path.parent)

    def end(self) -> None:
        """Write down that it has ended: saved, or taken back and proven."""
        self._path.unlink(missing_ok=True)
        _sync(self._path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def held(state: Path, device: str) -> Iterator[Journal]:
    """Hold a device: one change at a time, whoever makes it. A killed controller lets go.

    Args:
        state: folder of the estate's journals; made if it is absent, for its owner alone.
        device: name in the inventory.

    Raises:
        PanshiError: PS-E8000 another run holds it; PS-E8007 the folder cannot be written.
    """
    name = safe_name(device)
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(state / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise PanshiError("PS-E8007", f"变更账本目录 {state} 不能写：{error.strerror}", "检查目录与磁盘") from error
    with os.fdopen(descriptor) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PanshiError(
                "PS-E8000", f"设备 {device} 正被另一个变更占用", "等它结束再做；被杀掉的作业不会留下占用"
            ) from None
        yield Journal(device, state / f"{name}.json")


def is_open(state: Path, device: str) -> bool:
    """Return whether a change of a device has begun and not ended, or is being made now."""
    return (state / f"{safe_name(device)}.json").exists()


def digest(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
