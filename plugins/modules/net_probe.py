"""Documentation of the action plugin of the same name; nothing of it runs on a device."""

from __future__ import annotations

DOCUMENTATION = """
module: net_probe
short_description: Ask whether something is true of a network device
version_added: "1.0.0"
author: Panshi
description:
  - Logs in anew, asks the probes, and fails when one of them is not true. Changes nothing.
  - Probes are written as M(net_config) takes them to be asked after a change, before it is confirmed.
options:
  probes:
    description:
      - What must be true, each with perhaps C(title).
      - Either C(command) (one that only reads) and C(match) (regular expression that its output must contain), or
        C(ping) (IP address that the device must reach), or C(tcp) (port that must take a connection from the
        controller) and perhaps C(host) (address; else the device's own).
    type: list
    elements: dict
    default: []
  accounts:
    description: Accounts that must be let in with their current passwords of the estate's store.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [panshi_device]
attributes:
  diff_mode:
    support: none
    description: There is nothing to compare.
"""

EXAMPLES = """
- name: Firewall | Ensure the way out is there, and the web service is let through
  net_probe:
    probes:
      - {title: 出口网关, ping: 192.0.2.1}
      - {title: 门户, tcp: 443, host: 198.51.100.10}
      - {title: 上联口, command: display interface brief, match: 'GigabitEthernet0/0/24\\s+up'}
    accounts: [keeper]
"""

RETURN = """
results:
  description: Each with C(title), C(ok) and C(why).
  type: list
  elements: dict
  returned: always
code:
  description: Code of the error when nothing could be asked, see docs/errors.
  type: str
  returned: failure
"""
