"""Documentation of the action plugin of the same name; nothing of it runs on a device."""

from __future__ import annotations

DOCUMENTATION = """
module: net_inspect
short_description: Inspect network devices
version_added: "1.0.0"
author: Panshi
description:
  - Asks every device of the batch at once, in one session each, how it is - processor, memory, power supplies, fans,
    errors of its interfaces, neighbours and uptime - and judges the answers by the parameters of the catalogue
    (C(mlps_device_*), see controls/8.1.5.4_c.yml).
  - An answer that was refused or is not understood is told as such, and never taken for healthy.
  - Changes nothing on a device. A device that fails is told in C(results) and fails nobody else; use C(run_once) and
    look at C(results[inventory_hostname]) afterwards, as playbooks/network_inspect.yml does.
options:
  forks:
    description: Sessions at once.
    type: int
    default: 100
  timeout:
    description: Seconds after which a device is asked nothing more.
    type: int
    default: 60
notes:
  - Devices are described as for M(net_backup); C(panshi_net_neighbours) names by port the neighbours that a device
    should have.
extends_documentation_fragment:
  - panshi_device
"""

EXAMPLES = """
- name: Network_inspect | Ensure every device has been asked how it is
  net_inspect:
  register: network_inspect
  run_once: true
"""

RETURN = """
results:
  description: By device C(ok), C(system), C(statuses) by subject and C(findings) in words; or C(ok), C(code), C(msg).
  type: dict
  returned: success
"""
