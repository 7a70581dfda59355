"""Documentation of the action plugin of the same name; nothing of this file runs on a target."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: panshi_audit
short_description: Read-only audit of all hosts of the play against the catalogue of controls
description:
  - Runs C(panshi audit) once on the controller for every host of the play and keeps its record.
  - Connection and privileges are those of the inventory; nothing is changed on any host.
options:
  inventory:
    description:
      - Inventory of the estate. The play's own when empty.
      - Needed only under a runner that adds inventories of its own, such as Molecule.
    type: path
  level:
    description: Level of classified protection; not used when O(profile) is given.
    type: int
    choices: [2, 3]
    default: 3
  profile:
    description: Name of a file in C(controls/profiles); empty for the one of the level.
    type: str
    default: ""
  controls:
    description: Clauses, tags, check ids or globs; empty for all.
    type: list
    elements: str
    default: []
  hosts:
    description: Only these; all of the play when empty.
    type: list
    elements: str
    default: []
  records:
    description: Root folder of the records on the controller.
    type: path
    default: records
  forks:
    description: Hosts that are read at once.
    type: int
    default: 32
  timeout:
    description: Seconds for reading one host.
    type: int
    default: 30
  report:
    description: Whether to make the report.
    type: bool
    default: true
  fail_on_findings:
    description: Whether findings fail the task.
    type: bool
    default: false
  fail_on_unread:
    description: Whether what could not be read or judged fails the task; before a product is installed it is no fault.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: The job is read-only; check mode makes no difference.
author:
  - Panshi maintainers
"""

EXAMPLES = r"""
- name: Audit the identity controls
  panshi_audit:
    controls: ["8.1.4.1*"]
  run_once: true
"""

RETURN = r"""
record:
  description: Folder of the record.
  returned: when hosts were read
  type: str
exit:
  description: Exit status of C(panshi audit).
  returned: always
  type: int
hosts:
  description: State and number of rows by status, by host.
  returned: when hosts were read
  type: dict
"""
