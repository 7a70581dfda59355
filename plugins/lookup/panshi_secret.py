"""The current password of an account, for connection variables and templates: ``lookup('panshi_secret', 'ops')``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from panshi.errors import PanshiError
from panshi.inventory import plain
from panshi.secret import SecretId
from panshi.secret.estate import store_of
from panshi.secret.store import missing

DOCUMENTATION = """
name: panshi_secret
short_description: Current password of an account from the estate's store
version_added: "1.0.0"
author: Panshi
description:
  - Use it in connection variables, in tasks with C(no_log), and in C(panshi_change) files with C(secret). Nowhere else,
    since what a lookup returns is shown wherever the task's arguments are.
options:
  _terms:
    description: Names of accounts.
    required: true
  target:
    description: Kind of account.
    type: str
    default: linux
  scope:
    description: The host that the account is on; the host of the task where it is not given.
    type: str
"""

EXAMPLES = """
- name: The account that Ansible connects with, in group_vars
  ansible.builtin.set_fact:
    ansible_password: "{{ lookup('panshi_secret', 'ops') }}"
  no_log: true
"""

RETURN = """
_raw:
  description: The passwords.
  type: list
"""


class LookupModule(LookupBase):
    """Reads the store on the controller."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return one password per account.

        Raises:
            AnsibleLookupError: PS-E7001 to PS-E7006, see docs/errors.
        """
        self.set_options(var_options=variables, direct=kwargs)
        host_vars = variables or {}
        scope = str(plain(self.get_option("scope") or host_vars.get("inventory_hostname", "")))
        try:
            store = store_of(host_vars, self._templar.template)
            found = [
                store.read(SecretId(scope, str(plain(self.get_option("target"))), str(plain(term)))) for term in terms
            ]
            if unknown := next((entry for entry in found if entry.current is None), None):
                raise missing(str(unknown.secret))
        except PanshiError as error:
            raise AnsibleLookupError(str(error)) from error
        return [entry.current.value for entry in found if entry.current is not None]
