"""Runs one restore as a unit of its own: it outlives its caller's connection, not its caller's interest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import recover, recover_files, recover_redis, scratch
from .database import server_of
from .errors import BackupError, unforeseen
from .lost import Lost
from .prove import Wanted, prove
from .reach import lent
from .restic import Repository
from .settings import Place, Settings

# A caller asks every few seconds; one that has not asked for this long is dead.
_FORGOTTEN_SECONDS = 90
_LOOK_SECONDS = 5.0


class Worker:
    """One restore.

    Args:
        settings: of the host on which it runs.
        name: of the restore, as its folder.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings, self._name = settings, name
        self.folder = settings.state / "restore"

    def run(self, source: Path) -> int:
        """Read the order, carry it out, leave the result beside the progress, and remove everything else.

        Args:
            source: pipe from which the order comes; who was to write it may be dead as well.
        """
        signal.signal(signal.SIGTERM, _stop)
        self.folder.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._watched, daemon=True).start()
        order = json.loads(source.read_text(encoding="utf-8"))
        result: dict[str, Any] = {"name": self._name, "error": None}
        began = time.monotonic()
        try:
            with scratch.workplace(self._settings.scratch, self._name) as folder:
                result.update(self._done(order, folder))
        except BackupError as error:
            result["error"] = _told(error)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            result["error"] = _told(unforeseen(error))
        result["seconds"] = round(time.monotonic() - began, 2)
        fresh = self.folder / f"{self._name}.new"
        fresh.write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")
        fresh.replace(self.folder / f"{self._name}.json")
        return 0

    def _done(self, order: dict[str, Any], folder: Path) -> dict[str, Any]:
        place = Place(**{**order["place"], "options": tuple(order["place"].get("options", ()))})
        with lent(place, order.get("reach", {})) as reached:
            repository = Repository(reached, order["host"], order["key"], str(folder / "cache"))
            repository.unlock()
            return self._carried_out(repository, order, folder)

    def _carried_out(self, repository: Repository, order: dict[str, Any], folder: Path) -> dict[str, Any]:
        if "lost" in order:
            return {"recovered": self._recovered(repository, order["lost"], folder)}
        wanted = order["wanted"]
        about = Wanted(
            **{
                **wanted,
                "bounds": scratch.Bounds(**wanted["bounds"]),
                "files": tuple(wanted["files"]),
                "logical": tuple(wanted["logical"]),
                "last": tuple(wanted["last"]),
            }
        )
        return asdict(prove(repository, about, folder, self._say()))

    def _recovered(self, repository: Repository, lost: dict[str, Any], folder: Path) -> dict[str, Any]:
        gone = Lost(
            **{
                **lost,
                "files": tuple(lost["files"]),
                "sets": tuple(lost["sets"]),
                "aside": self._settings.state / "aside",
                "bounds": scratch.Bounds(**lost["bounds"]),
            }
        )
        if gone.redis:
            return recover_redis.recover(repository, gone, self._settings.redis, folder, self._say())
        if gone.database:
            declared = self._settings.logical if gone.logical else self._settings.database
            return recover.recover(repository, gone, server_of(declared), folder, self._say())
        return recover_files.recover(repository, gone, folder, self._say())

    def _say(self) -> Callable[[str], None]:
        path = self.folder / f"{self._name}.progress"

        def say(text: str) -> None:
            with path.open("a", encoding="utf-8") as file:
                file.write(text + "\n")

        return say

    def _watched(self) -> None:
        """End this process when nobody asks after it any more."""
        path = self.folder / f"{self._name}.wanted"
        while True:
            time.sleep(_LOOK_SECONDS)
            try:
                if time.time() - path.stat().st_mtime > _FORGOTTEN_SECONDS:
                    os.kill(os.getpid(), signal.SIGTERM)
            except FileNotFoundError:
                os.kill(os.getpid(), signal.SIGTERM)


def _told(error: BackupError) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _stop(number: int, frame: object) -> None:
    # Whoever asks once more must not end the removal of what is left.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)
