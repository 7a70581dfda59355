"""Starts a restore on a host as a unit of its own, and tells how far it is; see panshi/backup/agent/worker.py."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_restore
short_description: Start a restore of a backup into a scratch instance, or ask how far it is
version_added: "1.0.0"
author: Panshi
description:
  - The restore runs as a systemd unit. It ends when nobody has asked after it for 90 seconds, and its folder and server
    are removed whatever ends it.
  - The order, which holds the key of the backup, goes through a pipe and is never on a disk or in an argument.
options:
  state:
    description: C(started), C(asked) or C(stopped).
    type: str
    choices: [started, asked, stopped]
    required: true
  name:
    description: Of the restore.
    type: str
    required: true
  order:
    description: What the worker is to do, for C(started).
    type: str
    no_log: true
  folder:
    description: Where the worker leaves progress and result.
    type: path
    default: /var/lib/panshi/backup/restore
  seconds:
    description: The most that the restore may take.
    type: int
    default: 21600
"""

EXAMPLES = """
- name: How far it is
  panshi_restore:
    state: asked
    name: 20261122T020000Z-ab12cd
"""

RETURN = """
running:
  description: Whether the unit is active.
  type: bool
progress:
  description: What was done so far.
  type: list
result:
  description: The evidence, once it is there.
  type: dict
other:
  description: Another restore that somebody is waiting for on this host, where this one was not started.
  type: str
"""

UNIT = "panshi-restore.service"
PROGRAM = "/usr/local/sbin/panshi-backup"
# Somebody who waits for a restore asks more often than this.
WAITING_SECONDS = 30
PIPE_SECONDS = 60


def main():
    """Do what ``state`` says."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "asked", "stopped"], "required": True},
            "name": {"type": "str", "required": True},
            "order": {"type": "str", "no_log": True},
            "folder": {"type": "path", "default": "/var/lib/panshi/backup/restore"},
            "seconds": {"type": "int", "default": 21600},
        },
    )
    words = module.params
    folder = Path(words["folder"])
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if words["state"] == "started":
        start(module, folder, words)
    elif words["state"] == "stopped":
        systemctl("stop", UNIT)
        forget(folder, words["name"])
    module.exit_json(changed=False, other="", **told(folder, words["name"]))


def start(module, folder, words):
    """Start the unit; one that nobody waits for any more is stopped first."""
    if not os.access(PROGRAM, os.X_OK):
        module.fail_json(msg="这台主机还没有部署备份（没有 " + PROGRAM + "），先运行 playbooks/backup.yml")
    if active():
        waited = [path for path in folder.glob("*.wanted") if time.time() - path.stat().st_mtime < WAITING_SECONDS]
        if waited:
            module.exit_json(changed=False, running=False, progress=[], result=None, other=waited[0].stem)
        systemctl("stop", UNIT)
    for path in folder.glob("*"):
        path.unlink()
    (folder / (words["name"] + ".wanted")).touch(mode=0o600)
    pipe = Path("/run") / ("panshi-restore-" + words["name"])
    os.mkfifo(str(pipe), 0o600)
    try:
        command = ["systemd-run", "--quiet", "--collect", "--unit", UNIT, "--property", "KillMode=mixed"]
        command += ["--property", "ExecStopPost=" + PROGRAM + " sweep", "--property", "TimeoutStopSec=60"]
        command += ["--property", "RuntimeMaxSec=%d" % words["seconds"], "--property", "Nice=10"]
        command += ["--property", "IOSchedulingClass=idle", PROGRAM, "worker", words["name"], str(pipe)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, check=False
        )
        if done.returncode:
            module.fail_json(msg=done.stdout.strip()[-300:])
        with opened(module, pipe) as file:
            file.write(words["order"])
    finally:
        pipe.unlink()


def opened(module, pipe):
    """Return the pipe once the worker has opened its end; a worker that has ended instead is said."""
    deadline = time.monotonic() + PIPE_SECONDS
    while True:
        try:
            descriptor = os.open(str(pipe), os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        else:
            os.set_blocking(descriptor, True)
            return os.fdopen(descriptor, "w")
        if not active() or time.monotonic() > deadline:
            module.fail_json(msg=last_words())
        time.sleep(0.1)


def last_words():
    """Return the last line of what the unit has said."""
    command = ["journalctl", "--unit", UNIT, "--lines=20", "--output=cat", "--no-pager"]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("[PS-E")] or done.stdout.splitlines()
    return lines[-1][:300] if lines else "没有输出"


def told(folder, name):
    """Return how far the restore is, and keep it alive."""
    wanted = folder / (name + ".wanted")
    if wanted.exists():
        wanted.touch()
    running = active()
    progress, result = folder / (name + ".progress"), folder / (name + ".json")
    return {
        "running": running,
        "progress": progress.read_text().splitlines() if progress.exists() else [],
        "result": json.loads(result.read_text()) if result.exists() else None,
    }


def forget(folder, name):
    """Remove what a restore has left for its caller."""
    for path in folder.glob(name + ".*"):
        path.unlink()


def active():
    """Return whether a restore runs on this host."""
    return systemctl("is-active", "--quiet", UNIT) == 0


def systemctl(*words):
    """Return the status of systemctl."""
    return subprocess.run(
        ("systemctl",) + words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    ).returncode


if __name__ == "__main__":
    main()
