"""Python starts this by itself when its folder is on PYTHONPATH: it makes an accident at one boundary of a rotation.

PANSHI_TEST_POINT is the number or the name of the boundary, PANSHI_TEST_ACCIDENT a command, or ``kill`` for the
controller; the name goes to the file PANSHI_TEST_AT. The program under test knows nothing of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_DURING = 0.4


def main() -> None:
    """Wrap every call that the protocol makes to store and target."""
    os.environ.setdefault("PANSHI_TEST_MAIN", str(os.getpid()))
    from panshi.secret import rotate, vault_file
    from panshi.secret.held import HeldInFile
    from panshi.secret.key_file import KeyFile
    from panshi.secret.linux import LinuxAccount
    from panshi.secret.mysql import DatabaseAccount, Replica
    from panshi.secret.redis import RedisUser
    from panshi.secret.ssh_key import AccountKey
    from panshi.secret.userfile import FileUser

    started = False
    passed = 0

    def boundary(name: str) -> None:
        nonlocal passed
        if not started:
            return
        if os.environ["PANSHI_TEST_POINT"] in (str(passed), name):
            os.environ["PANSHI_TEST_POINT"] = "over"
            accident(name)
        passed += 1

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            boundary(f"before {name}")
            if name in ("set", "update"):
                boundary(f"during {name}")
            result = real(*args, **kwargs)
            boundary(f"after {name}")
            return result

        return call

    def from_here(*args: Any, **kwargs: Any) -> Any:
        nonlocal started
        started = True
        boundary("start")
        result = protocol(*args, **kwargs)
        boundary("end")
        return result

    protocol, rotate.rotate = rotate.rotate, from_here
    kinds = (LinuxAccount, DatabaseAccount, RedisUser, FileUser, AccountKey)
    verbs = ("which", "set", "prove", "retire", "refused")
    for owner, name in (
        *((kind, verb) for kind in kinds for verb in verbs if hasattr(kind, verb)),
        *((kind, verb) for kind in (HeldInFile, Replica, KeyFile) for verb in ("ready", "update")),
        (vault_file.VaultFiles, "_temporary"),
        (vault_file, "_sync_folder"),
    ):
        setattr(owner, name, watched(name, getattr(owner, name)))


def accident(name: str) -> None:
    """Make it, now or a moment later."""
    Path(os.environ["PANSHI_TEST_AT"]).write_text(name)
    if name.startswith("during"):
        threading.Timer(_DURING, strike).start()
    else:
        strike()


def strike() -> None:
    """Kill the controller and everything that it started, or run the command."""
    command = os.environ["PANSHI_TEST_ACCIDENT"]
    if command == "kill":
        members = [int(os.environ["PANSHI_TEST_MAIN"])]
        for member in members:
            with suppress(OSError):
                for task in Path(f"/proc/{member}/task").glob("*/children"):
                    members += [int(child) for child in task.read_text().split()]
        members.remove(os.getpid())
        for member in (*members, os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
    subprocess.run(command, shell=True, check=True, timeout=20)


if "PANSHI_TEST_POINT" in os.environ:
    main()
