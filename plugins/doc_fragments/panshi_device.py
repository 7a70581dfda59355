"""What the documentation of all net_* modules has in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Of one device or many; and, as ``plan``, of those that carry out an approved change."""

    DOCUMENTATION = """
notes:
  - Devices are described by C(ansible_host), C(ansible_port), C(ansible_user), C(ansible_network_os) and
    C(panshi_net_*); see docs/runbook-network.md. Passwords come from C(ansible_password) or from the estate's store.
attributes:
  check_mode:
    support: full
    description: Devices are read, and nothing is changed or written.
"""

    DIFF = """
attributes:
  diff_mode:
    support: full
    description: C(prepared) are the exact commands, or C(before) and C(after) what is kept, without secrets.
"""

    PLAN = """
options:
  probes:
    description:
      - What must be so afterwards, asked through the new login, beside that the device has what is written down. Each
        has C(command) (one that only reads) and C(match) (a regular expression that its output must contain), or
        C(ping) (an address that the device must reach), or C(tcp) (a port) and perhaps C(host); and perhaps C(title).
    type: list
    elements: dict
    default: []
  minutes:
    description: Until the device goes back by itself when nobody confirms, where the platform can; 1 to 120.
    type: int
    default: 5
  plan:
    description: File of the plan to be carried out; without one, what differs is pushed.
    type: path
  plan_sha256:
    description: Digest of the plan that was approved; required with C(plan).
    type: str
    default: ""
"""
