"""Waits for a restore on a host, with every step shown; what a host is asked by is the caller's."""

# mypy: disable-error-code="import-untyped"
# (ansible-core has no types)
from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from panshi.errors import PanshiError
from panshi.harden.run import current_run
from panshi.inventory import plain
from panshi.secret.estate import store_of
from panshi.secret.model import SecretId

from .keys import REACH, TARGET
from .order import lent, place_of, vault_of

# The worker ends when nobody has asked for a minute and a half.
_ASK_SECONDS = 2.0
_TRY_SECONDS, _TRIES = 5.0, 8
SETTINGS = (
    "backup_folder",
    "backup_repository",
    "backup_copies",
    "backup_database",
    "backup_files",
    "backup_logical",
    "backup_redis",
    "restore_bounds",
    "restore_max_age_hours",
    "restore_max_rpo_minutes",
    "restore_tables_gone",
    "restore_threads",
)
# The role's: a playbook that restores does not run it.
DEFAULTS: Mapping[str, Any] = {
    "backup_folder": "/etc/panshi/backup",
    "backup_repository": "/var/backups/panshi",
    "backup_files": {"etc": ["/etc"]},
}
Ask = Callable[[dict[str, Any]], Mapping[str, Any]]


def settings_of(variables: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """Return what a source's variables say about its backups."""
    resolved = {name: plain(template(variables[name])) for name in SETTINGS if name in variables}
    return {**DEFAULTS, **resolved}


def key_of(
    variables: Mapping[str, Any], template: Callable[[Any], Any], settings: Mapping[str, Any], place: str
) -> tuple[str, str]:
    """Return the name and the key of a repository: the estate's store has it, whatever became of the host.

    Raises:
        PanshiError: PS-E7401 no such repository; PS-E7446 it was never deployed; PS-E7001 to PS-E7015 of the store.
    """
    name = str(place_of(settings, place)["name"])
    return name, _stored(variables, template, TARGET, name)


def lend(
    variables: Mapping[str, Any],
    template: Callable[[Any], Any],
    settings: Mapping[str, Any],
    on: str,
    order: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Return an order with all that a host needs to reach the repository: only the source has a key to its vault.

    Raises:
        PanshiError: PS-E7446 the source never had a key to it; PS-E7001 to PS-E7015 of the store.
    """
    name = str(order["place"]["name"])
    copy = vault_of(settings, name)
    if copy is None or on == str(variables["inventory_hostname"]):
        return order
    return lent(order, copy, _stored(variables, template, REACH.target, name))


def _stored(variables: Mapping[str, Any], template: Callable[[Any], Any], target: str, name: str) -> str:
    host = str(variables["inventory_hostname"])
    entry = store_of(variables, template).read(SecretId(host, target, name))
    if entry.current is None:
        raise PanshiError(
            "PS-E7446",
            f"{host} 还没有部署备份：密码库里没有 {entry.secret}",
            f"先运行 playbooks/backup.yml --limit {host}",
        )
    return entry.current.value


def asker(call: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Ask:
    """Return how a host is asked: by the module ``panshi_restore``, whose failures are errors here.

    Args:
        call: carries the module out with these arguments.

    The returned function raises PanshiError PS-E7446, or AnsibleConnectionFailure.
    """
    from ansible.errors import AnsibleConnectionFailure

    def ask(arguments: dict[str, Any]) -> Mapping[str, Any]:
        told = call(arguments)
        if told.get("unreachable"):
            raise AnsibleConnectionFailure(str(told.get("msg", "")))
        if told.get("failed"):
            said = (str(told.get("msg", "")) + str(told.get("module_stderr", ""))).strip().splitlines()
            raise PanshiError("PS-E7446", f"恢复没有启动：{said[-1] if said else ''}", "按提示处理后重做")
        return told

    return ask


def carried_out(ask: Ask, order: Mapping[str, Any], say: Callable[[str], object]) -> Mapping[str, Any]:
    """Let a host carry an order out, and return the worker's result.

    Args:
        ask: calls the module ``panshi_restore`` on the host.
        order: what the worker is told.
        say: is given each step as it begins.

    Raises:
        PanshiError: PS-E7446 it was not started; PS-E7448 it was ended from outside.
    """
    name = f"{current_run() or 'run'}-{secrets.token_hex(2)}"
    begin = {"state": "started", "name": name, "order": json.dumps(order, ensure_ascii=False)}
    told = ask(begin)
    # One that nobody waits for any more gives way after half a minute: that of a controller which was killed.
    for _ in range(_TRIES):
        if told["other"]:
            time.sleep(_TRY_SECONDS)
            told = ask(begin)
    if told["other"]:
        raise PanshiError("PS-E7446", f"另一次恢复（{told['other']}）正在这台主机上进行", "等它做完后重做")
    shown = 0
    try:
        while True:
            for line in told["progress"][shown:]:
                say(line)
            shown = len(told["progress"])
            if told["result"] is not None:
                result: Mapping[str, Any] = told["result"]
                return result
            if not told["running"]:
                raise PanshiError(
                    "PS-E7448", "恢复中途被结束，没有结果", "查明原因（journalctl -u panshi-restore）后重做"
                )
            time.sleep(_ASK_SECONDS)
            told = ask({"state": "asked", "name": name})
    finally:
        ask({"state": "stopped", "name": name})
