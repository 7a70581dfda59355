"""Runs on a throw-away host: kills the change module at every point, lets the next call repair, compares the host.

Usage: ``engine_target.py begin|done``: right after a step is journaled, or right before it is marked as done. At last
the steps come to their end, and are undone.
Prints one JSON line per point: ``{"point", "same", "differs"}``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import types
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def load() -> tuple:
    """Return the ledger and the module as Ansible would load them."""
    for name in ("ansible", "ansible.module_utils", "ansible.module_utils.basic"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["ansible.module_utils.basic"].AnsibleModule = object
    sys.path.insert(0, str(FOLDER))
    import panshi_ledger

    sys.modules["ansible.module_utils"].panshi_ledger = panshi_ledger
    import panshi_change

    source = Path(panshi_ledger.__file__).read_bytes()
    panshi_change._source = lambda: source
    return panshi_ledger, panshi_change


ledger, change = load()
STEPS = [
    {"file": {"path": "/etc/issue", "content": "hello\n", "mode": "0600"}},
    {"file": {"path": "/etc/panshi-new/a/b.conf", "content": "x\n"}},
    {"file": {"path": "/etc/motd", "state": "absent"}},
    {"settings": {"path": "/etc/login.defs", "lines": [{"match": r"^\s*PASS_MAX_DAYS\s", "line": "PASS_MAX_DAYS 90"}]}},
    {"attributes": {"paths": ["/etc/cron*"], "max_mode": "0700"}},
    {
        "command": {
            "argv": ["sh", "-c", "echo > /etc/zz1; rm -f /etc/issue.net"],
            "touches": ["/etc/zz*", "/etc/issue.net"],
        }
    },
    {"unit": {"name": "cron.service", "masked": True, "state": "stopped"}},
    {"account": {"name": "auditor", "groups": ["adm"], "shell": "/bin/bash"}},
    {"account": {"name": "rescue", "locked": True, "password_ages": {"max": 90}}},
    {"group": {"name": "panshiwheel", "system": True, "members": ["ops"]}},
]
NOTHING = dict.fromkeys(("steps", "guard", "undo"), None)


def call(run: str, steps: list) -> dict:
    """Call the module once."""
    with ledger.lock():
        arguments = {**NOTHING, "run": run, "role": "test", "steps": steps, "force": False}
        return change.perform({**arguments, "disarm": False, "restore": False}, False, False)


def host() -> dict:
    """Return everything that the steps may change; the time of a folder is its content's."""
    states = ledger.snapshot(["/etc", "/home", "/var/mail"], None)
    seen = {path: state for path, state in states.items() if path != "/etc/.pwd.lock"}
    for state in seen.values():
        if state["type"] == "directory":
            state.pop("mtime_ns", None)
    seen.update({database: ledger.read_database(database) for database in ledger.DATABASES})
    seen["cron"] = ledger.read_unit("cron.service")
    return seen


def killed_at(where: str, point: int, run: str) -> bool:
    """Run the steps in a child that is killed at a point; return whether it came that far."""
    child = os.fork()
    if not child:
        original, passed = getattr(ledger.Journal, where), []

        def strike(self: object, *args: object, **more: object) -> object:
            passed.append(1)
            if len(passed) == point and where == "done":
                os.kill(os.getpid(), signal.SIGKILL)
            outcome = original(self, *args, **more)
            if len(passed) == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return outcome

        setattr(ledger.Journal, where, strike)
        call(run, STEPS)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(where: str) -> None:
    """Strike at one point after the other until the steps come to their end."""
    before, point, killed = host(), 0, True
    while killed:
        point += 1
        killed = killed_at(where, point, f"{where}{point}")
        if killed:
            call("next", [])
        else:
            ledger.undo(f"{where}{point}")
        now = host()
        differs = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        print(json.dumps({"point": point, "same": not differs, "differs": differs}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
