"""Passwords in HashiCorp Vault or OpenBao, secrets engine KV version 2: ``<path>/<scope>/<target>.<account>``.

No lock: every write says which version it builds on (check-and-set), and a pending version is never overwritten, so two
operators at once set the same password, and the slower one is told.
"""

# mypy: disable-error-code="import-untyped"
# (hvac has no types)
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import hvac
import requests
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, Unauthorized, VaultError

from panshi.errors import PanshiError
from panshi.record import safe_name
from panshi.secret.model import Entry, SecretId, from_document, to_document
from panshi.secret.store import busy

_KEYS = {"url", "mount", "path", "token_file", "ca"}
_MARK = "store"
_SECONDS = 10


class KvStore:
    """The second back end.

    Args:
        client: hvac's, with its token.
        mount: of the secrets engine.
        path: of the estate in it.
    """

    def __init__(self, client: hvac.Client, mount: str, path: str) -> None:
        self._kv = client.secrets.kv.v2
        self._mount = mount
        self._path = path

    @classmethod
    def declared(cls, estate: str, declared: Any) -> Self:
        """Return the store of a declaration ``{url, mount, path, token_file, ca}``.

        Raises:
            PanshiError: PS-E7007 it is not one; PS-E7001 there is no token.
        """
        if not isinstance(declared, Mapping) or set(declared) - _KEYS or not str(declared.get("url", "")):
            raise PanshiError(
                "PS-E7007",
                "变量 panshi_secret_store.kv 应为 {url, mount, path, token_file, ca}",
                "写法见 docs/runbook-secrets.md",
            )
        file = Path(str(declared.get("token_file") or "~/.vault-token")).expanduser()
        try:
            token = file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise PanshiError(
                "PS-E7001", f"密码库令牌文件 {file} 读不到：{error.strerror}", "写明 token_file，或先登录密码库"
            ) from None
        client = hvac.Client(
            url=str(declared["url"]), token=token, verify=str(declared.get("ca") or "") or True, timeout=_SECONDS
        )
        return cls(client, str(declared.get("mount") or "secret"), str(declared.get("path") or f"panshi/{estate}"))

    def check(self, scopes: Iterable[str]) -> None:
        """Write the mark anew; the scopes lie under the same path, and so under the same permission."""
        path = f"{self._path}/{_MARK}"
        with _asking(path):
            _, revision = self._get(path)
            self._kv.create_or_update_secret(path, {"panshi": "store"}, cas=revision, mount_point=self._mount)

    @contextmanager
    def hold(self, scope: str) -> Iterator[None]:
        """Nothing is held: see check-and-set."""
        yield

    def read(self, secret: SecretId) -> Entry:
        """Ask for the newest version."""
        path = self._of(secret)
        with _asking(path):
            data, revision = self._get(path)
        if data is None:
            return Entry(secret, revision=revision)
        try:
            return from_document(data, secret, revision)
        except (TypeError, ValueError) as error:
            raise _corrupt(path, str(error)) from None

    def write(self, entry: Entry) -> Entry:
        """Write on top of the version that was read."""
        path = self._of(entry.secret)
        with _asking(path):
            answer = self._kv.create_or_update_secret(
                path, to_document(entry), cas=entry.revision, mount_point=self._mount
            )
        return replace(entry, revision=int(answer["data"]["version"]))

    def outlines(self, secrets: Iterable[SecretId]) -> dict[SecretId, Entry]:
        """Read each."""
        return {secret: self.read(secret).outline() for secret in secrets}

    def names(self) -> list[SecretId]:
        """Read every secret for its name."""
        found = []
        with _asking(self._path):
            for scope in self._keys(self._path):
                for name in self._keys(f"{self._path}/{scope}") if scope.endswith("/") else ():
                    path = f"{self._path}/{scope}{name}"
                    data, _ = self._get(path)
                    if data is None:
                        continue
                    try:
                        found.append(SecretId(**data["secret"]))
                    except (KeyError, TypeError) as error:
                        raise _corrupt(path, type(error).__name__) from None
        return sorted(found)

    def _of(self, secret: SecretId) -> str:
        return f"{self._path}/{safe_name(secret.scope)}/{secret.target}.{safe_name(secret.account)}"

    def _keys(self, path: str) -> list[str]:
        try:
            return list(self._kv.list_secrets(path, mount_point=self._mount)["data"]["keys"])
        except InvalidPath:
            return []

    def _get(self, path: str) -> tuple[dict[str, Any] | None, int]:
        """Return data and version; a deleted secret has a version to build on, but no data."""
        try:
            answer = self._kv.read_secret_version(path, mount_point=self._mount, raise_on_deleted_version=False)
        except InvalidPath:
            return None, 0
        return answer["data"]["data"], int(answer["data"]["metadata"]["version"])


def _corrupt(path: str, what: str) -> PanshiError:
    return PanshiError("PS-E7003", f"密码库中 {path} 的内容已损坏：{what}", "在密码库中恢复它的上一版本")


@contextmanager
def _asking(path: str) -> Iterator[None]:
    try:
        yield
    except InvalidRequest as error:
        if "check-and-set" in str(error):
            raise busy(path) from None
        raise _down(path, error) from None
    except (Forbidden, Unauthorized):
        raise PanshiError(
            "PS-E7002", f"密码库拒绝读写 {path}：令牌无效、过期或没有权限", "换一个有读、写、列出权限的令牌"
        ) from None
    except (VaultError, requests.RequestException) as error:
        raise _down(path, error) from None


def _down(path: str, error: Exception) -> PanshiError:
    reason = type(error).__name__
    return PanshiError(
        "PS-E7004", f"密码库 {path} 读写不成（{reason}）", "检查密码库的地址、证书与状态（是否封存）；没有改动任何目标"
    )
