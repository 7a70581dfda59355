"""Has a client watch the declared services while the run goes on; the callback panshi_record starts and ends it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.inventory import plain
from panshi.patch.client import services_of

_VARIABLE = "patch_services"


class ActionModule(ActionBase):
    """Touches no host."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the services of all hosts of the play.

        Raises:
            AnsibleActionFail: PS-E6301 for a declaration that is not understood.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        self.validate_argument_spec({})
        hosts = [variables["hostvars"][str(host)] for host in variables["ansible_play_hosts_all"]]
        given = [plain(self._templar.template(own[_VARIABLE])) for own in hosts if _VARIABLE in own]
        try:
            services = [asdict(one) for one in services_of(given)]
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(changed=False, panshi_services=services)
        result["panshi_record"] = record_payload(variables, self._templar.template, [])
        return result
