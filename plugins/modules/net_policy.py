"""Documentation of the action plugin of the same name; nothing of it runs on a device."""

from __future__ import annotations

DOCUMENTATION = """
module: net_policy
short_description: Bring the access policies of a network device to what is written down
version_added: "1.0.0"
author: Panshi
description:
  - Reads the device, holds its access policies against a policy file, and sends the lines from one to the other.
    Huawei USG, H3C SecPath, and access lists of VRP, Comware, IOS and Ruijie.
  - No line opens what neither the old nor the new policies allow, and none cuts what both allow, so far as the platform
    lets this be.
  - All of it or nothing. The change is proven through a new login, and saved; else the device is taken back to where it
    was.
  - A device that holds the policies already is left alone.
options:
  policies:
    description: The policy file, see docs/network-policy.md.
    type: path
    required: true
  minutes:
    description: Until the device goes back by itself when nobody confirms, where the platform can; 1 to 120.
    type: int
    default: 5
extends_documentation_fragment:
  - panshi_device
  - panshi_device.diff
  - panshi_device.plan
"""

EXAMPLES = """
- name: Policies | Ensure the firewall has them
  net_policy:
    policies: policy/gateway.yml

- name: Policies | Ensure the firewall has them as they were approved
  net_policy:
    policies: policy/gateway.yml
    plan: plans/example/20261122T010203Z-abcdef.yml
    plan_sha256: "{{ approved }}"
"""

RETURN = """
commands:
  description: The lines, in their order; empty when nothing differs. With C(--diff) they are shown as C(prepared).
  type: list
  elements: str
  returned: when the device was read
differences:
  description: What differs between the device and the policy file, in Chinese; a change made by hand is among it.
  type: list
  elements: str
  returned: when the device was read
opens:
  description: What will be let through and is not now, one packet for each policy.
  type: list
  elements: str
  returned: when the device was read
closes:
  description: What is let through now and will not be.
  type: list
  elements: str
  returned: when the device was read
running:
  description: SHA-256 of the configuration that was read, volatile lines aside.
  type: str
  returned: when the device was read
as_before:
  description: After a failure, whether the device is proven to be as before.
  type: bool
  returned: failure
"""
