"""Puts first passwords of accounts that no host has yet into the estate's store."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.secret.estate import baseline_of, store_of
from panshi.secret.first import keep_first
from panshi.secret.model import SecretId
from panshi.secret.policy import policy_of


class ActionModule(ActionBase):
    """Touches no host; a password that is in the store stays as it is."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return whose passwords were made; never a password."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(
            {
                "scope": {"type": "str", "required": True},
                "target": {"type": "str", "required": True},
                "accounts": {"type": "list", "elements": "str", "required": True},
            }
        )
        scope, target = str(arguments["scope"]), str(arguments["target"])
        accounts = dict.fromkeys(map(str, arguments["accounts"]))
        try:
            baseline = baseline_of(variables, self._templar.template)
            policy = policy_of(
                None, target, shortest=baseline.min_length, fewest=baseline.min_classes, where=f"{scope}/{target}"
            )
            store = store_of(variables, self._templar.template)
            wanted = [SecretId(scope, target, one) for one in accounts]
            done = keep_first(store, wanted, policy, trial=self._task.check_mode)
        except PanshiError as error:
            result.update(failed=True, msg=str(error))
            return result
        result.update(changed=bool(done), accounts=[one.account for one in done])
        return result
