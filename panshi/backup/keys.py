"""The keys of backup repositories, and those by which a host reaches its vault, in the estate's store."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from panshi.errors import PanshiError
from panshi.record import utc_now
from panshi.secret.keys import ED25519, KeyPolicy
from panshi.secret.model import SecretId, Version
from panshi.secret.store import Store

# 256 bits: what protects the copies outside is this and nothing else.
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of keys.

    Args:
        target: under which the store has them.
        make: gives a new one.
        policy: by which rule, in words.
    """

    target: str
    make: Callable[[], str]
    policy: str


REPOSITORY = Kind("restic", partial(secrets.token_urlsafe, _BYTES), "备份库密钥")
# The vault lets this key do nothing but append, so that who has it can destroy nothing.
REACH = Kind("vault-ssh", partial(KeyPolicy(ED25519).make, ""), "登录金库的密钥")
TARGET = REPOSITORY.target


def keep_keys(
    store: Store,
    host: str,
    keys: Mapping[str, str],
    on_host: Callable[[str], str | None],
    trial: bool,
    kind: Kind = REPOSITORY,
) -> dict[str, str]:
    """Make sure that the store has every key of a kind of a host.

    Args:
        store: of the estate.
        host: whose keys.
        keys: path of the key file on the host, by repository.
        on_host: gives the content of such a file in base64, None without one.
        trial: only say.
        kind: of the keys.

    Returns:
        "made" or "taken" by repository, for those that the store did not have.

    Raises:
        PanshiError: PS-E7460, the host has another key than the store.
    """
    done: dict[str, str] = {}
    with store.hold(host):
        for name, path in keys.items():
            entry = store.read(SecretId(host, kind.target, name))
            there = on_host(path)
            value = base64.b64decode(there).decode().rstrip("\n") if there is not None else ""
            if entry.current is None:
                done[name] = "taken" if value else "made"
                if not trial:
                    store.write(replace(entry, current=_version(value or kind.make(), kind.policy)))
            elif value and value != entry.current.value:
                raise PanshiError(
                    "PS-E7460",
                    f"主机 {host} 上备份库 {name} 的密钥（{path}）与密码库中的不同",
                    "查明哪一把能打开备份库：主机上的，移走密码库中的那一份；密码库中的，移走主机上的文件；然后重做",
                )
    return done


def _version(value: str, policy: str) -> Version:
    now = utc_now()
    return Version(f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}", value, f"{now:%Y-%m-%dT%H:%M:%SZ}", policy=policy)
