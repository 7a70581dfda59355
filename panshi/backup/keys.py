"""The keys of backup repositories in the estate's store."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from panshi.errors import PanshiError
from panshi.record import utc_now
from panshi.secret.model import SecretId, Version
from panshi.secret.store import Store

TARGET = "restic"
# 256 bits: what protects the copies outside is this and nothing else.
_BYTES = 32


def keep_keys(
    store: Store, host: str, keys: Mapping[str, str], on_host: Callable[[str], str | None], trial: bool
) -> dict[str, str]:
    """Make sure that the store has the key of every repository of a host.

    Args:
        store: of the estate.
        host: whose repositories.
        keys: path of the key file on the host, by repository.
        on_host: gives the content of such a file in base64, None without one.
        trial: only say.

    Returns:
        "made" or "taken" by repository, for those that the store did not have.

    Raises:
        PanshiError: PS-E7460, the host has another key than the store.
    """
    done: dict[str, str] = {}
    with store.hold(host):
        for name, path in keys.items():
            entry = store.read(SecretId(host, TARGET, name))
            there = on_host(path)
            value = base64.b64decode(there).decode().rstrip("\n") if there is not None else ""
            if entry.current is None:
                done[name] = "taken" if value else "made"
                if not trial:
                    store.write(replace(entry, current=_version(value or secrets.token_urlsafe(_BYTES))))
            elif value and value != entry.current.value:
                raise PanshiError(
                    "PS-E7460",
                    f"主机 {host} 上备份库 {name} 的密钥（{path}）与密码库中的不同",
                    "查明哪一把能打开备份库：主机上的，移走密码库中的那一份；密码库中的，移走主机上的文件；然后重做",
                )
    return done


def _version(value: str) -> Version:
    now = utc_now()
    return Version(
        f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}", value, f"{now:%Y-%m-%dT%H:%M:%SZ}", policy="备份库密钥"
    )
