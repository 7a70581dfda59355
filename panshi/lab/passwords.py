"""First passwords of the lab's devices: in the estate's store before any device has them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from panshi.inventory import host_variables
from panshi.lab.description import Device
from panshi.lab.devices import USER
from panshi.lab.state import write
from panshi.network.estate import TARGET
from panshi.secret import store as secret_store
from panshi.secret.estate import store_of
from panshi.secret.first import keep_first
from panshi.secret.model import SecretId
from panshi.secret.policy import Policy
from panshi.secret.store import missing

_VAULT_PASSWORD = ".vault-password"
_BYTES = 24


def first_passwords(folder: Path, devices: Iterable[Device]) -> dict[str, str]:
    """Return the password of each device, by name: the one in the store; where there is none, one is made there.

    Args:
        folder: the lab's inventory. Its store opens with ``$ANSIBLE_VAULT_PASSWORD_FILE``; without it with the
            folder's own ``.vault-password``, which is made once.
        devices: that are about to be made.

    Raises:
        PanshiError: PS-E7001 to PS-E7006, the store.
    """
    wanted = {device.name: SecretId(device.name, TARGET, USER) for device in devices}
    files: tuple[Path, ...] = ()
    if not os.environ.get("ANSIBLE_VAULT_PASSWORD_FILE"):
        files = (folder / _VAULT_PASSWORD,)
        if not files[0].is_file():
            write(files[0], f"{secrets.token_urlsafe(_BYTES)}\n", 0o600)
    hosts = host_variables(folder, next(iter(wanted)), (secret_store.VARIABLE,), files)
    store = store_of(*next(iter(hosts.values())))
    keep_first(store, wanted.values(), Policy(), trial=False)
    found = {name: store.read(secret).current for name, secret in wanted.items()}
    if unknown := next((wanted[name] for name, version in found.items() if version is None), None):
        raise missing(str(unknown))
    return {name: version.value for name, version in found.items() if version is not None}
