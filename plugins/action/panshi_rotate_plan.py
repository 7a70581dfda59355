"""Says, before any target is touched, whose passwords are due, and proves that the store can take the new ones."""

from __future__ import annotations

from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.record import utc_now
from panshi.secret.declared import VARIABLE, Declared, one_host_each
from panshi.secret.estate import accounts_of, store_of
from panshi.secret.key_hosts import TARGET, check_hosts, way_of
from panshi.secret.login import need_sshpass
from panshi.secret.rotate import due

display = Display()


class ActionModule(ActionBase):
    """Reads variables and the store; touches no host. ``pattern`` of its result is a host pattern."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Plan.

        Raises:
            AnsibleActionFail: PS-E70xx, one line; nothing was changed anywhere.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        spec = {"due_only": {"type": "bool", "default": False}, "hosts": {"type": "list", "elements": "str"}}
        _, arguments = self.validate_argument_spec(spec)
        try:
            wanted = self._due(variables, arguments["hosts"], arguments["due_only"])
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        accounts = sum(len(names) for names in wanted.values())
        for host, names in wanted.items():
            display.display(f"{host}：{'、'.join(names)}")
        display.display(f"待轮换：{len(wanted)} 台主机、{accounts} 个账户")
        # A pattern that matches nothing, where nothing is due.
        result.update(changed=False, pattern=",".join(wanted) or "!all")
        return result

    def _due(self, variables: dict[str, Any], hosts: list[str], due_only: bool) -> dict[str, list[str]]:
        store = store_of(variables, self._templar.template)
        # A view that resolves a variable when it is asked for, and no other.
        declared = {host: accounts_of(variables["hostvars"][host], lambda value: value) for host in hosts}
        if not any(declared.values()):
            raise PanshiError(
                "PS-E7007", f"所选主机都没有声明要轮换的账户（变量 {VARIABLE}）", "写法见 docs/runbook-secrets.md"
            )
        one_host_each(one for accounts in declared.values() for one in accounts)
        self._need_hosts(variables, declared)
        self._need_ways(variables, [one for accounts in declared.values() for one in accounts])
        now = utc_now()
        # Every entry is read even where all are wanted: a damaged one is told now, and not in the third wave.
        known = store.outlines([one.secret for accounts in declared.values() for one in accounts])
        wanted = {
            host: [one for one in accounts if due(known[one.secret], one.max_age_days, now) or not due_only]
            for host, accounts in declared.items()
        }
        wanted = {host: accounts for host, accounts in wanted.items() if accounts}
        secrets = [one.secret for accounts in wanted.values() for one in accounts]
        if wanted and not self._task.check_mode:
            if any(secret.target == "linux" for secret in secrets):
                need_sshpass()
            store.check(sorted({secret.scope for secret in secrets}))
        return {host: [_name(one) for one in accounts] for host, accounts in wanted.items()}

    def _need_hosts(self, variables: dict[str, Any], declared: dict[str, list[Declared]]) -> None:
        for one in (one for accounts in declared.values() for one in accounts):
            if unknown := sorted({each.host for each in one.dependents} - set(variables["hostvars"])):
                raise PanshiError(
                    "PS-E7007",
                    f"{one.secret} 的 dependents 里的主机 {'、'.join(unknown)} 不在清单里",
                    "改正 accounts_passwords；没有改动任何目标",
                )

    def _need_ways(self, variables: dict[str, Any], accounts: list[Declared]) -> None:
        if not any(one.secret.target == TARGET for one in accounts):
            return
        usual = [str(context.CLIARGS.get(name) or "") for name in ("remote_user", "private_key_file")]
        hosts = variables["hostvars"]
        check_hosts(accounts, {host: way_of(hosts[host], *usual) for host in variables["groups"]["all"]})


def _name(one: Declared) -> str:
    """Return an account's name for people: its kind is said where it is not a local one."""
    secret = one.secret
    return secret.account if secret.target == "linux" else f"{secret.target}/{secret.account}"
