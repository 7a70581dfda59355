"""Accidents in the middle of a guarded change, made at named places, and what the host is like afterwards."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab_copies import ROOT, Copies

PLAYBOOKS = Path(__file__).with_name("guard")
# Short enough for a test, long enough for a run that nothing happens to on a busy machine.
GUARD_SECONDS = int(os.environ.get("PANSHI_TEST_GUARD_SECONDS", "20"))
# What comes on top of the set time: 30 s for a module that hangs and has to be overtaken, and a busy machine.
SLACK_SECONDS = 50
# The places where change.yml can be held, in their order; the ways in are proven before and after them.
STEPS = ("armed", "sshd", "created", "removed", "attributes", "account", "command", "unit", "reloaded")
PROBES = ("probe1", "probe2", "disarm")
_STATES = "systemctl is-system-running; systemctl is-active panshi-guard.timer panshi-guard.service"
LOOK = r"""
for path in /etc/ssh/sshd_config /etc/profile.d/panshi-test.sh /etc/issue.net /etc/panshi-test.*; do
  stat -c '%n %F %a %U:%G' "$path" 2>&1; sha256sum "$path" 2>&1
done
getent passwd probea; getent shadow probea
systemctl is-enabled panshi-test.service; systemctl is-active panshi-test.service; true
"""


@dataclass
class Controller:
    """An ``ansible-playbook`` under way, or ended."""

    process: subprocess.Popen[str]
    sockets: Path
    told: Path

    def kill(self) -> None:
        """Kill it and everything that it started, all at once, with SIGKILL."""
        members = [self.process.pid]
        for member in members:
            try:
                os.kill(member, signal.SIGSTOP)
            except ProcessLookupError:
                continue
            members += _children(member)
        for member in members:
            try:
                os.kill(member, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()

    def end(self, seconds: float = 180) -> int:
        """Wait for its end and return its exit status."""
        return self.process.wait(seconds)

    @property
    def output(self) -> str:
        """Everything that it has printed."""
        return self.told.read_text(encoding="utf-8")

    def close(self) -> None:
        """End it and the connections that it left open."""
        if self.process.poll() is None:
            self.kill()
        for socket in self.sockets.glob("*"):
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "none"], capture_output=True)
        shutil.rmtree(self.sockets)


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found


@dataclass
class Target:
    """One copy of a lab host that accidents happen to, one after another."""

    copies: Copies
    host: str
    records: Path
    sshd_config: str = field(init=False)
    before: str = field(init=False)
    after: str = ""
    seconds: float = 0.0
    number: int = 0
    said: str = ""

    def __post_init__(self) -> None:
        """Prepare the host and look at it."""
        self.copies.sh(self.host, (PLAYBOOKS / "prepare.sh").read_text(encoding="utf-8"))
        self.sshd_config = self.copies.sh(self.host, "cat /etc/ssh/sshd_config")
        self.before = self.look()

    def look(self) -> str:
        """Return what the change touches, as it is now, read by the console."""
        return self.copies.sh(self.host, LOOK)

    def start(self, playbook: str, **variables: Any) -> Controller:
        """Start a playbook on this host."""
        key = str(self.copies.state.key)
        common = {
            "guard_seconds": GUARD_SECONDS,
            "guard_second_way": {"user": "rescue", "key": key},
            "guard_operators": [
                {"user": "ops", "key": key},
                {"user": "probea", "key": key, "sudo": False},
                {"user": "probeb", "key": key, "sudo": False},
            ],
            "guard_sshd_config": f"{self.sshd_config}\nMaxAuthTries 3\n",
            "panshi_records": str(self.records),
        }
        sockets = Path(tempfile.mkdtemp(prefix="pg"))
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
        }
        self.number += 1
        told = self.records / f"{self.host}-{self.number:03d}.log"
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.copies.folder / "hosts.yml")]
        command += ["--limit", self.host, "-e", json.dumps({**common, **variables}), str(PLAYBOOKS / playbook)]
        with told.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, text=True
            )
        return Controller(process, sockets, told)

    def hold(self, *places: str) -> None:
        """Have the next run held at these places."""
        flags = " ".join(f"/run/hold/{place}" for place in places)
        self.copies.sh(self.host, f"rm -rf /run/hold; mkdir -m 1777 /run/hold; touch {flags}")

    def release(self) -> None:
        """Let a held run go on."""
        self.copies.sh(self.host, "rm -f /run/hold/*")

    def wait_at(self, place: str, controller: Controller, seconds: float = 60) -> int:
        """Wait until the run is held at a place; return the number of the process, on the host, that waits."""
        pid = self.copies.podman("inspect", "--format", "{{.State.Pid}}", f"{self.copies.lab}-{self.host}").strip()
        file = Path(f"/proc/{pid}/root/run/hold/at-{place}")
        until = time.monotonic() + seconds
        while not file.exists():
            assert controller.process.poll() is None, f"ended before {place}:\n{controller.output[-2000:]}"
            assert time.monotonic() < until, f"never came to {place}:\n{controller.output[-2000:]}"
            time.sleep(0.05)
        return int(file.read_text())

    def settled(self) -> bool:
        """Wait until no guard is armed and the host is as before or wholly changed; False when time is over."""
        until = time.monotonic() + GUARD_SECONDS + SLACK_SECONDS
        while time.monotonic() < until:
            system, *guard = self.copies.sh(self.host, _STATES, check=False).split() or [""]
            unarmed = not {"active", "activating"} & set(guard)
            if system in ("running", "degraded") and unarmed and self.look() in (self.before, self.after):
                return True
            time.sleep(1)
        return False

    def reboot(self) -> None:
        """Cut the power and switch it on again."""
        container = f"{self.copies.lab}-{self.host}"
        self.copies.podman("kill", container)
        self.copies.podman("wait", container)
        self.copies.podman("start", container)

    def cut(self) -> None:
        """Take the host off the network."""
        self.copies.in_network_of(self.host, "ip", "link", "set", "eth0", "down")

    def mend(self) -> None:
        """Put the host back on the network."""
        self.copies.in_network_of(self.host, "ip", "link", "set", "eth0", "up")

    def can_log_in(self) -> str:
        """Return what keeps operators from logging in and becoming root; empty when nothing does.

        A network that has just come back gets some seconds, as an operator would give it.
        """
        until = time.monotonic() + SLACK_SECONDS
        while True:
            done = {user: self.copies.ssh(self.host, "sudo -n id -u", user=user) for user in ("ops", "rescue")}
            problem = "".join(f"{user}: {one.stdout}{one.stderr}" for user, one in done.items() if one.stdout != "0\n")
            if not problem or time.monotonic() > until:
                return problem
            time.sleep(1)


@dataclass(frozen=True)
class Point:
    """One accident.

    Args:
        accident: what happens, a function below.
        place: where the run is at that time; "second_way" is before the guard is armed.
        host: name of the copy.
        undone: whether the host must be as before; else it may also be wholly changed.
        told: whether the next run must say that something was taken back.
    """

    accident: Callable[[Target, Point], None]
    place: str
    host: str
    undone: bool = True
    told: bool = True

    @property
    def name(self) -> str:
        """A name for the test's report."""
        return f"{self.accident.__name__}-{self.place}-{self.host}"


def kill_controller(target: Target, point: Point) -> None:
    """SIGKILL to the whole controller; the host goes on alone."""
    with _held(target, point.place) as held:
        held.controller.kill()
        target.release()


def kill_controller_and_module(target: Target, point: Point) -> None:
    """SIGKILL to the controller and to what it runs on the host."""
    with _held(target, point.place) as held:
        held.controller.kill()
        target.copies.sh(target.host, f"kill -9 {held.waiting}; rm -f /run/hold/*")


def kill_module(target: Target, point: Point) -> None:
    """SIGKILL to what runs on the host; the controller lives and must not call it a success."""
    with _held(target, point.place) as held:
        target.copies.sh(target.host, f"kill -9 {held.waiting}; rm -f /run/hold/*")
        assert held.controller.end() != 0, held.controller.output[-2000:]


def lose_power(target: Target, point: Point) -> None:
    """The host stops at once and boots again; the controller is killed."""
    with _held(target, point.place) as held:
        held.controller.kill()
        target.reboot()


def cut_network(target: Target, point: Point) -> None:
    """No packet passes for longer than the guard's time; the host restores itself alone, the controller lives.

    The controller may begin anew as soon as it can, and then it may call only a whole and proven change a success.
    """
    with _held(target, point.place) as held:
        target.cut()
        try:
            target.release()
            assert target.settled() and target.look() == target.before, f"not restored:\n{_difference(target)}"
        finally:
            target.mend()
        good = held.controller.end() == 0
        target.said = held.controller.output
    assert target.settled() and good == (target.look() == target.after), (
        f"{good}\n{target.said[-2000:]}\n{_difference(target)}"
    )


def break_sshd(target: Target, point: Point) -> None:
    """Behind the role's back sshd is told to refuse everybody; its reload makes that true."""
    with _held(target, point.place) as held:
        target.copies.sh(target.host, "echo 'AllowUsers nobody' >>/etc/ssh/sshd_config; systemctl reload sshd.service")
        target.release()
        assert held.controller.end() != 0, held.controller.output[-2000:]
        assert "PS-E5005" in held.controller.output


def break_sshd_and_kill_controller(target: Target, point: Point) -> None:
    """The same, and the controller is killed before it can see it."""
    with _held(target, point.place) as held:
        target.copies.sh(target.host, "echo 'AllowUsers nobody' >>/etc/ssh/sshd_config; systemctl reload sshd.service")
        held.controller.kill()
        target.release()


def outlast_the_timer(target: Target, point: Point) -> None:
    """The run is slower than the guard allows; what it does after the restore must not stand."""
    with _held(target, point.place) as held:
        assert target.settled(), f"not restored while held:\n{target.look()}"
        target.release()
        assert held.controller.end() != 0, held.controller.output[-2000:]


def kill_at_random(target: Target, point: Point) -> None:
    """SIGKILL to the whole controller at a time that nobody chose."""
    target.hold("none")
    controller = target.start("change.yml")
    try:
        time.sleep(random.Random(point.place).uniform(0.5, target.seconds))
        controller.kill()
    finally:
        controller.close()


@dataclass
class _held:
    """A run that was started and is held at a place."""

    target: Target
    place: str
    controller: Controller = field(init=False)
    waiting: int = field(init=False)

    def __enter__(self) -> _held:
        variables: dict[str, Any] = {}
        places = (self.place,)
        if self.place == "second_way":
            argv = ["ssh", "-F", str(self.target.copies.state.ssh_config), "-l", "rescue", self.target.host]
            variables["guard_second_way"] = {"command": [*argv, "/usr/local/sbin/panshi-hold second_way"]}
        elif self.place == "disarm":
            # Operators' sessions are held only after the last probe, so that it is the disarming one.
            places = ("last",)
        self.target.hold(*places)
        self.controller = self.target.start("change.yml", **variables)
        try:
            self.waiting = self.target.wait_at(self.place, self.controller)
        except BaseException:
            self.controller.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.close()


def rehearse(target: Target) -> None:
    """Make the change once with no accident, keep what it looks like, and undo it."""
    target.hold("none")
    began = time.monotonic()
    _complete(target, "change.yml")
    target.seconds = time.monotonic() - began
    target.after = target.look()
    assert target.after != target.before
    undo(target)


def undo(target: Target) -> None:
    """Undo the last run of this host, as rollback.yml does."""
    (run,) = target.copies.sh(target.host, "ls /var/lib/panshi/ledger | sort | tail -n 1").split()
    _complete(target, "undo.yml", run=run)
    assert target.look() == target.before


def strike(target: Target, point: Point) -> str:
    """Make an accident and return what is wrong afterwards; empty when all is well and the host is as before."""
    target.said = ""
    point.accident(target, point)
    if not target.settled():
        return f"not restored:\n{_difference(target)}"
    if problem := target.can_log_in():
        return f"locked out: {problem}"
    changed = target.look() != target.before
    if changed and point.undone:
        return f"not as before:\n{_difference(target)}"
    target.said += _complete(target, "next.yml", guard_next=point.name)
    if point.told and "已恢复" not in target.said:
        return f"no later run says so:\n{target.said}"
    if changed:
        (run,) = target.copies.sh(target.host, "ls /var/lib/panshi/ledger | sort | tail -n 2 | head -n 1").split()
        _complete(target, "undo.yml", run=run)
        return "" if target.look() == target.before else f"not undone:\n{_difference(target)}"
    return ""


def _complete(target: Target, playbook: str, **variables: Any) -> str:
    controller = target.start(playbook, **variables)
    try:
        assert controller.end() == 0, f"{playbook} on {target.host}:\n{controller.output[-3000:]}"
        return controller.output
    finally:
        controller.close()


def _difference(target: Target) -> str:
    """Return how the host differs from the state before, and from the whole change."""
    now = target.look().splitlines()
    lines = []
    for name, wanted in (("before", target.before.splitlines()), ("after", target.after.splitlines())):
        lines += [f"not as {name}:", *(f"- {line}" for line in wanted if line not in now)]
        lines += [f"+ {line}" for line in now if line not in wanted]
    return "\n".join(lines)


def targets(copies: Copies, records: Path) -> Mapping[str, Target]:
    """Return the prepared hosts by name."""
    records.mkdir()
    return {host: Target(copies, host, records) for host in copies.addresses}
