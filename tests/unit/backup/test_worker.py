"""A restore that nobody asks after any more ends by itself, even one whose order never came."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
_PROGRAM = """
import sys
from pathlib import Path
from types import SimpleNamespace
from panshi.backup.agent import worker
worker._FORGOTTEN_SECONDS, worker._LOOK_SECONDS = 1, 0.1
state = Path(sys.argv[1])
one = worker.Worker(SimpleNamespace(state=state, scratch=state / "scratch"), "one")
one._done = lambda order, folder: __import__("subprocess").run(["sleep", "60"])
sys.exit(one.run(state / "pipe"))
"""


def _started(state: Path) -> subprocess.Popen[bytes]:
    (state / "restore").mkdir()
    os.mkfifo(state / "pipe", 0o600)
    # Slow enough for another signal to come while what is left is removed.
    systemctl = state / "systemctl"
    systemctl.write_text("#!/bin/sh\nsleep 0.4\n")
    systemctl.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{state}:{os.environ['PATH']}"}
    return subprocess.Popen([sys.executable, "-c", _PROGRAM, str(state)], env=environment)


@pytest.mark.parametrize("ordered", [False, True])
def test_real_worker_that_is_forgotten_ends_and_leaves_nothing(tmp_path: Path, ordered: bool) -> None:
    job = _started(tmp_path)
    wanted = tmp_path / "restore" / "one.wanted"
    wanted.touch()
    if ordered:
        (tmp_path / "pipe").write_text(json.dumps({}), encoding="utf-8")
    # Times of the file instead of the clock's: a machine that is busy otherwise may stand still for seconds.
    os.utime(wanted, times=(0, time.time() + 3600))
    with pytest.raises(subprocess.TimeoutExpired):
        job.wait(timeout=2)
    os.utime(wanted, times=(0, 0))
    assert job.wait(timeout=20) == 143
    assert not (tmp_path / "scratch" / "one").exists()
    assert not (tmp_path / "restore" / "one.json").exists()


def test_real_worker_whose_caller_has_forgotten_it_ends(tmp_path: Path) -> None:
    assert _started(tmp_path).wait(timeout=20) == 143
