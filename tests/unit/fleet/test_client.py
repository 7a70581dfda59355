"""The whole fleet read, really run against this machine by the connection ``local``."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from panshi.collect.client import Collected, Failed, Limits, Started, collect
from panshi.inventory import Host

LOCAL = Host(name="here", address="127.0.0.1", connection="local")
GOOD = 'print(\'{"schema": 1, "items": {}}\')\n'


def collectors(folder: Path, python: str) -> Path:
    (folder / "linux.py").write_text(python)
    (folder / "linux.sh").write_text("exit 1\n")
    return folder


def outcome(folder: Path, python: str, host: Host = LOCAL, **limits: int) -> Collected | Failed:
    events = list(collect([host], Limits(**limits), collectors(folder, python)))
    last = events[-1]
    assert [type(event) for event in events[:-1]] in ([], [Started])
    assert not isinstance(last, Started)
    return last


def failure(folder: Path, python: str, host: Host = LOCAL, **limits: int) -> Failed:
    result = outcome(folder, python, host, **limits)
    assert isinstance(result, Failed)
    return result


def test_real_collects(tmp_path: Path) -> None:
    result = outcome(tmp_path, GOOD)
    assert isinstance(result, Collected)
    assert result.document == {"schema": 1, "items": {}}
    assert 0 < result.seconds < 20


def test_real_output_larger_than_allowed(tmp_path: Path) -> None:
    assert failure(tmp_path, "print('x' * 200_000)\n", most=100_000).error.code == "PS-E3009"


def test_real_timeout_ends_the_collector(tmp_path: Path) -> None:
    began = time.monotonic()
    marker = tmp_path / "alive"
    python = f"import time\ntime.sleep(6)\nopen({str(marker)!r}, 'w')\n"
    assert failure(tmp_path, python, timeout=1).error.code == "PS-E3008"
    assert time.monotonic() - began < 5
    time.sleep(6)
    assert not marker.exists()


def test_real_collector_killed_half_way(tmp_path: Path) -> None:
    python = (
        "import os, signal, sys\nsys.stdout.write('{\"schema\": 1, ')\nsys.stdout.flush()\nos.kill(os.getpid(), 9)\n"
    )
    result = failure(tmp_path, python)
    assert result.error.code == "PS-E3007"
    assert "137" in result.error.message


def test_real_full_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a file system of limited size needs root")
    try:
        monkeypatch.setattr("tempfile.tempdir", str(disk))
        result = failure(tmp_path, "print('x' * 200_000)\n")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert result.error.code == "PS-E3011"


def test_real_unsupported_connection_and_become(tmp_path: Path) -> None:
    windows = Host(name="win", address="192.0.2.9", connection="winrm")
    su = Host(name="su", address="192.0.2.8", become=True, become_method="su")
    assert failure(tmp_path, GOOD, windows).error.code == "PS-E3010"
    assert failure(tmp_path, GOOD, su).error.code == "PS-E3010"


def test_real_unreachable_addresses(tmp_path: Path) -> None:
    refused = Host(name="refused", address="127.0.0.1", port=9)
    unknown = Host(name="unknown", address="no-such-host.example")
    for host in (refused, unknown):
        result = failure(tmp_path, GOOD, host, connect_timeout=3)
        assert (result.state, result.error.code) == ("unreachable", "PS-E3001")


def test_real_unusable_key_file(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("not a key\n")
    for path in (str(key), str(tmp_path / "nowhere")):
        result = failure(tmp_path, GOOD, Host(name="k", address="127.0.0.1", key_file=path))
        assert (result.state, result.error.code) == ("refused", "PS-E3004")


def test_real_fleet_process_killed_leaves_an_outcome_for_every_host(tmp_path: Path) -> None:
    hosts = [Host(name=f"h{n}", address="127.0.0.1", connection="local") for n in range(3)]
    threading.Thread(target=kill_child_of_this_process, daemon=True).start()
    events = list(collect(hosts, Limits(), collectors(tmp_path, "import time\ntime.sleep(20)\n")))
    failed = [event for event in events if isinstance(event, Failed)]
    assert {event.host for event in failed} == {"h0", "h1", "h2"}
    assert {event.error.code for event in failed} == {"PS-E3011"}


def kill_child_of_this_process() -> None:
    for _ in range(100):
        time.sleep(0.1)
        found = subprocess.run(
            ["pgrep", "-P", str(os.getpid()), "-f", "panshi.collect.fleet"], capture_output=True, text=True
        )
        if found.stdout.strip():
            time.sleep(1)
            os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
            return


def test_real_concurrency_is_bounded(tmp_path: Path) -> None:
    hosts = [Host(name=f"h{n}", address="127.0.0.1", connection="local") for n in range(6)]
    running = most = 0
    for event in collect(hosts, Limits(forks=2), collectors(tmp_path, "import time\ntime.sleep(0.3)\n" + GOOD)):
        running += 1 if isinstance(event, Started) else -1
        most = max(most, running)
    assert most == 2


EMULATED_SUDO = """#!/bin/sh
# sudo -S -p PROMPT -H sh -c SCRIPT, with the password "right"; every word it is given is kept
prompt=$3; shift 4
for attempt in 1 2 3; do
  printf '%s' "$prompt" >&2
  IFS= read -r word || { echo 'sudo: no password was provided' >&2; exit 1; }
  echo "$word" >>"$SUDO_LOG"
  [ "$word" = right ] && exec "$@"
  echo 'Sorry, try again.' >&2
done
echo 'sudo: 3 incorrect password attempts' >&2
exit 1
"""


@pytest.fixture
def sudo_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sudo").write_text(EMULATED_SUDO)
    (folder / "sudo").chmod(0o755)
    log = tmp_path / "sudo.log"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SUDO_LOG", str(log))
    return log


def sudo_host(password: str) -> Host:
    return Host(name="here", address="127.0.0.1", connection="local", become=True, become_password=password)


def test_emulated_sudo_gets_the_password_once(tmp_path: Path, sudo_log: Path) -> None:
    assert isinstance(outcome(tmp_path, GOOD, sudo_host("right")), Collected)
    assert sudo_log.read_text() == "right\n"


def test_emulated_sudo_gets_one_wrong_password_and_no_line_of_the_script(tmp_path: Path, sudo_log: Path) -> None:
    assert failure(tmp_path, GOOD, sudo_host("wrong")).error.code == "PS-E3005"
    assert sudo_log.read_text() == "wrong\n"


def test_emulated_sudo_without_question_gets_no_password(tmp_path: Path, sudo_log: Path) -> None:
    (tmp_path / "bin" / "sudo").write_text('#!/bin/sh\nshift 4\nexec "$@"\n')
    python = "import sys\nrest = sys.stdin.buffer.read()\nassert b'right' not in rest, rest\n" + GOOD
    assert isinstance(outcome(tmp_path, python, sudo_host("right")), Collected)
    assert not sudo_log.exists()
