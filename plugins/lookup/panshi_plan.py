"""Hosts and waves of a patch plan, for the head of a play: ``hosts: "{{ lookup('panshi_plan', plan) }}"``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from panshi.errors import PanshiError
from panshi.patch import load_plan

DOCUMENTATION = """
name: panshi_plan
short_description: Hosts of a patch plan in the order of its waves, or the waves' sizes
version_added: "1.0.0"
author: Panshi
description:
  - C(hosts) gives a host pattern, C(sizes) the numbers for C(serial). An empty path stands for a plan without hosts, as
    the gate has already said what is missing.
options:
  _terms:
    description: Path of the plan.
    required: true
  what:
    description: What is wanted.
    type: str
    choices: [hosts, sizes]
    default: hosts
"""

EXAMPLES = """
- name: In waves
  hosts: "{{ lookup('panshi_plan', plan) }}"
  serial: "{{ lookup('panshi_plan', plan, what='sizes') }}"
"""

RETURN = """
_raw:
  description: A host pattern, or a list of numbers.
  type: list
"""


class LookupModule(LookupBase):
    """Reads the plan on the controller."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return one answer per term.

        Raises:
            AnsibleLookupError: PS-E6101 or PS-E6102, see docs/errors.
        """
        self.set_options(var_options=variables, direct=kwargs)
        sizes = self.get_option("what") == "sizes"
        try:
            waves = [load_plan(Path(str(term))).waves if term else [] for term in terms]
        except PanshiError as error:
            raise AnsibleLookupError(str(error)) from error
        if sizes:
            return [[len(wave) for wave in one] or [1] for one in waves]
        return [",".join(name for wave in one for name in wave) or "!all" for one in waves]
