"""Documentation of the action plugin of the same name; nothing of it runs on a device."""

from __future__ import annotations

DOCUMENTATION = """
module: net_account
short_description: Make, change or take away a local account of a network device
version_added: "1.0.0"
author: Panshi
description:
  - Huawei VRP5 and VRPv8, H3C Comware V7, Ruijie RGOS, Cisco IOS.
  - The change is made under the device's own timer where it has one, proven through new logins, one of them with the
    new password, while the first session stays open, and saved; else the device is taken back to where it was, and
    that is proven, too.
  - The account of this login is never taken away, given less, or kept from SSH; nor is the last administrator.
  - Passwords are kept irreversibly by the device (C(irreversible-cipher), a hash, C(secret)), and are in no log, diff,
    record or process list. A device shows hashes only, so whether it has a password is found out by a login.
options:
  name:
    description: Name of the account.
    type: str
    required: true
  state:
    description: Whether it shall be there.
    type: str
    choices: [present, absent]
    default: present
  level:
    description: 0 to 15; VRP, RGOS, IOS. An account that exists keeps its own where this is not given.
    type: int
  role:
    description: User role, the only one afterwards; Comware.
    type: str
    default: ""
  services:
    description:
      - All services by which it may come in (V(ssh), V(terminal) …); VRP and Comware. A new account has V(ssh).
    type: list
    elements: str
  password:
    description:
      - Password that it shall have. A new account for which none is given gets one that is made here and is in the
        estate's store, as C(<device>/network/<name>), before the device hears of it.
      - Refused for an account whose password is in the store, and for the one of this login; these are rotated
        (playbooks/rotate.yml).
      - Give it as a variable from a vault. Ansible itself shows the lines of a playbook around a task that fails.
    type: str
    default: ""
  update_password:
    description: Whether an account that exists is given the password when a login with it is refused.
    type: str
    choices: [always, on_create]
    default: always
extends_documentation_fragment:
  - panshi_device
  - panshi_device.diff
"""

EXAMPLES = """
- name: Switch | Ensure the auditor may look
  net_account:
    name: auditor
    level: 1

- name: Firewall | Ensure the second administrator is there
  net_account:
    name: keeper
    role: network-admin
    services: [ssh, terminal]

- name: Switch | Ensure the leaver's account is gone
  net_account:
    name: leaver
    state: absent
"""

RETURN = """
commands:
  description: The commands, in their order, secrets masked; empty when nothing differs.
  type: list
  elements: str
  returned: always
stored:
  description: A first password was made and put into the estate's store.
  type: bool
  returned: always
as_before:
  description: Whether the device is proven to be as it was before.
  type: bool
  returned: failure
code:
  description: Code of the error, see docs/errors.
  type: str
  returned: failure
"""
