"""Ansible's action of one host, again for another host of the inventory: what holds a password may be anywhere."""

# mypy: disable-error-code="import-untyped"
# (ansible-core has no types)
from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def for_other_host(action: Any, host: str, variables: Mapping[str, Any]) -> Any:
    """Return an action plugin like this one, with a connection of its own to another host, as ``delegate_to`` makes it.

    Args:
        action: the plugin that runs.
        host: name in the inventory, which has it.
        variables: of the task, with ``hostvars``.

    Its modules take their arguments with ``task_vars`` of the other host, which is its attribute ``_variables``.
    """
    from ansible import constants
    from ansible.plugins.loader import become_loader, connection_loader

    own = {**variables["hostvars"].raw_get(host), "hostvars": variables["hostvars"]}
    own.setdefault("ansible_facts", {})
    templar = action._templar.copy_with_new_env(available_variables=own)

    def resolved(kind: str, name: str) -> dict[str, Any]:
        named = constants.config.get_plugin_vars(kind, name)
        return {key: templar.template(own[key]) for key in named if key in own}

    context = action._play_context.copy()
    kind = str(templar.template(own.get("ansible_connection") or constants.DEFAULT_TRANSPORT))
    connection = connection_loader.get(kind, context)
    settings = {**action._task.dump_attrs(), "timeout": context.timeout, "retries": None}
    method = action._connection.become and action._connection.become.name
    if method:
        become = become_loader.get(str(templar.template(own.get("ansible_become_method") or method)))
        connection.set_become_plugin(become)
        become.set_options(task_keys=settings, var_options=resolved("become", become._load_name))
    connection.set_options(task_keys=settings, var_options=resolved("connection", connection._load_name))
    shell = connection._shell
    shell.set_options(task_keys=settings, var_options=resolved("shell", shell._load_name))
    # No password is set twice; the next run goes on where this one ends.
    if "reconnection_retries" in connection._options:
        connection.set_option("reconnection_retries", 0)
    other = type(action)(action._task, connection, context, action._loader, templar, action._shared_loader_obj)
    other._variables = own
    return other
