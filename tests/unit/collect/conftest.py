"""Runs of the Linux collector as a target runs it, with programs that the test chooses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import panshi.collect

SOURCE = Path(panshi.collect.__file__).parent / "linux.py"
# The system's own Python: another account may start it, and it has nothing of this repository.
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")

Run = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def programs() -> Iterator[Path]:
    """An empty folder that is the collector's whole PATH; every account may enter it, unlike pytest's folders."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def fake(programs: Path) -> Callable[[str, str], None]:
    """Return a function that puts a shell script among the programs."""

    def put(name: str, script: str) -> None:
        path = programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return put


@pytest.fixture
def run(programs: Path) -> Iterator[Run]:
    """Return a function that starts the collector from standard input, as the fleet does."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str, python: str | None = PYTHON, user: int | None = None) -> subprocess.Popen[bytes]:
        if python is None:
            pytest.skip("no Python of the system on this machine")
        with SOURCE.open("rb") as source:
            process = subprocess.Popen(
                [python, "-BIS", "-", *options],
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"PANSHI_PATH": str(programs)},
                cwd="/",
                user=user if os.geteuid() == 0 else None,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def document(run: Run) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the collector to its end and returns what it printed."""

    def collect(*options: str, **how: Any) -> dict[str, Any]:
        out, err = run(*options, **how).communicate(timeout=60)
        assert err == b""
        assert out.endswith(b"\n")
        parsed: dict[str, Any] = json.loads(out)
        return parsed

    return collect
