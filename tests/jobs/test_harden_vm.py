"""What only a machine with its own kernel can show: PAM against real logins, the audit system, a reboot.

The machine is an emulated processor: seconds there say nothing about speed.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harden_run import Done, Operator, like_the_lab, settings
from lab_copies import ROOT, lab_copies

from panshi.harden import load_coverage
from panshi.verdict import Status

pytestmark = [pytest.mark.lab, pytest.mark.vm]
VM = "vm"
GOOD, NEW, WEAK, WRONG = "Correct-Horse-7-Staple", "Battery*Staple_9_Horse", "password1", "Wrong-Guess-1"
IDLE_SECONDS, LOCK_SECONDS, FAILURES = 60, 600, 5
TERMINAL = (ROOT / "molecule" / "shared" / "files" / "change_password.py").read_text(encoding="utf-8")
# Set as a hash: the history would refuse a password that the person has had before.
PERSON = f"""
set -e
id person >/dev/null 2>&1 || useradd -m -s /bin/bash -c 'invented person' person
usermod -p "$(perl -e 'print crypt("{GOOD}", "\\$6\\$panshi")')" person
chage -d "$(date -d '10 days ago' +%F)" person
faillock --user person --reset
"""


@dataclass(frozen=True)
class Machine:
    """A hardened virtual machine, its state before that, and the run that hardened it."""

    operator: Operator
    before: set[str]
    first: Done

    def sh(self, script: str, check: bool = True) -> str:
        """Run a script as root."""
        return self.operator.copies.sh(VM, script, check=check)

    def password_login(self, password: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Log in as person with a password, once, over SSH."""
        ask = folder / "ask"
        ask.write_text(f"#!/bin/sh\necho '{password}'\n")
        ask.chmod(0o700)
        options = ["-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", "-o", "ControlPath=none"]
        command = ["ssh", "-F", str(self.operator.copies.state.ssh_config), *options, "-l", "person", VM, "id -un"]
        environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
        return subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )

    def change_password(self, *answers: str) -> str:
        """Answer passwd as person, at a terminal, and return what it said."""
        return self.sh(shlex.join(["python3", "-c", TERMINAL, "person", *answers]))

    def services(self) -> set[str]:
        """Return the services that run or have run to their end, except those of sessions."""
        listed = self.sh("systemctl list-units --type=service --state=active --plain --no-legend --no-pager")
        return {line.split()[0] for line in listed.splitlines() if not line.startswith(("user", "session"))}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp(VM)
    hosts = {VM: "vm12", "hub12": "hub12"}
    with lab_copies(folder / "estate", "panshi-lab-vm", "203.0.113.224/27", hosts) as copies:
        like_the_lab(copies, harden_opt_in=["all"], mlps_session_idle_seconds=IDLE_SECONDS)
        waivers = copies.folder / "waivers.yml"
        waivers.write_text(waivers.read_text(encoding="utf-8").replace("vm12", VM), encoding="utf-8")
        operator = Operator(copies, folder / "records")
        before = operator.state(VM)
        yield Machine(operator, before, operator.play("harden.yml", limit=[VM]))


@pytest.fixture(scope="module")
def restarted(machine: Machine) -> set[str]:
    """Restart the machine, and return the services that ran before."""
    before = machine.services()
    boot = machine.sh("cat /proc/sys/kernel/random/boot_id")
    machine.sh("systemctl reboot", check=False)
    until = time.monotonic() + 240
    while time.monotonic() < until:
        done = machine.operator.copies.ssh(VM, "cat /proc/sys/kernel/random/boot_id", user="rescue", seconds=15)
        if done.returncode == 0 and done.stdout != boot:
            machine.sh("systemctl is-system-running --wait", check=False)
            return before
        time.sleep(2)
    raise AssertionError("the machine did not come back")


def test_real_machine_is_hardened(machine: Machine) -> None:
    assert machine.first.status == 0, machine.first.out[-3000:]


def test_real_five_bad_passwords_lock_and_time_unlocks(machine: Machine, tmp_path: Path) -> None:
    machine.sh(PERSON)
    assert machine.password_login(GOOD, tmp_path).stdout == "person\n"
    assert [machine.password_login(WRONG, tmp_path).returncode for _ in range(FAILURES)] == [255] * FAILURES
    assert machine.password_login(GOOD, tmp_path).returncode == 255
    assert machine.sh("faillock --user person").count(" V") >= FAILURES
    # Ten minutes pass at once: the clock is set forward, and back by the time service afterwards.
    machine.sh(f"systemctl stop chrony; date -s '+{LOCK_SECONDS + 5} seconds'")
    try:
        assert machine.password_login(GOOD, tmp_path).stdout == "person\n"
    finally:
        machine.sh(f"date -s '-{LOCK_SECONDS + 5} seconds'; systemctl start chrony")


def test_real_weak_password_is_refused_and_a_good_one_taken(machine: Machine) -> None:
    machine.sh(PERSON)
    before = machine.sh("getent shadow person")
    weak = machine.change_password(GOOD, WEAK, WEAK)
    assert "BAD PASSWORD" in weak and "status 0" not in weak
    assert machine.sh("getent shadow person") == before
    assert "status 0" in machine.change_password(GOOD, NEW, NEW)
    assert machine.sh("getent shadow person") != before


def test_real_old_password_must_be_changed_at_login(machine: Machine) -> None:
    machine.sh(PERSON)
    machine.sh("mkdir -p ~person/.ssh; cp ~ops/.ssh/authorized_keys ~person/.ssh; chown -R person: ~person/.ssh")
    assert machine.operator.copies.ssh(VM, "id -un", user="person").stdout == "person\n"
    machine.sh("chage -d \"$(date -d '100 days ago' +%F)\" -M 90 person")
    done = machine.operator.copies.ssh(VM, "id -un", user="person")
    assert done.stdout == "" and "expired" in done.stderr


def test_real_new_people_get_ageing_and_service_accounts_do_not(machine: Machine) -> None:
    machine.sh("userdel -r fresh 2>/dev/null; useradd -m fresh", check=False)
    assert machine.sh("getent shadow fresh").split(":")[4] == "90"
    services = machine.sh("getent shadow | grep -E '^(daemon|www-data|sshd):' | cut -d: -f5").split()
    assert "90" not in services


def test_real_change_of_passwd_is_audited(machine: Machine) -> None:
    machine.sh("touch /run/since; usermod -c audited person")
    found = machine.sh("ausearch --start recent --file /etc/passwd --interpret --input-logs")
    assert "comm=usermod" in found and "key=" in found


def test_real_idle_session_is_closed(machine: Machine) -> None:
    command = ["ssh", "-tt", "-F", str(machine.operator.copies.state.ssh_config), "-o", "ControlPath=none", VM]
    began = time.monotonic()
    # An operator who types nothing: the terminal stays open.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        watchdog = threading.Timer(IDLE_SECONDS + 120, process.kill)
        watchdog.start()
        assert process.stdout is not None
        out = process.stdout.read()
        watchdog.cancel()
    assert time.monotonic() - began >= IDLE_SECONDS - 5
    assert "timed out waiting for input" in out


def test_real_services_are_back_after_a_restart(machine: Machine, restarted: set[str]) -> None:
    failed = machine.sh("systemctl list-units --failed --plain --no-legend --no-pager")
    assert failed == ""
    assert restarted - machine.services() == set()


def test_real_audit_passes_after_a_restart(machine: Machine, restarted: set[str]) -> None:
    records = str(machine.operator.records)
    done = machine.operator.play("audit.yml", limit=[VM], panshi_audit_records=records, panshi_audit_timeout=180)
    (run,) = done.runs("audit")
    good = {Status.PASS, Status.NOT_APPLICABLE, Status.WAIVED}
    left = [row for row in run.verdicts if row.mode == "auto" and row.status not in good]
    elsewhere = load_coverage().elsewhere
    assert [f"{row.check}: {row.observed} {row.reason}" for row in left if row.check not in elsewhere] == []
    values = machine.sh("sysctl -n net.ipv4.conf.all.send_redirects kernel.dmesg_restrict").split()
    assert values == ["0", "1"]


def test_real_rollback_brings_the_machine_back(machine: Machine, restarted: set[str]) -> None:
    # The people that these tests have made, and what the password history has kept of them.
    machine.sh("for name in person fresh; do userdel -r $name; done; rm -f /etc/security/opasswd.old", check=False)
    machine.sh("sed -i '/^person:/d' /etc/security/opasswd")
    (run,) = machine.first.runs("harden")
    done = machine.operator.play("rollback.yml", limit=[VM], run=run.begin.run)
    assert done.status == 0, done.out[-3000:]
    before, after = settings(machine.before), settings(machine.operator.state(VM))
    different = [f"{line} (before)" for line in before - after] + [f"{line} (after)" for line in after - before]
    assert "\n".join(sorted(different)) == ""
