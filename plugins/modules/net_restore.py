"""Documentation of the action plugin of the same name; nothing of it runs on a device."""

from __future__ import annotations

DOCUMENTATION = """
module: net_restore
short_description: Bring a network device back to a backup
version_added: "1.0.0"
author: Panshi
description:
  - Compares what is running with a backup that M(net_backup) has kept, and shows the commands that lead there.
  - With the digest of those commands they are typed in one change with a way back. A new login has to find exactly the
    configuration of the backup before it is saved; else the device is brought back to where it was.
  - Without a digest, and in check mode, nothing is changed; check mode says C(changed) when there is something to do.
options:
  at:
    description: A time (ISO 8601), for the last backup before it; or a commit of the history; else the newest backup.
    type: str
    default: ""
  digest:
    description: As this module has shown it for the same device, backup and running configuration.
    type: str
    default: ""
  minutes:
    description: After which a device with a timer goes back by itself, 1 to 120.
    type: int
    default: 5
extends_documentation_fragment:
  - panshi_device
  - panshi_device.diff
"""

EXAMPLES = """
- name: Network_restore | Ensure the device is as it was in the morning
  net_restore:
    at: 2026-11-22T08:00
    digest: "{{ reviewed_digest }}"
"""

RETURN = """
commit:
  description: Of the history that the backup is from.
  type: str
  returned: success
digest:
  description: SHA-256 of device, commit, commands and running configuration.
  type: str
  returned: success
commands:
  description: Without secrets.
  type: list
  elements: str
  returned: success
"""
