"""Documentation of the action plugin of the same name; nothing of it runs on a device."""

from __future__ import annotations

DOCUMENTATION = """
module: net_facts
short_description: Read what network devices say of themselves
version_added: "1.0.0"
author: Panshi
description:
  - Asks every device of the batch at once, in one session each, by commands that only read.
  - A device that fails is told in C(results) and fails nobody else; use C(run_once).
  - What is returned and written is without secrets.
options:
  commands:
    description: Lists of commands by platform; only C(display), C(show) and C(dir).
    type: dict
    default: {}
  transcripts:
    description: Folder for one file per device with all that was said, without secrets; not written in check mode.
    type: path
  forks:
    description: Sessions at once.
    type: int
    default: 100
extends_documentation_fragment:
  - panshi_device
"""

EXAMPLES = """
- name: Versions
  net_facts:
    commands:
      huawei_vrp: [display version]
      cisco_ios: [show version]
  register: versions
  run_once: true
  delegate_to: localhost
"""

RETURN = """
ok:
  description: Whether every device was asked.
  type: bool
  returned: success
results:
  description: By device C(ok), C(name), C(platform), C(encoding), C(weak_algorithms), C(output) and C(refused) by
    command; or C(ok), C(code) and C(msg).
  type: dict
  returned: success
"""
