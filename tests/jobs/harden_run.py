"""Runs ``ansible-playbook`` on copies of lab hosts as an operator does, and reads what it left behind."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lab_copies import LAB, ROOT, Copies

from panshi.record import Run, list_runs, read_run, verify_run

# Fewer of them for a quick look: PANSHI_TEST_HOSTS=deb12.
CONTAINERS = tuple(os.environ.get("PANSHI_TEST_HOSTS", "deb11,deb12,deb13,nopy12,kylin10").split(","))
STATE = (ROOT / "molecule" / "shared" / "files" / "state.sh").read_text(encoding="utf-8")
# Each module that Ansible runs on a host is one sudo there; proving a way in is another command than a module.
_WIRE = "journalctl --quiet --no-pager --output=cat _COMM=sudo | grep -c 'COMMAND=.*BECOME-SUCCESS' || true"


# What the system's own tools write whenever they run, and which process runs; nothing of it is a setting.
_NO_SETTING = re.compile(
    r" /etc/((passwd|shadow|group|gshadow|subuid|subgid)-|ld\.so\.cache|\.pwd\.lock)( |$)|/var/lib/panshi|^active "
)


# Far more than an emulated machine takes on a machine that is busy otherwise.
_SECONDS = 3000


@dataclass(frozen=True)
class Done:
    """A finished playbook."""

    status: int
    out: str
    seconds: float
    records: tuple[Path, ...]

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Ansible's totals by host."""
        lines = re.findall(r"^(\S+)\s+: (ok=.*)$", self.out, re.MULTILINE)
        return {host: {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)} for host, line in lines}

    def runs(self, job: str) -> list[Run]:
        """The whole records that this playbook left for a job, oldest first."""
        found = [path for path in self.records if path.parent.name == job]
        assert [problem for path in found for problem in verify_run(path)] == []
        return [read_run(path) for path in found]


@dataclass(frozen=True)
class DryRun:
    """A run in check mode, and every host's state before and after it."""

    done: Done
    before: dict[str, set[str]]
    after: dict[str, set[str]]


@dataclass(frozen=True)
class Hardened:
    """What became of the hosts with every opt-in: a first and a second run, and the wire tasks of the first."""

    first: Done
    second: Done
    wire: dict[str, int]


@dataclass(frozen=True)
class Operator:
    """Somebody with an inventory of copies, and a folder for records."""

    copies: Copies
    records: Path

    def play(self, playbook: str, *options: str, limit: Sequence[str] = (), **variables: Any) -> Done:
        """Run a playbook to its end."""
        known = _runs(self.records)
        extra = {"panshi_records": str(self.records), **variables}
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.copies.folder)]
        command += [f"playbooks/{playbook}", "-e", json.dumps(extra, ensure_ascii=False), *options]
        command += ["--limit", ",".join(limit)] if limit else []
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
        }
        began = time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        seconds = time.monotonic() - began
        left = tuple(path for path in _runs(self.records) if path not in known)
        return Done(done.returncode, done.stdout + done.stderr, seconds, left)

    def state(self, host: str) -> set[str]:
        """Everything about a host that a change could change, read by the console."""
        return set(self.copies.sh(host, STATE).splitlines())

    def wire_tasks(self, host: str) -> int:
        """The number of modules that a host has run since it was made, as its own journal counts them."""
        return int(self.copies.sh(host, _WIRE))


def settings(lines: Iterable[str]) -> set[str]:
    """Return the lines of a host's state that are decisions of somebody."""
    return {line for line in lines if not _NO_SETTING.search(line)}


def like_the_lab(copies: Copies, **variables: Any) -> None:
    """Give copies the variables of the lab's own hosts, with the addresses of their own network.

    Args:
        copies: one of them is the lab's hub12, under its own name.
        variables: more of them.
    """
    lab = yaml.safe_load((LAB / "lab.yml").read_text(encoding="utf-8"))
    gateway = str(ipaddress.IPv4Network(lab["subnet"])[1])
    addresses = {lab["hosts"]["hub12"]["address"]: copies.addresses["hub12"], gateway: copies.gateway}
    shutil.copytree(LAB / "group_vars", copies.folder / "group_vars", dirs_exist_ok=True)
    shutil.copy(LAB / "waivers.yml", copies.folder)
    for file in (copies.folder / "group_vars").rglob("*.yml"):
        text = file.read_text(encoding="utf-8")
        for old, new in addresses.items():
            text = re.sub(rf"(?<![\d.]){re.escape(old)}(?![\d.])", new, text)
        file.write_text(text, encoding="utf-8")
    second_way = {"user": "rescue", "key": str(copies.state.key)}
    copies.variables(guard_second_way=second_way, harden_batches=["100%"], **variables)


def _runs(records: Path) -> list[Path]:
    return [path for job in records.glob("*/*/") for path in list_runs(records, job.parent.name, job.name)]
