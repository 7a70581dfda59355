"""What a test run that was killed leaves behind: its labs. The next run takes them down before it makes its own.

Every test lab is noted while its process lives. The note is locked, and the kernel lets the lock go with the process:
a note that nobody holds belongs to a dead run, and one that somebody holds to a run beside this one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTES = Path(tempfile.gettempdir()) / "panshi-test-labs"


@contextmanager
def noted(lab: str, description: Path, state: Path, notes: Path = NOTES) -> Iterator[None]:
    """Note a lab that this process is about to make, after taking down those of dead processes.

    Args:
        lab: its name.
        description: its lab.yml.
        state: its state directory, which is made here.
        notes: where the notes of all runs on this machine are.

    Raises:
        RuntimeError: a living process has a lab of this name.
    """
    notes.mkdir(mode=0o700, exist_ok=True)
    sweep(notes)
    if others := list(notes.glob(f"{lab}.*.lock")):
        raise RuntimeError(f"{lab} belongs to process {others[0].stem.rpartition('.')[2]}, which still runs")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = notes / f"{lab}.{os.getpid()}"
    with (notes / f"{note.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        note.mkdir()
        shutil.copy(description, note / "lab.yml")
        (note / "state").symlink_to(state)
        yield
        # Reached only if the lab was taken down in order; what fails leaves its note for the next run.
        shutil.rmtree(note)
        Path(lock.name).unlink()


def sweep(notes: Path = NOTES) -> list[str]:
    """Take down the labs that nobody holds any more, and return their notes' names."""
    swept = []
    for path in sorted(notes.glob("*.lock")):
        note = path.with_suffix("")
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if note.is_dir():
                _down(note)
                shutil.rmtree(note)
                swept.append(note.name)
            path.unlink()
    return swept


def _down(note: Path) -> None:
    state = (note / "state").readlink()
    if not state.is_dir():
        # Its temporary folder was cleared: a virtual machine in it is gone too, containers and the network are not.
        state = note / "empty"
    command = [sys.executable, "-m", "panshi.lab", "down", "--file", str(note / "lab.yml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PANSHI_LAB_DIR": str(state)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"a dead run's lab cannot be taken down: {done.stdout}{done.stderr}")
