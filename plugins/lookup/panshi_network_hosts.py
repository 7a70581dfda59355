"""Devices of a plan, for the head of a play: ``hosts: "{{ lookup('panshi_network_hosts', plan) }}"``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from panshi.errors import PanshiError
from panshi.network.intent import JOB
from panshi.network.plan import load_plan

DOCUMENTATION = """
name: panshi_network_hosts
short_description: Host pattern of the devices that a plan of network_change.yml changes
version_added: "1.0.0"
author: Panshi
description:
  - A play that begins with one device must begin with one that is changed; those with nothing to do prove nothing.
options:
  _terms:
    description: Path of the plan.
    required: true
"""

EXAMPLES = """
- name: One device first
  hosts: "{{ lookup('panshi_network_hosts', plan) }}"
  serial: [1, 100%]
"""

RETURN = """
_raw:
  description: A host pattern.
  type: list
"""


class LookupModule(LookupBase):
    """Reads the plan on the controller."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return one pattern per term.

        Raises:
            AnsibleLookupError: PS-E8108, see docs/errors.
        """
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [",".join(load_plan(Path(str(term)), JOB).devices) or "!all" for term in terms]
        except PanshiError as error:
            raise AnsibleLookupError(str(error)) from error
