"""Asks a database server; of each primary with its replicas only one member counts rows without a parent."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from panshi.database.review import declared_primaries, primaries, reader
from panshi.errors import PanshiError


class ActionModule(ActionBase):
    """The module of the same name, told whether this host is the one to read whole tables."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module.

        Raises:
            AnsibleActionFail: PS-E7503, who replicates from whom is not understood.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        arguments = dict(self._task.args)
        if arguments.get("verb") == "read":
            try:
                groups = primaries(declared_primaries(variables))
            except PanshiError as error:
                raise AnsibleActionFail(str(error)) from error
            host = str(variables["inventory_hostname"])
            arguments["deep"] = host in (reader(one, replicas) for one, replicas in groups.items())
        result.update(self._execute_module("panshi_database", module_args=arguments, task_vars=variables))
        return result
