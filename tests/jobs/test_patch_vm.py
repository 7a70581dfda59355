"""A kernel update with its reboot, on machines that have their own kernel and their own boot loader.

The machines are emulated processors: seconds there say nothing about speed.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harden_run import Done, Operator
from lab_copies import lab_copies
from package_source import NAME, PORT, Source, package_source

from panshi.patch import Plan, digest, load_plan
from panshi.record import Run

pytestmark = [pytest.mark.lab, pytest.mark.vm]
# Two machines as the installation medium leaves them, with all fixes since pending; and a container for the wave after.
GOOD, LOST, NEXT = "kern", "lost", "next"
META = "linux-image-cloud-amd64"
# An emulated machine on a busy host takes up to 100 seconds from shutdown to login.
REBOOT_SECONDS = 240
LOST_SECONDS = 90
SOURCE = """
set -e
echo 'deb [trusted=yes] {url} ./' >/etc/apt/sources.list.d/demo.list
apt-get -q update
apt-get -q -y install {name}
"""
ALONE = "rm -f /etc/apt/sources.list"
# Drivers of this machine alone: an emulated processor takes minutes to collect all others.
SMALL = "echo MODULES=dep >/etc/initramfs-tools/conf.d/small"
# What waits for the next start: all is well as long as the machine runs; then it cannot be reached for a while.
SILENT_SECONDS = 300
SILENT = f"""
cat >/etc/systemd/system/silent.service <<'UNIT'
[Unit]
After=networking.service
Before=ssh.service
[Service]
ExecStartPre=/sbin/ip link set eth0 down
ExecStart=/bin/sh -c 'sleep {SILENT_SECONDS}; ip link set eth0 up'
[Install]
WantedBy=multi-user.target
UNIT
systemctl -q enable silent.service
"""
SERVICES = "systemctl list-units --type=service --state=running --plain --no-legend --no-pager"


@dataclass(frozen=True)
class Machines:
    """Two virtual machines with an old kernel, a container, and a service on each from a source of the test's own."""

    operator: Operator
    source: Source
    plans: Path

    def sh(self, host: str, script: str, check: bool = True) -> str:
        """Run a script as root."""
        return self.operator.copies.sh(host, script, check=check).strip()

    def boot(self, host: str) -> tuple[str, str, str]:
        """Return what a start of a machine is known by: boot id, kernel, its version."""
        script = "cat /proc/sys/kernel/random/boot_id; uname -r; uname -v"
        boot_id, release, build = self.sh(host, script).splitlines()
        return boot_id, release, build

    def services(self, host: str) -> set[str]:
        """Return the services that run, except those of sessions."""
        rows = self.sh(host, SERVICES).splitlines()
        return {row.split()[0] for row in rows if not row.startswith(("user", "session"))}

    def installed(self, host: str) -> dict[str, str]:
        """Return the version of every package that is installed, by its name."""
        rows = self.sh(host, "dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n'").splitlines()
        return dict(row.split()[1:] for row in rows if row.startswith("installed "))

    def version(self, host: str) -> str:
        """Return which version of the service is installed."""
        return self.sh(host, f"dpkg-query -W -f '${{Version}}' {NAME}")

    def wait(self, host: str, boot_id: str) -> None:
        """Wait until a machine that has been started anew can be reached."""
        until = time.monotonic() + SILENT_SECONDS + REBOOT_SECONDS
        ask = "cat /proc/sys/kernel/random/boot_id"
        while (done := self.operator.copies.ssh(host, ask, seconds=60)).returncode or done.stdout.strip() == boot_id:
            assert time.monotonic() < until, f"{host} cannot be reached"
            time.sleep(5)

    def plan(self, *hosts: str, **variables: object) -> Plan:
        """Make a plan."""
        known = set(self.plans.rglob("*.yml"))
        done = self.operator.play("patch_plan.yml", limit=hosts, patch_plans=str(self.plans), **variables)
        assert done.status == 0, done.out[-3000:]
        (path,) = set(self.plans.rglob("*.yml")) - known
        return load_plan(path)

    def apply(self, plan: Plan, **variables: object) -> Done:
        """Carry a plan out with its signature."""
        signed = digest(plan.document)
        return self.operator.play("patch_apply.yml", plan=str(plan.path), plan_sha256=signed, **variables)


@dataclass(frozen=True)
class Patched:
    """The run that brought a machine to its new kernel."""

    plan: Plan
    before: tuple[str, str, str]
    services: set[str]
    done: Done

    @property
    def run(self) -> Run:
        """Its record."""
        (run,) = self.done.runs("patch_apply")
        return run

    @property
    def kernel(self) -> str:
        """The release that the plan names."""
        (name,) = (one["name"] for one in self.plan.hosts[GOOD]["packages"] if one["kernel"] and one["name"] != META)
        return str(name).removeprefix("linux-image-")


def events(run: Run, host: str) -> list[str]:
    """Return what the record says of a host, in order."""
    return [row.event for row in run.patches if row.host == host]


def moment(run: Run, host: str, event: str) -> dt.datetime:
    """Return when an event of a host was recorded last."""
    return dt.datetime.fromisoformat([row.time for row in run.patches if (row.host, row.event) == (host, event)][-1])


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("kernel")
    hosts = {GOOD: "vm12", LOST: "vm12", NEXT: "deb12"}
    with (
        lab_copies(
            folder / "estate", "panshi-lab-kern", "198.51.100.160/27", hosts, images={"vm12": {"updates": False}}
        ) as copies,
        package_source(folder / "source", copies.gateway) as source,
    ):
        source.publish("1.0")
        copies.variables(
            guard_second_way={"user": "rescue", "key": str(copies.state.key)},
            patch_host_probes=[{"unit": f"{NAME}.service"}, {"port": PORT}],
            patch_host_reboot_seconds=REBOOT_SECONDS,
            panshi_audit_timeout=300,
        )
        for host in (GOOD, LOST):
            copies.sh(host, SMALL)
        copies.sh(NEXT, ALONE)
        for host in hosts:
            copies.sh(host, SOURCE.format(url=source.url, name=NAME))
        source.publish("1.1")
        yield Machines(Operator(copies, folder / "records"), source, folder / "plans")


@pytest.fixture(scope="module")
def patched(machines: Machines) -> Patched:
    plan = machines.plan(GOOD)
    before, services = machines.boot(GOOD), machines.services(GOOD)
    return Patched(plan, before, services, machines.apply(plan))


def test_real_plan_names_the_kernel_the_reboot_and_that_it_stays(patched: Patched) -> None:
    host = patched.plan.hosts[GOOD]
    (to,) = {one["to"] for one in host["packages"] if one["kernel"]}
    assert f"linux-image-{patched.kernel} {to}" in host["reboot"]
    assert any("内核" in line for line in host["not_reversible"])
    assert patched.kernel != patched.before[1]


def test_real_kernel_is_updated_with_one_reboot_and_services_are_back(machines: Machines, patched: Patched) -> None:
    assert patched.done.status == 0, patched.done.out[-3000:]
    boot_id, release, build = machines.boot(GOOD)
    assert boot_id != patched.before[0]
    assert machines.sh(GOOD, "last -x reboot | grep -c '^reboot'") == "2"
    (to,) = {one["to"] for one in patched.plan.hosts[GOOD]["packages"] if one["kernel"]}
    assert (release, f"Debian {to} " in build) == (patched.kernel, True)
    assert machines.sh(GOOD, "systemctl list-units --failed --plain --no-legend --no-pager") == ""
    assert patched.services - machines.services(GOOD) == set()
    installed = machines.installed(GOOD)
    planned = {one["name"]: one["to"] for one in patched.plan.hosts[GOOD]["packages"]}
    assert {name: installed[name] for name in planned} == planned


def test_real_record_has_the_reboot_and_the_kernel(patched: Patched) -> None:
    assert events(patched.run, GOOD) == ["begun", "installed", "rebooted", "probed", "done"]
    (row,) = (row for row in patched.run.patches if row.event == "rebooted")
    assert row.detail == patched.kernel


def test_real_second_apply_changes_nothing_and_does_not_reboot(machines: Machines, patched: Patched) -> None:
    before = machines.boot(GOOD)
    again = machines.apply(patched.plan, patch_audit=False)
    assert again.status == 0, again.out[-3000:]
    assert machines.boot(GOOD) == before
    (run,) = again.runs("patch_apply")
    assert (run.changes, events(run, GOOD)) == ([], [])


def test_real_rollback_brings_the_old_kernel_back_with_the_next_start(machines: Machines, patched: Patched) -> None:
    done = machines.operator.play("rollback.yml", limit=[GOOD], run=patched.run.begin.run)
    assert done.status == 0, done.out[-3000:]
    before = {one["name"]: one["from"] for one in patched.plan.hosts[GOOD]["packages"] if one["from"]}
    installed = machines.installed(GOOD)
    assert {name: installed[name] for name in before} == before
    assert f"linux-image-{patched.kernel}" not in installed
    boot_id = machines.boot(GOOD)[0]
    machines.sh(GOOD, "systemctl reboot", check=False)
    machines.wait(GOOD, boot_id)
    assert machines.boot(GOOD)[1:] == patched.before[1:]
    assert machines.sh(GOOD, "systemctl list-units --failed --plain --no-legend --no-pager") == ""


@dataclass(frozen=True)
class Stopped:
    """The run that has lost a machine."""

    plan: Plan
    boot_id: str
    done: Done


@pytest.fixture(scope="module")
def stopped(machines: Machines) -> Stopped:
    plan = machines.plan(LOST, NEXT, patch_only=[META, NAME])
    boot_id = machines.boot(LOST)[0]
    machines.sh(LOST, SILENT)
    return Stopped(plan, boot_id, machines.apply(plan, patch_host_reboot_seconds=LOST_SECONDS, patch_audit=False))


def test_real_machine_that_does_not_come_back_is_reported_in_time_and_stops_the_waves(
    machines: Machines, stopped: Stopped
) -> None:
    assert stopped.plan.waves == [[LOST], [NEXT]]
    assert stopped.done.status != 0
    (run,) = stopped.done.runs("patch_apply")
    *_, last = (row for row in run.patches if row.host == LOST)
    assert last.event == "failed" and last.detail.startswith(f"[PS-E6112] {LOST}（第 1 批）"), last.detail
    assert "控制台" in last.detail and last.detail in stopped.done.out
    waited = moment(run, LOST, "failed") - moment(run, LOST, "installed")
    assert waited.total_seconds() < 2 * LOST_SECONDS + 60
    assert (events(run, NEXT), machines.version(NEXT)) == ([], "1.0")


def test_real_run_goes_on_when_the_machine_is_back(machines: Machines, stopped: Stopped) -> None:
    machines.wait(LOST, stopped.boot_id)
    before = machines.boot(LOST)
    done = machines.apply(stopped.plan, patch_audit=False)
    assert done.status == 0, done.out[-3000:]
    assert machines.boot(LOST) == before
    (run,) = done.runs("patch_apply")
    assert events(run, LOST) == ["resumed", "probed", "done"]
    assert (machines.version(LOST), machines.version(NEXT)) == ("1.1", "1.1")
