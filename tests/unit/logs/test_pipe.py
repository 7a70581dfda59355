"""A log through a pipe: rotated and restarted under a writer that never opens it anew, no line is lost or cut."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from panshi.logs.declared import policies
from panshi.logs.steps import stanza, steps, units

PROGRAM = Path(__file__).resolve().parents[3] / "plugins" / "module_utils" / "panshi_log_pipe.py"
ENTRY = {"name": "console", "kind": "pipe", "paths": ["/opt/app/console.out"], "owner": "app", "group": "app"}


def made(**change: Any) -> list[dict[str, Any]]:
    environments = {"production": {"keep_days": 366, "temporary_days": 30, "legal": True}}
    return policies(
        "web1",
        [{**ENTRY, **change}],
        environments=environments,
        legal_days=180,
        environment="production",
        mode="0640",
        group="adm",
    )


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Pipe:
    """A pipe that somebody holds open, and the program that writes a log from it."""

    def __init__(self, prover: ModuleType, folder: Path, log: Path) -> None:
        self.prover, self.path, self.log = prover, folder / "pipe", log
        os.mkfifo(self.path)
        self.held = os.open(self.path, os.O_RDWR)
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(PROGRAM), str(self.log)]
        self.program = subprocess.Popen(command, stdin=self.held, stderr=subprocess.PIPE)
        until(lambda: self.holds(self.log))

    def signal(self, number: int) -> None:
        self.program.send_signal(number)

    def stop(self) -> str:
        self.program.terminate()
        assert self.program.stderr
        said = self.program.stderr.read().decode()
        self.program.wait(timeout=20)
        self.program.stderr.close()
        return said

    def holds(self, path: Path) -> bool:
        return bool(self.prover.holds(self.program.pid, str(path)))


@pytest.fixture
def pipe(prover: ModuleType, tmp_path: Path) -> Iterator[Pipe]:
    found = Pipe(prover, tmp_path, tmp_path / "console.out")
    yield found
    found.stop()
    os.close(found.held)


def test_real_rotations_and_restarts_under_a_writer_lose_and_double_nothing(pipe: Pipe, tmp_path: Path) -> None:
    ending, written = threading.Event(), [0]

    def write() -> None:
        # As a shell's >> does: opened once, and written in pieces that are no lines.
        with pipe.path.open("ab", buffering=1000) as file:
            while not ending.is_set():
                for number in range(written[0], written[0] + 50):
                    file.write(b"number %09d of a program that knows one file alone\n" % number)
                written[0] += 50

    thread = threading.Thread(target=write)
    thread.start()
    for number in range(10):
        before = written[0]
        until(lambda before=before: written[0] > before + 500)  # type: ignore[misc]
        if number % 3 == 2:
            pipe.stop()
            pipe.start()
        rotated = tmp_path / f"console.out-{number}"
        pipe.log.rename(rotated)
        pipe.log.touch()
        pipe.signal(signal.SIGHUP)
        until(lambda: pipe.holds(pipe.log))
    ending.set()
    thread.join()
    end = b"number %09d of" % (written[0] - 1)
    until(lambda: end in pipe.log.read_bytes())
    lines = [line for path in sorted(tmp_path.glob("console.out*")) for line in path.read_bytes().splitlines()]
    assert sorted(lines) == [
        b"number %09d of a program that knows one file alone" % number for number in range(written[0])
    ]


def test_real_idle_receiver_opens_the_new_file_at_once(pipe: Pipe, tmp_path: Path) -> None:
    pipe.log.rename(tmp_path / "old")
    pipe.signal(signal.SIGHUP)
    until(lambda: pipe.holds(pipe.log))


def test_real_begun_line_is_not_cut_by_a_rotation(pipe: Pipe, tmp_path: Path) -> None:
    os.write(pipe.held, b"first\nsec")
    until(lambda: pipe.log.read_bytes() == b"first\n")
    pipe.log.rename(tmp_path / "old")
    pipe.signal(signal.SIGHUP)
    until(lambda: pipe.holds(pipe.log))
    os.write(pipe.held, b"ond\n")
    until(lambda: pipe.log.read_bytes() == b"second\n")


def test_real_line_without_an_end_is_written_when_it_stops(pipe: Pipe) -> None:
    os.write(pipe.held, b"first\nprompt> ")
    until(lambda: pipe.log.read_bytes() == b"first\n")
    pipe.stop()
    assert pipe.log.read_bytes() == b"first\nprompt> "
    pipe.start()


def test_real_full_disk_is_said_and_holds_nobody_up(prover: ModuleType, tmp_path: Path) -> None:
    found = Pipe(prover, tmp_path, Path("/dev/full"))
    for _ in range(64):
        os.write(found.held, b"x" * 65535 + b"\n")
    said = found.stop()
    os.close(found.held)
    assert said.startswith("<1>[PS-E7520]") and said.count("\n") == 1


def test_real_link_in_place_of_the_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    done = subprocess.run([sys.executable, str(PROGRAM), str(tmp_path / "log")], input=b"x\n", capture_output=True)
    assert done.returncode != 0 and not (tmp_path / "elsewhere").exists()


def test_real_scratch_log_of_a_pipe_is_proven_by_the_program_itself(
    prover: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prover, "PIPE_PROGRAM", str(PROGRAM))
    writer = prover.Piped(str(tmp_path / "scratch.log"), prover.Load(2000, 0.5, 1))
    try:
        (tmp_path / "scratch.log").rename(tmp_path / "scratch.log.1")
        (tmp_path / "scratch.log").touch()
        subprocess.run(["sh", "-c", writer.reopening()], check=True)
        until(lambda: prover.holds(writer._receiver.pid, str(tmp_path / "scratch.log")))
        assert writer.settled() is True
    finally:
        written = writer.end()
    found: dict[str, Any] = {}
    prover.count(found, [str(tmp_path / "scratch.log"), str(tmp_path / "scratch.log.1")], "proof ", range(written))
    assert written > 0 and (found["lost"], found["doubled"]) == (0, 0)


def test_real_receiver_that_is_not_told_to_reopen_is_seen(
    prover: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prover, "PIPE_PROGRAM", str(PROGRAM))
    writer = prover.Piped(str(tmp_path / "scratch.log"), prover.Load(2000, 0.5, 1))
    try:
        (tmp_path / "scratch.log").rename(tmp_path / "scratch.log.1")
        (tmp_path / "scratch.log").touch()
        assert writer.settled() is False
    finally:
        writer.end()


def test_parsed_units_hold_the_pipe_open_and_never_start_it_anew() -> None:
    (policy,) = made()
    socket, service, rotation = (step["file"] for step in steps([policy]))
    assert socket["path"] == "/etc/systemd/system/panshi-log-console.socket"
    assert "ListenFIFO=/run/panshi-logs/console\n" in socket["content"] and "SocketUser=app\n" in socket["content"]
    assert "ExecStart=/usr/local/lib/panshi/panshi_log_pipe.py /opt/app/console.out\n" in service["content"]
    assert "systemctl kill --signal=HUP panshi-log-console.service" in rotation["content"] == stanza(policy)
    assert [one["unit"].get("restart") for one in units([policy])] == [None, "changed"]
