"""Configurations of an estate's devices in a git history: masked for people, whole and encrypted for a restore.

``<device>/running.cfg`` and ``startup.cfg`` are without secrets and without what changes by itself, so that a
difference is a change that somebody has made. ``<device>/whole`` is a Fernet token (AES-128-CBC with HMAC-SHA-256) of
both as they were read, with the key ``network/backup`` of the estate's store: without that key it is worth nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from panshi.errors import PanshiError
from panshi.network.config import masked, normal
from panshi.record import safe_name

RUNNING, STARTUP = "running.cfg", "startup.cfg"
_WHOLE, _SEEN = "whole", "seen.json"
_BRANCH = "main"
_DRAFT = ".writing-"
_GIT_SECONDS = 60


@dataclass(frozen=True)
class Copy:
    """The configurations of a device as they were read.

    Args:
        platform: of the device.
        running: configuration.
        startup: configuration; empty when none was ever saved.
    """

    platform: str
    running: str = field(repr=False)
    startup: str = field(repr=False)

    @cached_property
    def lasting(self) -> dict[str, str]:
        """By file, what does not change by itself; secrets are in it."""
        # Mostly they are the same text, and hundreds of devices wait for one processor.
        normals = {text: normal(text, self.platform) for text in {self.running, self.startup} if text}
        return {RUNNING: normals.get(self.running, ""), STARTUP: normals.get(self.startup, "")}

    @cached_property
    def shown(self) -> dict[str, str]:
        """The files for people: what does not change by itself, without secrets."""
        hidden = {text: masked(text, self.platform) for text in set(self.lasting.values())}
        return {name: hidden[text] for name, text in self.lasting.items()}

    @property
    def is_saved(self) -> bool:
        """Whether a restart would bring the same configuration back."""
        return bool(self.startup) and self.lasting[STARTUP] == self.lasting[RUNNING]


class Archive:
    """The history of an estate's devices.

    Args:
        folder: of the state of its devices; made when it is absent, for its owner alone.
        key: of the whole copies, from the estate's store; without it only what is for people can be read.
    """

    def __init__(self, folder: Path, key: str = "") -> None:
        self._folder = folder / "backups"
        self._seen = folder / _SEEN
        self._key = key

    @cached_property
    def _fernet(self) -> Fernet:
        return Fernet(self._key.encode("ascii"))

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hold the archive against another writer; make it when it is absent.

        Raises:
            PanshiError: PS-E8054 it cannot be written, or git fails; PS-E8055 another job writes.
        """
        with _writing(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PanshiError(
                    "PS-E8055", f"设备配置的历史 {self._folder} 正由另一个作业写入", "等它结束后再运行"
                ) from None
            _unlock(self._folder / ".git")
            if not (self._folder / ".git").exists():
                self._git("init", "--quiet", f"--initial-branch={_BRANCH}")
            yield
        finally:
            os.close(descriptor)

    def differs(self, device: str, copy: Copy) -> dict[str, tuple[str, str]]:
        """Return the files for people that would change: by name what is kept and what is new."""
        folder = self._folder / safe_name(device)
        return {name: (before, text) for name, text in copy.shown.items() if (before := _text(folder / name)) != text}

    def keep(self, device: str, copy: Copy) -> bool:
        """Write a device's files where they differ in more than changes by itself, be it only in a secret.

        Returns:
            Whether they did.

        Raises:
            PanshiError: PS-E8054.
        """
        folder = self._folder / safe_name(device)
        changed = self.differs(device, copy)
        try:
            whole = self._whole(folder / _WHOLE)
            same = whole is not None and (whole.platform, whole.lasting) == (copy.platform, copy.lasting)
        except PanshiError:
            same = False  # a copy that cannot be read is replaced by one that can
        with _writing(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            for name, (_, text) in changed.items():
                _replace(folder / name, text.encode())
            if not same:
                _replace(folder / _WHOLE, self._fernet.encrypt(json.dumps(asdict(copy)).encode()))
        return bool(changed) or not same

    def commit(self, message: str, operator: str) -> str:
        """Commit what was kept, if anything has changed; returns the newest commit, empty when there is none yet.

        Raises:
            PanshiError: PS-E8054.
        """
        self._git("add", "--all", "--", ".", f":(exclude,glob)**/{_DRAFT}*")
        if self._git("status", "--porcelain"):
            self._commit(message, operator)
        return self._git("for-each-ref", "--format=%(objectname)", f"refs/heads/{_BRANCH}").strip()

    def whole(self, device: str, commit: str = "") -> Copy:
        """Return a device's configurations as they were read.

        Args:
            device: its name.
            commit: of the history; empty for the newest.

        Raises:
            PanshiError: PS-E8056 there is none, or it does not open with the estate's key; PS-E8054.
        """
        name = safe_name(device)
        if not commit:
            copy = self._whole(self._folder / name / _WHOLE)
        else:
            token = self._asked("show", f"{commit}:{name}/{_WHOLE}")
            copy = self._opened(token.encode(), f"{name}@{commit[:12]}") if token else None
        if copy is None:
            where = f"提交 {commit[:12]} 里" if commit else ""
            raise PanshiError("PS-E8056", f"{where}没有设备 {device} 的备份", "先运行 playbooks/network_backup.yml")
        return copy

    def commit_at(self, when: str = "") -> str:
        """Return the commit of a point in time.

        Args:
            when: ISO 8601, of this machine's zone if it names none: the last commit before it; or a commit, at least
                seven digits of it; empty for the newest.

        Raises:
            PanshiError: PS-E8056 there is none; PS-E8059 it is neither.
        """
        if re.fullmatch(r"[0-9a-f]{7,40}", when):
            chosen = [when]
        else:
            chosen = [f"--before={_moment(when).isoformat()}"] if when else []
            chosen.append(_BRANCH)
        found = self._asked("rev-list", "-1", *chosen).strip()
        if not found:
            raise PanshiError(
                "PS-E8056", f"历史里没有 {when or '任何备份'}", "用 git log 看有哪些提交；先运行 network_backup.yml"
            )
        return found

    def seen(self) -> dict[str, datetime]:
        """Return when each device was last read whole and kept."""
        try:
            return {name: datetime.fromisoformat(at) for name, at in json.loads(_text(self._seen) or "{}").items()}
        except (ValueError, AttributeError, TypeError):
            return {}  # what cannot be read proves nothing: those devices count as never backed up

    def note(self, devices: Mapping[str, datetime]) -> None:
        """Remember when these devices were read whole and kept.

        Raises:
            PanshiError: PS-E8054.
        """
        known = {**self.seen(), **devices}
        with _writing(self._seen):
            _replace(self._seen, json.dumps({name: at.isoformat() for name, at in sorted(known.items())}).encode())

    def _whole(self, path: Path) -> Copy | None:
        token = _text(path)
        return self._opened(token.encode(), str(path)) if token else None

    def _opened(self, token: bytes, where: str) -> Copy:
        try:
            return Copy(**json.loads(self._fernet.decrypt(token)))
        except (InvalidToken, ValueError, TypeError):
            raise PanshiError(
                "PS-E8056",
                f"完整副本 {where} 打不开：密钥不对或文件已损坏",
                "从密码库的备份取回当时的密钥，或取更早的一次提交",
            ) from None

    def _commit(self, message: str, operator: str) -> None:
        person = {"name": operator, "email": f"{operator.replace('@', '.')}@panshi.example"}
        identity = {
            f"GIT_{role}_{key.upper()}": text for role in ("AUTHOR", "COMMITTER") for key, text in person.items()
        }
        self._git("commit", "--quiet", "--no-verify", "--no-gpg-sign", f"--message={message}", env=identity)

    def _asked(self, *arguments: str) -> str:
        """Return what git knows; an empty text when it does not."""
        try:
            return self._git(*arguments)
        except PanshiError:
            return ""

    def _git(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        # The user's own settings (hooks, signatures, templates) have no say in a record.
        clean = {"PATH": os.environ.get("PATH", ""), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", "-C", str(self._folder), "-c", f"core.hooksPath={os.devnull}", *arguments]
        try:
            done = subprocess.run(
                command, env={**clean, **(env or {})}, capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            raise _unwritten(self._folder, said[-1] if said else type(error).__name__) from None
        return done.stdout


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise PanshiError(
            "PS-E8059", f"{text!r} 不是时刻，也不是提交", "写成 2026-11-20T08:00 或历史里的提交（至少七位）"
        ) from None


def _unlock(repository: Path) -> None:
    """Take away what a killed git has left; one that still works is younger than it may become."""
    for lock in repository.glob("*.lock"):
        if time.time() - lock.stat().st_mtime > _GIT_SECONDS:
            lock.unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _replace(path: Path, data: bytes) -> None:
    """Replace a file whole: a killed job leaves the old one."""
    descriptor, name = tempfile.mkstemp(prefix=_DRAFT, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritten(path, error.strerror or str(error)) from None


def _unwritten(path: Path, what: str) -> PanshiError:
    return PanshiError(
        "PS-E8054", f"设备配置的历史 {path} 写不进去：{what}", "检查磁盘空间、权限与 git；设备没有被改动"
    )
