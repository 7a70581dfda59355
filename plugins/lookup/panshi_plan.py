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
short_description: Hosts of a patch plan in the order of its waves, the waves' sizes, or the packages of one host
version_added: "1.0.0"
author: Panshi
description:
  - C(hosts) gives a host pattern, C(sizes) the numbers for C(serial), C(packages) the names of what one host gets. An
    empty path stands for a plan without hosts, as the gate has already said what is missing.
options:
  _terms:
    description: Path of the plan.
    required: true
  what:
    description: What is wanted.
    type: str
    choices: [hosts, sizes, packages]
    default: hosts
"""

EXAMPLES = """
- name: In waves
  hosts: "{{ lookup('panshi_plan', plan) }}"
  serial: "{{ lookup('panshi_plan', plan, what='sizes') }}"
"""

RETURN = """
_raw:
  description: A host pattern, or a list of numbers or names.
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
        what = self.get_option("what")
        try:
            plans = [load_plan(Path(str(term))) if term else None for term in terms]
        except PanshiError as error:
            raise AnsibleLookupError(str(error)) from error
        if what == "packages":
            host = str((variables or {})["inventory_hostname"])
            return [[one["name"] for one in plan.hosts[host]["packages"]] if plan else [] for plan in plans]
        waves = [plan.waves if plan else [] for plan in plans]
        if what == "sizes":
            return [[len(wave) for wave in one] or [1] for one in waves]
        return [",".join(name for wave in one for name in wave) or "!all" for one in waves]
