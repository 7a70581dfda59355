"""The Linux collector as a process: what it prints, within which time and size, and how it ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from panshi.facts.model import FactMissing, Facts

from .conftest import Run

NOBODY = 65534
Document = Callable[..., dict[str, Any]]
Fake = Callable[[str, str], None]

STAT = {
    "type": "object",
    "required": ["type", "mode", "owner", "group", "uid", "gid", "size", "mtime"],
    "properties": {
        "type": {"enum": ["file", "dir", "link", "other"]},
        "mode": {"type": "string", "pattern": "^[0-7]{4}$"},
        "target": {"type": "string"},
        **{name: {"type": "string"} for name in ("owner", "group")},
        **{name: {"type": "integer"} for name in ("uid", "gid", "size", "mtime")},
    },
    "additionalProperties": False,
}
ITEM = {
    "type": "object",
    "required": ["cmd", "rc", "out", "at", "ms"],
    "properties": {
        "cmd": {"type": "string", "minLength": 1},
        "rc": {"type": "integer", "minimum": 0},
        "out": {"type": "string"},
        "err": {"type": "string", "minLength": 1},
        "at": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
        "ms": {"type": "integer", "minimum": 0},
        "truncated": {"const": True},
        "stat": STAT,
    },
    "additionalProperties": False,
}
SKIPPED = {
    "type": "object",
    "required": ["id", "why"],
    "properties": {"id": {"type": "string"}, "why": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "required": [
        "schema",
        "collector",
        "version",
        "hostname",
        "started",
        "ms",
        "uid",
        "python",
        "globs",
        "skipped",
        "items",
    ],
    "properties": {
        "schema": {"const": 1},
        "collector": {"const": "linux.py"},
        "version": {"type": "string"},
        "hostname": {"type": "string", "minLength": 1},
        "started": ITEM["properties"]["at"],  # type: ignore[index]
        "ms": {"type": "integer", "minimum": 0},
        "uid": {"type": "integer", "minimum": 0},
        "python": {"type": "string", "pattern": r"^3\.\d+"},
        "globs": {"type": "array", "items": {"type": "string", "pattern": "^/"}, "minItems": 100},
        "skipped": {"type": "array", "items": SKIPPED},
        "items": {
            "type": "object",
            "propertyNames": {"pattern": r"^(file:/|[a-z]+\.[a-z0-9_]+$)"},
            "additionalProperties": ITEM,
        },
    },
    "additionalProperties": False,
}
HANG = "echo $$ >> {pids}; exec /bin/sleep 97"


def alive(pids: Path) -> list[int]:
    """Return the processes that still run; a zombie that init has yet to reap does not."""
    found = []
    for pid in pids.read_text().split():
        try:
            state = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            continue
        if state != "Z":
            found.append(int(pid))
    return found


def wait_for(path: Path) -> None:
    for _ in range(300):
        if path.exists() and path.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} never came")


def test_emulated_document_keeps_the_contract(document: Document) -> None:
    told = document()
    jsonschema.validate(told, SCHEMA)
    assert {"host.uname", "account.shadow", "proc.list", "fs.scan", "file:/etc/passwd"} <= set(told["items"])
    assert told["items"]["fs.scan"]["rc"] == 127
    assert told["items"]["file:/etc/shadow"]["out"] == ""


def test_emulated_schema_of_the_document_refuses_a_broken_one(document: Document) -> None:
    told = document()
    told["items"]["host.uname"]["out"] = None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, SCHEMA)


def test_emulated_python_3_6_runs_it(document: Document) -> None:
    found = sorted(Path.home().glob(".pyenv/versions/3.6.*/bin/python3.6")) or [Path("/usr/bin/python3.6")]
    if not found[0].exists():
        pytest.skip("no Python 3.6 on this machine")
    told = document(python=str(found[0]))
    jsonschema.validate(told, SCHEMA)
    assert told["python"].startswith("3.6.")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another account")
def test_emulated_without_root_it_says_what_needs_root(document: Document, fake: Fake) -> None:
    fake("sshd", "echo port 22")
    told = document(user=NOBODY)
    jsonschema.validate(told, SCHEMA)
    assert told["uid"] == NOBODY
    for name in ("account.shadow", "grub.password", "sshd.effective"):
        assert (told["items"][name]["rc"], told["items"][name]["err"]) == (1, "需要 root 权限")
    with pytest.raises(FactMissing, match="需要 root 权限"):
        Facts(told).out("account.shadow")


def test_emulated_hanging_commands_cost_only_their_own_answers(document: Document, fake: Fake, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    fake("systemctl", HANG.format(pids=pids))
    fake("who", HANG.format(pids=pids))
    fake("lsblk", "echo vda disk")
    began = time.monotonic()
    told = document("--budget=8")
    assert time.monotonic() - began < 11
    hung = {"systemd.show", "systemd.unit_files", "systemd.timers", "systemd.units", "account.logged_in"}
    assert {one["id"] for one in told["skipped"]} == hung
    assert {told["items"][name]["rc"] for name in hung} == {124}
    assert told["items"]["fs.block"]["out"] == "vda disk\n"
    assert told["items"]["secret.plaintext"]["rc"] == 0
    assert len(pids.read_text().split()) == len(hung)
    assert alive(pids) == []


def test_emulated_a_slow_command_may_take_what_the_budget_leaves(document: Document, fake: Fake) -> None:
    fake("systemctl", "/bin/sleep 6; echo late")
    told = document("--budget=30")
    assert told["items"]["systemd.show"]["out"] == "late\n"
    assert told["skipped"] == []


def test_emulated_a_background_process_that_keeps_the_pipe_is_not_waited_for(document: Document, fake: Fake) -> None:
    fake("df", "/bin/sleep 97 & echo done")
    began = time.monotonic()
    assert document()["items"]["fs.usage"]["out"] == "done\n"
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_emulated_killed_half_way_it_prints_nothing_and_leaves_no_child(
    run: Run, fake: Fake, tmp_path: Path, number: signal.Signals
) -> None:
    pids = tmp_path / "pids"
    fake("systemctl", HANG.format(pids=pids))
    process = run()
    wait_for(pids)
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (128 + number, b"")
    assert alive(pids) == []


def test_emulated_a_command_that_never_stops_talking_is_cut(document: Document, fake: Fake) -> None:
    fake("df", "while :; do echo 0123456789012345678901234567890123456789; done")
    told = document("--item-limit=20000")["items"]["fs.usage"]
    assert told["truncated"] is True
    assert 0 < len(told["out"]) <= 20000
    assert told["out"].endswith("9\n")


def test_emulated_a_full_document_says_what_it_lacks(document: Document) -> None:
    told = document("--total-limit=20000")
    assert len(told["items"]) < 100
    assert {one["why"] for one in told["skipped"]} == {"总量超出上限"}


def test_emulated_children_get_the_usual_umask_and_a_clean_environment(document: Document, fake: Fake) -> None:
    fake("df", "umask; /usr/bin/env")
    before = os.umask(0o077)
    try:
        out = document()["items"]["fs.usage"]["out"]
    finally:
        os.umask(before)
    assert out.startswith("0022\n")
    assert "HISTFILE=/dev/null\n" in out


def test_emulated_missing_run_directory_of_sshd_is_explained(document: Document, fake: Fake) -> None:
    fake("sshd", "echo 'Missing privilege separation directory: /run/sshd' >&2; exit 255")
    told = document()["items"]["sshd.effective"]
    if os.geteuid() == 0:
        assert told["rc"] == 255
        assert told["err"].startswith("sshd 的运行目录不存在")
        assert "Missing privilege separation directory: /run/sshd" in told["err"]


def test_emulated_unknown_option_is_refused(run: Run) -> None:
    process = run("--bugdet=3")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (1, b"", b"linux.py: unknown option --bugdet=3\n")


def test_emulated_a_silent_name_service_makes_nobody_an_owner(document: Document, fake: Fake) -> None:
    fake("getent", "exec /bin/sleep 97")
    fake("find", r"printf 'f 644 4242 0 /srv/a\000f 4755 0 0 /srv/b\000'")
    told = document("--budget=20")["items"]["fs.scan"]["out"]
    assert told == "suid 4755 root root /srv/b\ntruncated unowned 0\n"


def test_emulated_an_answering_name_service_tells_whose_a_file_is(document: Document, fake: Fake) -> None:
    fake("getent", "[ $1 = passwd ] && echo zhang:x:4242:4242::/home/zhang:/bin/sh; exit 2")
    fake("find", r"printf 'f 644 4242 0 /srv/a\000f 644 4343 0 /srv/b\000'")
    assert document()["items"]["fs.scan"]["out"] == "unowned 0644 4343 root /srv/b\n"
