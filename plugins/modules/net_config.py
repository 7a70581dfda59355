"""Documentation of the action plugin of the same name; nothing of it runs on a device."""

from __future__ import annotations

DOCUMENTATION = """
module: net_config
short_description: Bring the configuration of a network device to what is written down
version_added: "1.0.0"
author: Panshi
description:
  - Reads the running configuration, holds it against what is written down, and sends the commands from one to the
    other. Huawei VRP5 and VRPv8, H3C Comware V7, Ruijie RGOS, Cisco IOS.
  - All of it or nothing. The change is made under the device's own timer where it has one, proven through a new login
    and the probes, confirmed and saved; else the device is taken back to where it was, and that is proven, too.
  - A device that has the configuration already is left alone.
  - Secrets are masked in everything that is returned. Passwords are not for this module; a device shows them hashed, so
    that a password in clear would never be there; use M(net_account).
options:
  lines:
    description:
      - Lines that shall be there, as the device shows them; nothing else is taken away. A negative line (C(undo …),
        C(no …)) takes away what it names.
    type: str
    default: ""
  sections:
    description:
      - Views (interfaces, access lists) that become exactly as written, and lines outside of them; a set such as
        C(vlan batch) becomes exactly the one written. Other views stay as they are.
    type: str
    default: ""
  whole:
    description:
      - The whole configuration; what it does not say is taken away. It must end with the closing line (C(return),
        C(end)). With several of the three, C(sections) is laid over C(whole), and C(lines) over both.
    type: str
    default: ""
extends_documentation_fragment:
  - panshi_device
  - panshi_device.diff
  - panshi_device.plan
"""

EXAMPLES = """
- name: Switch | Ensure the syslog host is set
  net_config:
    lines: |
      info-center loghost 192.0.2.50

- name: Switch | Ensure the access ports are as written, as it was approved
  net_config:
    sections: "{{ lookup('template', 'access.j2') }}"
    probes:
      - {title: 上联口在用, command: display interface brief, match: 'GigabitEthernet0/0/24\\s+up'}
    plan: plans/example/20261122T010203Z-abcdef.yml
    plan_sha256: "{{ approved }}"
"""

RETURN = """
commands:
  description: The commands, in their order, secrets masked; empty when nothing differs.
  type: list
  elements: str
  returned: when the device was read
differences:
  description: What differs, unified, secrets masked.
  type: str
  returned: when the device was read
diff:
  description: C(before) and C(after), whole configurations with secrets masked, and C(prepared), the exact commands.
  type: dict
  returned: when the device was read
running:
  description: SHA-256 of the running configuration that the commands are made from, volatile lines aside.
  type: str
  returned: when the device was read
steps:
  description: Steps of the change that were done, each with C(step), C(detail) and C(seconds) since the beginning.
  type: list
  elements: dict
  returned: when the device was read
as_before:
  description: Whether the device is proven to be as it was before.
  type: bool
  returned: failure
code:
  description: Code of the error, see docs/errors.
  type: str
  returned: failure
"""
