"""Documentation of the action plugin of the same name; nothing of it runs on a device."""

from __future__ import annotations

DOCUMENTATION = """
module: net_backup
short_description: Back up the configurations of network devices
version_added: "1.0.0"
author: Panshi
description:
  - Reads the running and the saved configuration of every device of the batch at once, in one session each.
  - Keeps them in a git history outside the checkout, without secrets and without what changes by itself, together with
    a whole, encrypted copy whose key is in the estate's store of passwords.
  - Changes nothing on a device. A device that fails is told in C(results) and fails nobody else; use C(run_once) and
    look at C(results[inventory_hostname]) afterwards, as playbooks/network_backup.yml does.
  - In check mode devices are read and compared, and nothing is kept.
options:
  forks:
    description: Sessions at once.
    type: int
    default: 100
  stale_days:
    description: Days without a backup after which an unreachable device is a finding of its own.
    type: float
    default: 2
extends_documentation_fragment:
  - panshi_device
  - panshi_device.diff
"""

EXAMPLES = """
- name: Network_backup | Ensure the configurations have been kept
  net_backup:
  register: network_backup
  run_once: true
  delegate_to: localhost

- name: Network_backup | Leave out the devices that have been read whole
  ansible.builtin.meta: end_host
  when: network_backup.results[inventory_hostname].ok

- name: Network_backup | Ensure this device has been read whole
  ansible.builtin.fail:
    msg: "{{ network_backup.results[inventory_hostname].msg }}"
"""

RETURN = """
commit:
  description: Commit of the history that has what was read; the one before when nothing has changed.
  type: str
  returned: success
ok:
  description: Whether every device was read whole.
  type: bool
  returned: success
results:
  description: By device C(ok), C(state) (changed, same, failed), C(saved), C(encoding), C(last), C(findings), C(code)
    and C(msg).
  type: dict
  returned: success
"""
