"""Keeps the keys of a host's backups in the estate's store: whoever loses the host still reaches and opens them."""

from __future__ import annotations

from functools import partial
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from panshi.backup.keys import REACH, REPOSITORY, keep_keys
from panshi.errors import PanshiError
from panshi.inventory import plain
from panshi.secret.estate import store_of


class ActionModule(ActionBase):
    """A key that is not in the store is taken over from the host, or made where the host has none either."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return which keys were made or taken over; never a key."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        spec = {"keys": {"type": "dict", "required": True}, "reach": {"type": "dict", "default": {}}}
        _, arguments = self.validate_argument_spec(spec)
        host = str(variables["inventory_hostname"])
        try:
            store = store_of(variables, self._templar.template)
            store.check([host])
            for name, kind in (("keys", REPOSITORY), ("reach", REACH)):
                paths = {str(one): str(path) for one, path in plain(arguments[name]).items()}
                found = partial(self._on_host, variables=variables)
                result[name] = keep_keys(store, host, paths, found, self._task.check_mode, kind)
            result["changed"] = bool(result["keys"] or result["reach"])
        except PanshiError as error:
            result.update(failed=True, msg=str(error))
        except AnsibleConnectionFailure as error:
            result.update(unreachable=True, msg=str(error).splitlines()[0])
        return result

    def _on_host(self, path: str, variables: dict[str, Any]) -> str | None:
        """Return what a key file on the host holds; None without one."""
        found = self._execute_module("ansible.builtin.stat", {"path": path, "get_checksum": False}, task_vars=variables)
        if found.get("unreachable"):
            raise AnsibleConnectionFailure(found.get("msg", ""))
        if not found.get("stat", {}).get("exists"):
            return None
        said = self._execute_module("ansible.builtin.slurp", {"src": path}, task_vars=variables)
        return str(said["content"])
