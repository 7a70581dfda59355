"""Passwords in Ansible Vault files: ``secrets/<scope>/<target>.<account>.yml``, one per account.

``ansible-vault view`` reads them. One file per account keeps a write small and lets hosts be rotated side by side; the
lock is on the folder of the scope, so a file of its own is not needed and the kernel frees it when its holder dies.
"""

# mypy: disable-error-code="import-untyped"
# (ansible-core has no types)
from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from panshi.document import read_document
from panshi.errors import PanshiError
from panshi.record import safe_name
from panshi.secret.model import Entry, SecretId, from_document, to_document
from panshi.secret.store import busy

# Made with the store: tells a wrong password from a damaged file, and keeps a mistyped one from being used.
_MARK = "store.yml"
# What was read when it was last asked what is due, by file, without a password: a vault's key takes milliseconds to
# make, for each file, on purpose. It holds as long as the file has the same bytes, and may be deleted.
_OUTLINES = "outlines.yml"
_SUFFIX = ".yml"
_TEMPORARY = ".writing-"
# More than any entry takes.
_TRIAL_BYTES = 64 * 1024
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HOW = "在 ansible.cfg 写 vault_password_file（文件，或取钥匙串的脚本），或用 --vault-id、--vault-password-file"


def configured_secrets() -> list[Any]:
    """Return the vault secrets that this process was started with: a file, a script, or Ansible's prompt.

    Raises:
        PanshiError: PS-E7001 there are none.
    """
    from ansible.parsing.vault import VaultSecretsContext

    context = VaultSecretsContext.current(optional=True)
    if context is None or not context.secrets:
        raise PanshiError("PS-E7001", "没有配置保险库口令，密码库打不开", _HOW)
    return list(context.secrets)


class VaultFiles:
    """The default back end.

    Args:
        folder: of the store; made by the first write.
        estate: kept in the store, for people.
        secrets: Ansible's vault secrets.
    """

    def __init__(self, folder: Path, estate: str, secrets: list[Any]) -> None:
        from ansible.parsing.vault import VaultLib

        self._folder = folder
        self._estate = estate
        self._vault = VaultLib(secrets)

    def check(self, scopes: Iterable[str]) -> None:
        """Prove password and disk."""
        for scope in scopes:
            with self.hold(scope), _writing(self._scope(scope)):
                trial = self._temporary(self._scope(scope), os.urandom(_TRIAL_BYTES))
                trial.unlink()

    @contextmanager
    def hold(self, scope: str) -> Iterator[None]:
        """Lock the folder of a scope."""
        folder = self._scope(scope)
        with _writing(folder):
            _make_folder(folder)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise busy(scope) from None
            self._unlock()
            # Nobody else writes here now, so what a killed writer left is nobody's.
            for left in folder.glob(f"{_TEMPORARY}*"):
                left.unlink(missing_ok=True)
            yield
        finally:
            os.close(descriptor)

    def read(self, secret: SecretId) -> Entry:
        """Decrypt one file."""
        path = self._path(secret)
        document = self._load(path)
        if document is None:
            return Entry(secret)
        try:
            return from_document(document["entry"], secret, int(document["revision"]))
        except (KeyError, TypeError, ValueError) as error:
            raise _corrupt(path, f"内容不是 {secret} 的密码（{error}）") from None

    def write(self, entry: Entry) -> Entry:
        """Replace one file: temporary file, fsync, rename, fsync of the folder."""
        revision = self.read(entry.secret).revision
        if revision != entry.revision:
            raise busy(str(entry.secret))
        self._save(self._path(entry.secret), {"revision": revision + 1, "entry": to_document(entry)})
        return replace(entry, revision=revision + 1)

    def outlines(self, secrets: Iterable[SecretId]) -> dict[SecretId, Entry]:
        """Decrypt the files that are not as they were when this was last asked."""
        kept, seen = self._outlined(), {}
        found = {}
        for secret in secrets:
            path = self._path(secret)
            name, digest = f"{path.parent.name}/{path.name}", _digest(path)
            entry = _outline(kept.get(name), digest, secret)
            if entry is None:
                entry = self.read(secret).outline()
                if digest and digest == _digest(path):
                    seen[name] = {"sha256": digest, "revision": entry.revision, "entry": to_document(entry)}
            found[secret] = entry
        if seen:
            # A store that cannot be written is said by whoever has to write.
            with suppress(PanshiError):
                self._save(self._folder / _OUTLINES, {"files": {**kept, **seen}})
        return found

    def _outlined(self) -> dict[str, Any]:
        try:
            document = self._load(self._folder / _OUTLINES) or {}
        except PanshiError as error:
            if error.code != "PS-E7003":
                raise
            return {}
        files = document.get("files", {})
        return {name: one for name, one in files.items() if (self._folder / name).exists()}

    def names(self) -> list[SecretId]:
        """Decrypt every file for its name."""
        found = []
        for path in self._files():
            document = self._load(path)
            try:
                found.append(SecretId(**document["entry"]["secret"]))  # type: ignore[index]
            except (KeyError, TypeError) as error:
                raise _corrupt(path, f"内容不是密码（{type(error).__name__}）") from None
        return sorted(found)

    def _files(self) -> list[Path]:
        return sorted(path for path in self._folder.glob(f"*/*{_SUFFIX}") if not path.name.startswith("."))

    def _scope(self, scope: str) -> Path:
        return self._folder / safe_name(scope)

    def _path(self, secret: SecretId) -> Path:
        return self._scope(secret.scope) / f"{secret.target}.{safe_name(secret.account)}{_SUFFIX}"

    def _unlock(self) -> None:
        """Prove that the password is the store's, or make the store with it."""
        mark = self._folder / _MARK
        if self._load(mark) is None:
            if files := self._files():
                self._load(files[0])
            self._save(mark, {"estate": self._estate})

    def _load(self, path: Path) -> dict[str, Any] | None:
        from ansible.errors import AnsibleError
        from ansible.parsing.vault import AnsibleVaultFormatError, is_encrypted

        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PanshiError("PS-E7003", f"密码库文件 {path} 读不到：{error.strerror}", _RESTORE) from None
        if not is_encrypted(data):
            raise _corrupt(path, "不是 Ansible Vault 加密的内容")
        # Ansible's and YAML's own words about what they could not read may quote it.
        try:
            document = read_document(self._vault.decrypt(data))
        except AnsibleVaultFormatError:
            raise _corrupt(path, "加密内容不完整") from None
        except AnsibleError:
            raise self._undecrypted(path) from None
        except (yaml.YAMLError, UnicodeDecodeError):
            raise _corrupt(path, "解密后不是 YAML") from None
        if not isinstance(document, dict):
            raise _corrupt(path, "解密后不是密码库的内容")
        return document

    def _undecrypted(self, path: Path) -> PanshiError:
        """Tell a wrong password from a damaged file: the mark opens with the right one."""
        if path.name != _MARK:
            with suppress(PanshiError):
                if self._load(self._folder / _MARK) is not None:
                    return _corrupt(path, "与加密时的校验值不符，而口令是对的")
        return PanshiError("PS-E7002", f"保险库口令打不开密码库 {self._folder}", "换成建库时的口令；没有改动任何目标")

    def _save(self, path: Path, document: dict[str, Any]) -> None:
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
        with _writing(path):
            temporary = self._temporary(path.parent, self._vault.encrypt(text))
            temporary.replace(path)
            _sync_folder(path.parent)

    def _temporary(self, folder: Path, data: bytes) -> Path:
        descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        return Path(name)


_RESTORE = "从备份或版本库恢复这个文件；没有改动任何目标"


def _corrupt(path: Path, what: str) -> PanshiError:
    return PanshiError("PS-E7003", f"密码库文件 {path} 已损坏：{what}", _RESTORE)


def _outline(kept: Any, digest: str, secret: SecretId) -> Entry | None:
    """Return what was kept of a file, when it was of these bytes and in the form of today."""
    try:
        if not digest or kept["sha256"] != digest:
            return None
        return from_document(kept["entry"], secret, int(kept["revision"]))
    except (KeyError, TypeError, ValueError):
        return None


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _make_folder(folder: Path) -> None:
    for one in (folder.parent, folder):
        if not one.is_dir():
            with suppress(FileExistsError):
                one.mkdir(mode=0o700)
            _sync_folder(one.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = "磁盘空间不足" if error.errno in _NO_SPACE else (error.strerror or str(error))
        raise PanshiError(
            "PS-E7004", f"密码库 {path} 写不进去：{what}", "让它可写后再运行；密码只在存好之后才改到目标上"
        ) from None
