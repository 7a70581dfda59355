"""Values of the catalogue for roles: ``lookup('mlps', 'ssh_max_auth_tries')``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from panshi.errors import PanshiError
from panshi.harden.estate import value_of

DOCUMENTATION = """
name: mlps
short_description: Value of a parameter of the MLPS catalogue for this host
version_added: "1.0.0"
author: Panshi
description:
  - The estate's override (variable C(mlps_<name>)), else the catalogue's default of the level.
  - A value outside the accepted range is refused with PS-E1103, so no role can set what the audit would refuse.
options:
  _terms:
    description: Names of parameters.
    required: true
"""

EXAMPLES = """
- name: Values
  ansible.builtin.debug:
    msg: "{{ lookup('mlps', 'ssh_max_auth_tries') }}"
"""

RETURN = """
_raw:
  description: The values, of the type that the catalogue gives them.
  type: list
"""


class LookupModule(LookupBase):
    """Reads the catalogue on the controller."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return one value per term.

        Raises:
            AnsibleLookupError: PS-E1103 or PS-E1104, see docs/errors.
        """
        self.set_options(var_options=variables, direct=kwargs)
        host_vars = variables or {}
        try:
            return [value_of(str(term), host_vars, self._templar.template) for term in terms]
        except PanshiError as error:
            raise AnsibleLookupError(f"[{error.code}] {error.message}。{error.hint}") from error
