"""Asks a host whose accounts it has, compares that with what is declared, and refuses what would shut somebody out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from panshi.accounts import judge, steps
from panshi.accounts.declared import declaration
from panshi.accounts.permissions import rows_of
from panshi.errors import PanshiError
from panshi.inventory import plain

_SPEC = {
    "users": {"type": "list", "elements": "raw"},
    "groups": {"type": "list", "elements": "raw"},
    "elsewhere": {"type": "list", "elements": "dict"},
    "system": {"type": "list", "elements": "str"},
    "roles": {"type": "dict"},
    "ask_password": {"type": "bool"},
    "lock_undeclared": {"type": "bool"},
    "withdraw": {"type": "list", "elements": "str", "choices": ["keys", "groups"]},
}


class ActionModule(ActionBase):
    """One module call, read-only. What is to be changed is returned as steps for ``panshi_change``."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``before``, ``sudo`` and ``after`` (steps and grants), ``findings``, ``permissions`` and ``leavers``.

        Raises:
            AnsibleActionFail: PS-E7201 to PS-E7205, one line; nothing was changed.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        try:
            return {**result, **self._judged({key: plain(value) for key, value in arguments.items()}, variables)}
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error

    def _judged(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        host = str(variables["inventory_hostname"])
        declared = declaration(
            host, arguments["users"], arguments["groups"], arguments["elsewhere"], arguments["system"] or ()
        )
        answer = self._execute_module(
            "panshi_accounts",
            module_args={
                "names": [user.name for user in declared.users],
                "leavers": [user.name for user in declared.users if user.leaves],
            },
            task_vars=variables,
        )
        if answer.get("failed"):
            return {key: value for key, value in answer.items() if key != "invocation"}
        state = answer["panshi_accounts"]
        roles = arguments["roles"] or {}
        options = judge.Options(
            lock_undeclared=bool(arguments["lock_undeclared"]),
            withdraw=frozenset(arguments["withdraw"] or ()),
            role_groups={name: str(role["group"]) for name, role in roles.items()},
            role_commands={name: [str(one) for one in role["commands"]] for name, role in roles.items()},
            ask_password=bool(arguments["ask_password"]),
            protected=frozenset({*state["connected"], *self._ways_in(variables)}),
        )
        seen = judge.Seen(host, declared, state, options)
        judge.refuse(seen)
        gone = [user for user in declared.users if user.leaves]
        return {
            "changed": False,
            "before": steps.before_sudo(seen),
            "sudo": steps.sudo_rules(seen),
            "after": steps.after_sudo(seen),
            "findings": [asdict(one) for one in judge.findings(seen)],
            "permissions": [asdict(row) for row in rows_of(seen)],
            "leavers": [
                {
                    "name": user.name,
                    "people": user.people,
                    "request": user.request,
                    "remains": judge.remains(seen, user),
                }
                for user in gone
            ],
        }

    def _ways_in(self, variables: dict[str, Any]) -> set[str]:
        """Return the accounts that the connection and the guard of changes go by."""
        names = [str(self._play_context.remote_user or ""), str(variables.get("ansible_user") or "")]
        second = plain(self._templar.template(variables.get("guard_second_way"))) or {}
        operators = plain(self._templar.template(variables.get("guard_operators"))) or []
        names += [str(one.get("user", "")) for one in [second, *operators] if isinstance(one, dict)]
        return {name for name in names if name}
