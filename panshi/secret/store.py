"""Where passwords are kept: one interface, two back ends, chosen by the estate's variable ``panshi_secret_store``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from panshi.errors import PanshiError
from panshi.secret.model import Entry, SecretId

VARIABLE = "panshi_secret_store"
FOLDER = "secrets"


class Store(Protocol):
    """What a back end does. Every method raises PanshiError PS-E7001 to PS-E7005 in one line, without a value."""

    def check(self, scopes: Iterable[str]) -> None:
        """Prove that the store opens with this password, and takes a write for each scope; leaves nothing behind."""

    def hold(self, scope: str) -> AbstractContextManager[None]:
        """Keep everybody else from writing secrets of a scope."""

    def read(self, secret: SecretId) -> Entry:
        """Return what is known; an entry without versions when nothing is."""

    def write(self, entry: Entry) -> Entry:
        """Store durably, unless somebody else has written since ``entry.revision``; return it with its new revision."""

    def outlines(self, secrets: Iterable[SecretId]) -> dict[SecretId, Entry]:
        """Return what is known of several, without their passwords."""

    def names(self) -> list[SecretId]:
        """Return whose passwords are kept."""


def open_store(estate: str, folder: Path, declared: Any) -> Store:
    """Return the estate's store; nothing is read yet.

    Args:
        estate: its name.
        folder: its inventory.
        declared: the variable ``panshi_secret_store``: None for Ansible Vault files, or ``{kv: {...}}``.

    Raises:
        PanshiError: PS-E7007 the declaration is not understood; PS-E7001 no vault password is configured.
    """
    if not declared:
        from panshi.secret.vault_file import VaultFiles, configured_secrets

        return VaultFiles(folder / FOLDER, estate, configured_secrets())
    from panshi.secret.kv import KvStore

    if not isinstance(declared, Mapping) or set(declared) != {"kv"}:
        raise PanshiError("PS-E7007", f"变量 {VARIABLE} 应为 {{kv: {{url: …}}}}", "写法见 docs/runbook-secrets.md")
    return KvStore.declared(estate, declared["kv"])


def busy(secret: str) -> PanshiError:
    """Return the error for a second writer."""
    return PanshiError("PS-E7005", f"{secret} 的密码正由另一个作业轮换", "等它结束后再运行；本次没有改动这台目标")


def missing(secret: str) -> PanshiError:
    """Return the error for a password that is not kept."""
    return PanshiError("PS-E7006", f"密码库里没有 {secret} 的密码", "用 panshi secret status 查看；没有的先轮换一次")
