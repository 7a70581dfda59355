"""Facts of Linux hosts by the plain pyinfra command line, into the folder ``facts``::

    pyinfra web1.example,web2.example deploys/collect_linux.py
    pyinfra inventory.py deploys/collect_linux.py --data facts_folder=/srv/facts --data become=

``panshi audit`` reads fleets by the same command without this file (``panshi/collect/fleet.py``): bounded, streamed to
disk, and able to answer sudo. Here sudo must not ask for a password: pyinfra would leave a helper file on the target.
"""

from __future__ import annotations

import json
from pathlib import Path

from pyinfra import host, logger
from pyinfra.api import FactBase, StringCommand

from panshi.collect.client import COLLECTORS
from panshi.collect.command import invocation

BUDGET = 25


class LinuxFacts(FactBase[dict]):
    """The facts document of a Linux host; the collectors must be on standard input."""

    def command(self, become: bool) -> StringCommand:
        """Return the command line; ``become`` is whether to use sudo."""
        return StringCommand(call(become).command)

    def process(self, output: list[str]) -> dict:
        """Return the document behind whatever the login shell said."""
        return json.loads(next(line for line in output if line.startswith("{")))


def call(become: bool):
    """Return the command and the input that carry the collectors."""
    python, shell = ((COLLECTORS / name).read_bytes() for name in ("linux.py", "linux.sh"))
    return invocation(python, shell, BUDGET, become)


become = bool(host.data.get("become", True))
document = host.get_fact(LinuxFacts, become=become, _stdin=call(become).payload.decode(), _timeout=BUDGET + 5)
if document is not None:
    folder = Path(host.data.get("facts_folder", "facts"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / f"{host.name}.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    logger.info(f"{host.name}: {len(document['items'])} items -> {folder / host.name}.json")
