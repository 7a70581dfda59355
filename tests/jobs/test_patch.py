"""The patch job on real hosts: planned, signed, in waves; what fails is taken back and stops the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from harden_run import Done, Operator
from lab_copies import ROOT, lab_copies
from package_source import FRAGILE, NAME, PORT, Source, package_source

from panshi.patch import digest, load_plan
from panshi.record import Run

pytestmark = [pytest.mark.lab]
HOSTS = ("web1", "web2", "web3", "web4")
WAVES = [["web1"], ["web2", "web3"], ["web4"]]
# What a host that is about to be lost does in this moment.
DRAIN = "touch /run/drained; test ! -e /root/lost || pkill -x sshd"
PREPARE = """
set -e
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] {url} ./' >/etc/apt/sources.list
apt-get -q update
apt-get -q -y install {name}
"""


@dataclass(frozen=True)
class Fleet:
    """Four hosts, two of them of one redundancy group, with one service from a source that the test controls."""

    operator: Operator
    source: Source
    plans: Path

    def versions(self) -> dict[str, str]:
        """Return what is installed on each host."""
        ask = f"dpkg-query -W -f '${{Version}}' {NAME}"
        return {host: self.operator.copies.sh(host, ask) for host in HOSTS}

    def served(self) -> dict[str, str]:
        """Return what the service on each host says."""
        ask = f"python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:{PORT}/version\").read().decode())'"
        return {host: self.operator.copies.sh(host, ask, check=False).strip() for host in HOSTS}

    def drained(self) -> set[str]:
        """Return the hosts that the load balancer has been told to leave out."""
        return {host for host in HOSTS if self.operator.copies.sh(host, "ls /run/drained", check=False).strip()}

    def plan(self) -> tuple[Path, str]:
        """Make a plan and return it with the digest that is signed."""
        known = set(self.plans.rglob("*.yml"))
        done = self.operator.play("patch_plan.yml", limit=HOSTS, patch_plans=str(self.plans))
        assert done.status == 0, done.out[-3000:]
        (path,) = set(self.plans.rglob("*.yml")) - known
        return path, digest(load_plan(path).document)

    def apply(self, path: Path, sha256: str) -> Done:
        """Carry a plan out."""
        return self.operator.play("patch_apply.yml", plan=str(path), plan_sha256=sha256)

    def upgrades(self, old: str, new: str) -> dict[str, int]:
        """Return how often dpkg has brought each host from one version to another."""
        count = f"grep -c ' upgrade {NAME}:all {old} {new}$' /var/log/dpkg.log"
        return {host: int(self.operator.copies.sh(host, count, check=False)) for host in HOSTS}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("patch")
    hosts = dict.fromkeys(HOSTS, "deb12")
    with (
        lab_copies(folder / "estate", "panshi-lab-patch", "198.51.100.192/27", hosts) as copies,
        package_source(folder / "source", copies.gateway) as source,
    ):
        source.publish("1.0")
        copies.variables(
            guard_second_way={"user": "rescue", "key": str(copies.state.key)},
            patch_group="{{ 'pair' if inventory_hostname in ['web1', 'web2'] else '' }}",
            patch_host_probes=[{"url": f"http://{{{{ ansible_host }}}}:{PORT}/version"}, {"unit": f"{NAME}.service"}],
            patch_host_probe_retries=3,
            patch_host_probe_delay_seconds=1,
            patch_host_drain=[{"argv": ["sh", "-c", DRAIN]}],
            patch_host_undrain=[{"argv": ["rm", "-f", "/run/drained"]}],
            patch_host_drain_seconds=0,
        )
        for host in HOSTS:
            copies.sh(host, PREPARE.format(url=source.url, name=NAME))
        yield Fleet(Operator(copies, folder / "records"), source, folder / "plans")


def all_at(version: str) -> dict[str, str]:
    return dict.fromkeys(HOSTS, version)


def test_real_plan_says_what_each_host_gets_and_changes_nothing(fleet: Fleet) -> None:
    fleet.source.publish("1.1")
    path, _ = fleet.plan()
    plan = load_plan(path)
    packages = {
        name: [(one["name"], one["from"], one["to"]) for one in host["packages"]] for name, host in plan.hosts.items()
    }
    assert packages == dict.fromkeys(HOSTS, [(NAME, "1.0", "1.1")])
    assert plan.waves == WAVES
    assert path.with_suffix(".xlsx").is_file()
    assert fleet.versions() == all_at("1.0")


def test_real_plan_that_was_changed_after_the_signature_is_refused(fleet: Fleet) -> None:
    path, sha256 = fleet.plan()
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["hosts"]["web1"]["packages"][0]["to"] = "9.9"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = fleet.apply(path, sha256)
    assert done.status != 0 and "PS-E6103" in done.out
    assert fleet.versions() == all_at("1.0")


def test_real_plan_is_carried_out_once(fleet: Fleet) -> None:
    path, sha256 = fleet.plan()
    done = fleet.apply(path, sha256)
    assert done.status == 0, done.out[-3000:]
    assert (fleet.versions(), fleet.served(), fleet.drained()) == (all_at("1.1"), all_at("1.1"), set())
    (run,) = done.runs("patch_apply")
    changed = {(row.host, row.before, row.after) for row in run.changes if row.resource == f"package:{NAME}"}
    assert changed == {(host, "1.0", "1.1") for host in HOSTS}
    again = fleet.apply(path, sha256)
    assert again.status == 0, again.out[-3000:]
    assert fleet.upgrades("1.0", "1.1") == dict.fromkeys(HOSTS, 1)


def test_real_version_that_breaks_the_service_stops_at_the_canary_and_is_taken_back(fleet: Fleet) -> None:
    fleet.source.publish("1.2", broken=True)
    path, sha256 = fleet.plan()
    fleet.source.withdraw("1.1")
    done = fleet.apply(path, sha256)
    assert done.status != 0
    assert "PS-E6108" in done.out, done.out[-3000:]
    assert (fleet.versions(), fleet.served(), fleet.drained()) == (all_at("1.1"), all_at("1.1"), set())
    assert fleet.upgrades("1.1", "1.2") == {**dict.fromkeys(HOSTS, 0), "web1": 1}
    (run,) = done.runs("patch_apply")
    assert events(run, "web1") == ["begun", "drained", "installed", "returned", "failed", "undrained"]
    assert {row.host for row in run.patches} == {"web1"} and run.signed and run.signed.sha256 == sha256


def killed_when(fleet: Fleet, path: Path, sha256: str, reached: Callable[[], bool]) -> None:
    """Start carrying a plan out, and kill the controller with all its children once something is reached."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(fleet.operator.copies.folder)]
    command += ["playbooks/patch_apply.yml", "-e", f"plan={path}", "-e", f"plan_sha256={sha256}"]
    command += ["-e", f"panshi_records={fleet.operator.records}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        until = time.monotonic() + 180
        while not reached():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)


def events(run: Run, host: str) -> list[str]:
    """Return what the record says of a host, in its order."""
    return [row.event for row in run.patches if row.host == host]


def test_real_run_whose_controller_is_killed_goes_on_where_it_stopped(fleet: Fleet) -> None:
    fleet.source.withdraw("1.2")
    fleet.source.publish("1.3")
    path, sha256 = fleet.plan()
    second = WAVES[1][0]
    killed_when(fleet, path, sha256, lambda: second in fleet.drained())
    assert second in fleet.drained()
    done = fleet.apply(path, sha256)
    assert done.status == 0, done.out[-3000:]
    assert (fleet.versions(), fleet.served(), fleet.drained()) == (all_at("1.3"), all_at("1.3"), set())
    assert fleet.upgrades("1.1", "1.3") == dict.fromkeys(HOSTS, 1)


def test_real_host_that_was_installed_and_not_proven_is_proven_by_the_next_start_or_taken_back(fleet: Fleet) -> None:
    fleet.source.publish("1.4", broken=True)
    path, sha256 = fleet.plan()
    written = "*/patch_apply/*/run.jsonl"
    known = set(fleet.operator.records.glob(written))

    def installed() -> bool:
        return any(
            '"event":"installed"' in run.read_text() for run in set(fleet.operator.records.glob(written)) - known
        )

    killed_when(fleet, path, sha256, installed)
    assert fleet.versions() == {**all_at("1.3"), "web1": "1.4"}
    done = fleet.apply(path, sha256)
    assert done.status != 0 and "PS-E6108" in done.out, done.out[-3000:]
    assert (fleet.versions(), fleet.served(), fleet.drained()) == (all_at("1.3"), all_at("1.3"), set())
    (run,) = done.runs("patch_apply")
    assert events(run, "web1")[:1] == ["resumed"] and "returned" in events(run, "web1")


@pytest.mark.long
def test_real_failure_in_a_wave_lets_the_others_of_it_come_to_their_end(fleet: Fleet) -> None:
    fleet.source.withdraw("1.4")
    fleet.source.publish("1.5", fragile=True)
    fleet.operator.copies.sh("web2", f"touch {FRAGILE}")
    path, sha256 = fleet.plan()
    done = fleet.apply(path, sha256)
    fleet.operator.copies.sh("web2", f"rm {FRAGILE}")
    assert done.status != 0 and "PS-E6108" in done.out, done.out[-3000:]
    assert fleet.versions() == {"web1": "1.5", "web2": "1.3", "web3": "1.5", "web4": "1.3"}
    assert (fleet.served(), fleet.drained()) == (fleet.versions(), set())
    again = fleet.apply(path, sha256)
    assert again.status == 0, again.out[-3000:]
    assert (fleet.versions(), fleet.drained()) == (all_at("1.5"), set())


@pytest.mark.long
def test_real_host_that_is_lost_in_a_wave_makes_it_the_last(fleet: Fleet) -> None:
    fleet.source.publish("1.6")
    path, sha256 = fleet.plan()
    fleet.operator.copies.sh("web3", "touch /root/lost")
    done = fleet.apply(path, sha256)
    fleet.operator.copies.sh("web3", "rm /root/lost; systemctl restart ssh")
    assert done.status != 0 and "PS-E6113" in done.out, done.out[-3000:]
    assert fleet.versions() == {"web1": "1.6", "web2": "1.6", "web3": "1.5", "web4": "1.5"}
    assert fleet.drained() == {"web3"}
    again = fleet.apply(path, sha256)
    assert again.status == 0, again.out[-3000:]
    assert (fleet.versions(), fleet.drained()) == (all_at("1.6"), set())


def test_real_run_without_a_host_of_its_plan_is_refused(fleet: Fleet) -> None:
    fleet.source.publish("1.7")
    before = fleet.versions()
    path, sha256 = fleet.plan()
    done = fleet.operator.play("patch_apply.yml", limit=["web1"], plan=str(path), plan_sha256=sha256)
    assert done.status != 0 and "PS-E6111" in done.out
    assert fleet.versions() == before


@pytest.mark.long
def test_real_version_that_makes_the_baseline_worse_stops_before_the_next_wave(fleet: Fleet) -> None:
    before = fleet.versions()
    fleet.source.publish("1.8", also="chmod 0644 /etc/shadow")
    path, sha256 = fleet.plan()
    done = fleet.apply(path, sha256)
    fleet.operator.copies.sh("web1", "chmod 0640 /etc/shadow")
    assert done.status != 0 and "PS-E6114" in done.out, done.out[-3000:]
    assert fleet.versions() == {**before, "web1": "1.8"}
