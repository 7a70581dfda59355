"""The bridge from a host's Ansible variables to its declared accounts and the estate's store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from panshi.harden.estate import estate_of, value_of
from panshi.inventory import plain
from panshi.secret import declared, glass, store
from panshi.secret.declared import Baseline, Declared
from panshi.secret.kinds import KINDS
from panshi.secret.store import Store

Template = Callable[[Any], Any]
# What a network device has among its variables, and nothing else.
_DEVICE = "ansible_network_os"
# What a host's variables must hold for the functions below.
VARIABLES = (declared.VARIABLE, glass.VARIABLE, store.VARIABLE, "harden_level", "mlps_*", _DEVICE)


def store_of(variables: Mapping[str, Any], template: Template) -> Store:
    """Return the store of the estate that a host's variables come from."""
    name, folder = estate_of(variables)
    return store.open_store(name, folder, plain(template(variables.get(store.VARIABLE))))


def accounts_of(variables: Mapping[str, Any], template: Template) -> list[Declared]:
    """Return the accounts of a host whose passwords are rotated.

    A declaration for all hosts is for devices, too: of it a device takes what is of devices, and a host what is not.
    """
    value = plain(template(variables.get(declared.VARIABLE)))
    if not value:
        return declared.declared_accounts(str(variables["inventory_hostname"]), value, Baseline(0, 0, 0))
    found = declared.declared_accounts(str(variables["inventory_hostname"]), value, baseline_of(variables, template))
    device = bool(variables.get(_DEVICE))
    return [one for one in found if KINDS[one.secret.target].of_device is device]


def baseline_of(variables: Mapping[str, Any], template: Template) -> Baseline:
    """Return what the controls ask of a host's passwords."""
    return Baseline(
        value_of("password_min_length", variables, template),
        value_of("password_min_classes", variables, template),
        value_of("password_max_days", variables, template),
    )


def break_glass_of(variables: Mapping[str, Any], template: Template) -> list[Declared]:
    """Return the break-glass accounts of a host."""
    value = plain(template(variables.get(glass.VARIABLE)))
    host = str(variables["inventory_hostname"])
    return glass.break_glass_accounts(host, value, accounts_of(variables, template)) if value else []
