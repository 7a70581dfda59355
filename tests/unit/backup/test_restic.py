"""A repository whose lock a killed job has left: the next job, and a restore, do their work."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from panshi.backup.agent.errors import BackupError
from panshi.backup.agent.jobs import Host
from panshi.backup.agent.restic import Repository
from panshi.backup.agent.settings import Keep, Place, Settings

# As restic with a lock that shuts all others out: only who asks for none is served, until the lock is removed.
_RESTIC = """#!/bin/sh
case " $* " in
*" unlock "*) rm -f {lock} ;;
*" --no-lock "*) ;;
*) [ ! -e {lock} ] || {{ echo 'the `unlock` command can be used to remove stale locks' >&2; exit 1; }} ;;
esac
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lock"
    path.touch()
    program = tmp_path / "restic"
    program.write_text(_RESTIC.format(lock=path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return path


@pytest.mark.parametrize("job", [Host.ready, Host.copy])
def test_emulated_job_after_one_that_was_killed_begins(
    tmp_path: Path, lock: Path, job: Callable[[Host], object]
) -> None:
    place = Place("local", str(tmp_path), "")
    with pytest.raises(BackupError, match="PS-E7410"):
        Repository(place, "db1").snapshots()
    job(Host(Settings("db1", (place,), tmp_path, tmp_path, None, {}, (), Keep(), 0)))
    assert not lock.exists() and Repository(place, "db1").snapshots() == []
