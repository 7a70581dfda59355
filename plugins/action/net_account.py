"""Makes, changes or takes away one local account of one network device, or says what that would take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.network.account import Accounts, Wanted, presence_lines, read_accounts, refuse, removal_lines
from panshi.network.account.reach import Reach
from panshi.network.change import Changed
from panshi.network.config import MASK, masked
from panshi.network.estate import TARGET, reach_of
from panshi.network.task import is_unproven, outcome
from panshi.record import NetworkChangeRow
from panshi.secret.estate import baseline_of, store_of
from panshi.secret.first import keep_first
from panshi.secret.model import SecretId
from panshi.secret.policy import policy_of
from panshi.secret.store import Store

_SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "level": {"type": "int"},
    "role": {"type": "str", "default": ""},
    "services": {"type": "list", "elements": "str"},
    "password": {"type": "str", "no_log": True, "default": ""},
    "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always"},
}


class ActionModule(ActionBase):
    """Runs on the controller for one device; in check mode it only reads."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the commands, without passwords, and what became of them."""
        self._variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, self._variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        self._platform, self._shown, self._stored = "", (), False
        began = time.monotonic()
        changed, failure = None, None
        try:
            changed = self._run(arguments)
        except PanshiError as error:
            failure = error
            result.update(failed=True, msg=str(error), code=error.code, as_before=not is_unproven(error))
        else:
            result["changed"] = bool(self._shown)
        prepared = "".join(f"{line}\n" for line in self._shown)
        result.update(commands=list(self._shown), stored=self._stored, diff={"prepared": prepared} if prepared else {})
        row = self._row(changed, failure, time.monotonic() - began)
        told = [{"kind": row.kind, **asdict(row)}]
        result["panshi_record"] = record_payload(self._variables, self._templar.template, told)
        return result

    def _run(self, arguments: dict[str, Any]) -> Changed | None:
        store = store_of(self._variables, self._templar.template)
        reach = reach_of(self._variables, self._templar.template, store)
        self._platform = reach.device.platform
        if self._task.check_mode:
            with reach.login() as session:
                accounts = read_accounts(session.running(), self._platform)
        else:
            accounts = reach.settle()
        name, wanted = str(arguments["name"]), _wanted(arguments)
        refuse(accounts, self._platform, name, wanted, reach.device.user)
        value = "" if wanted is None else self._new_password(arguments, wanted, reach, accounts, store)
        lines = (
            removal_lines(accounts, name, self._platform)
            if wanted is None
            else presence_lines(accounts, wanted, self._platform, value)
        )
        self._shown = tuple(_shown(lines, value, self._platform))
        if self._task.check_mode or not lines:
            return None
        services = wanted.services if wanted and wanted.services is not None else frozenset({"ssh"})
        return reach.change(lines, name, value, proven="ssh" in services)

    def _new_password(
        self, arguments: dict[str, Any], wanted: Wanted, reach: Reach, accounts: Accounts, store: Store
    ) -> str:
        """Return the password that is to be set; empty: none. A first one that nobody gives is made, and kept."""
        name, given = str(arguments["name"]), str(arguments["password"])
        secret = SecretId(reach.device.name, TARGET, name)
        if given:
            _not_the_stores(store, secret, given, reach.device.user)
        if name not in accounts:
            # What does not fit is refused before anything is kept.
            presence_lines(accounts, wanted, self._platform, given or "-" * 8)
            return given or self._kept_first(store, secret)
        if not given or arguments["update_password"] == "on_create" or reach.lets_in(name, given):
            return ""
        return given

    def _kept_first(self, store: Store, secret: SecretId) -> str:
        baseline = baseline_of(self._variables, self._templar.template)
        policy = policy_of(
            None, TARGET, shortest=baseline.min_length, fewest=baseline.min_classes, where=f"net_account {secret}"
        )
        self._stored = bool(keep_first(store, [secret], policy, trial=self._task.check_mode))
        entry = store.read(secret)
        version = entry.current or entry.pending
        # In check mode nothing is kept; the lines are made with one that nobody will ever have.
        return version.value if version is not None else policy.make(secret.account)

    def _row(self, changed: Changed | None, failure: PanshiError | None, seconds: float) -> NetworkChangeRow:
        return NetworkChangeRow(
            host=str(self._variables["inventory_hostname"]),
            platform=self._platform,
            commands=self._shown,
            before=changed.before if changed else "",
            seconds=round(seconds, 3),
            **outcome(bool(self._shown), changed, failure),
        )


def _wanted(arguments: dict[str, Any]) -> Wanted | None:
    """Return what is wanted; None: that it is gone."""
    if arguments["state"] == "absent":
        return None
    services = arguments["services"]
    return Wanted(
        name=str(arguments["name"]),
        level=arguments["level"],
        role=str(arguments["role"]),
        services=None if services is None else frozenset(map(str, services)),
    )


def _not_the_stores(store: Store, secret: SecretId, given: str, login: str) -> None:
    """Refuse a password that the store would not know of an account that it keeps, or that logs in.

    Raises:
        PanshiError: PS-E8155.
    """
    known = store.read(secret).known()
    if (known or secret.account == login) and given not in known.values():
        raise PanshiError(
            "PS-E8155",
            f"账户 {secret.account} 的口令归密码库管，不能另给一个；没有改动",
            "去掉 password；要换口令用 playbooks/rotate.yml",
        )


def _shown(lines: Sequence[str], value: str, platform: str) -> list[str]:
    return [masked(line.replace(value, MASK) if value else line, platform) for line in lines]
