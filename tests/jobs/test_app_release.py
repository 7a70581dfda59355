"""Releases of an unpacked product on real hosts: switched whole or not at all, proven, taken back; a library replaced.

There is no JVM on the hosts: a process that has the application's archive open stands for one (emulated).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from harden_run import Done, Operator
from lab_copies import ROOT, lab_copies
from products import NAME, PORT, UNIT, Packed, pack

pytestmark = [pytest.mark.lab]
HOSTS = ("app1", "app2")
PLACE = f"/opt/{NAME}"
NOTICE = {
    "id": "N-2",
    "received": "2026-11-21 09:00",
    "jars": [{"product": "log4j-core", "affected": ">=2.0-beta9,<2.17.1", "fixed": "2.17.1"}],
}
# For as long as a service that has just been started takes to listen.
SERVED = f"""
import time, urllib.request
for _ in range(100):
    try:
        print(urllib.request.urlopen('http://127.0.0.1:{PORT}/version', timeout=5).read().decode())
        break
    except OSError:
        time.sleep(0.2)
"""


@dataclass(frozen=True)
class Fleet:
    """Two hosts of one redundancy group that serve one product."""

    operator: Operator
    folder: Path

    def release(self, packed: Packed, **variables: Any) -> Done:
        """Bring the product to a version."""
        return self.operator.play("app_release.yml", **packed.variables, **variables)

    def killed(self, packed: Packed, when: Callable[[], bool], **variables: Any) -> None:
        """Begin to bring the product to a version, and kill the controller as soon as something is so."""
        extra = {"panshi_records": str(self.operator.records), **packed.variables, **variables}
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.operator.copies.folder)]
        command += ["playbooks/app_release.yml", "-e", json.dumps(extra)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **quiet) as process:
            until = time.monotonic() + 120
            while not when():
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGKILL)

    def runs(self) -> list[str]:
        """Return the releases' run ids, newest first; also of those that were killed."""
        return sorted((path.name for path in self.operator.records.glob("*/app_release/*")), reverse=True)

    def notice(self, **variables: Any) -> Done:
        """Ask who is affected."""
        return self.operator.play("patch_notice.yml", notice=str(self.folder / "notice.yml"), **variables)

    def sh(self, script: str, hosts: tuple[str, ...] = HOSTS) -> dict[str, str]:
        """Run a script on each host."""
        return {host: self.operator.copies.sh(host, script, check=False).strip() for host in hosts}

    def mount_small(self, host: str, path: str, options: str) -> None:
        """Mount a file system that is soon full; a host may not do so itself."""
        copies = self.operator.copies
        copies.sh(host, f"mkdir -p {path}")
        pid = copies.podman("inspect", "--format", "{{.State.Pid}}", f"{copies.lab}-{host}").strip()
        command = ["nsenter", "--target", pid, "--mount", "mount", "-t", "tmpfs", "-o", options, "tmpfs", path]
        subprocess.run(command, check=True, capture_output=True, timeout=30)

    def linked(self) -> dict[str, str]:
        """Return where ``current`` leads on each host."""
        return self.sh(f"readlink {PLACE}/current")

    def served(self) -> dict[str, str]:
        """Return what the service on each host says."""
        return self.sh(f'python3 -c "{SERVED}"')

    def drained(self) -> set[str]:
        """Return the hosts that the load balancer has been told to leave out."""
        return {host for host, told in self.sh("ls /run/drained").items() if told}

    def state(self) -> dict[str, str]:
        """Return everything below the product's folder, with the service's process."""
        script = f"find {PLACE} -printf '%p %l %T@\\n' | grep -v /logs | sort; systemctl show -p MainPID {NAME}"
        return self.sh(script)


def at(version: str) -> tuple[dict[str, str], dict[str, str], set[str]]:
    return dict.fromkeys(HOSTS, f"releases/{version}"), dict.fromkeys(HOSTS, version), set()


def seen(fleet: Fleet) -> tuple[dict[str, str], dict[str, str], set[str]]:
    return fleet.linked(), fleet.served(), fleet.drained()


def affected(done: Done) -> set[tuple[str, str, str, bool]]:
    (run,) = done.runs("patch_notice")
    rows = [row for row in run.findings if row.state == "affected"]
    return {(row.host, row.version, row.where, bool(row.running)) for row in rows}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("release")
    with lab_copies(folder / "estate", "panshi-lab-rel", "198.51.100.192/27", dict.fromkeys(HOSTS, "deb12")) as copies:
        copies.variables(
            guard_second_way={"user": "rescue", "key": str(copies.state.key)},
            patch_group="shop",
            app_release_name=NAME,
            app_release_strip=1,
            app_release_shared=[{"path": "logs", "mode": "0750"}],
            app_release_unit=f"{NAME}.service",
            app_release_probes=[
                {"unit": f"{NAME}.service"},
                {
                    "url": f"http://{{{{ ansible_host }}}}:{PORT}/version",
                    "contains": "{{ app_release_probed_version }}",
                },
            ],
            app_release_probe_retries=3,
            app_release_probe_delay_seconds=1,
            app_release_drain=[{"argv": ["touch", "/run/drained"]}],
            app_release_undrain=[{"argv": ["rm", "-f", "/run/drained"]}],
            app_release_drain_seconds=0,
            notice_roots=["/opt"],
        )
        (folder / f"{NAME}.service").write_text(UNIT, encoding="utf-8")
        (folder / "notice.yml").write_text(yaml.safe_dump(NOTICE), encoding="utf-8")
        for host in HOSTS:
            unit = f"/etc/systemd/system/{NAME}.service"
            copies.podman("cp", str(folder / f"{NAME}.service"), f"{copies.lab}-{host}:{unit}")
            copies.sh(host, "systemctl daemon-reload")
        yield Fleet(Operator(copies, folder / "records"), folder)


def test_real_disk_that_gets_full_while_unpacking_switches_nothing(fleet: Fleet) -> None:
    fleet.mount_small("app1", "/mnt/small", "size=64m,nr_inodes=60")
    small = {"app_release_root": "/mnt/small/shop", "app_release_unit": "", "app_release_probes": []}
    packed = pack(fleet.folder, "2.0", log4j="2.17.1", files=100)
    done = fleet.release(packed, limit=HOSTS[:1], **small)
    assert done.status != 0 and "[PS-E6505] 磁盘或索引节点用尽" in done.out, done.out[-3000:]
    assert fleet.sh("find /mnt/small/shop -mindepth 1")["app1"] == "/mnt/small/shop/releases"


def test_real_first_release_runs(fleet: Fleet) -> None:
    packed = pack(fleet.folder, "1.0", log4j="2.14.1")
    done = fleet.release(packed)
    assert done.status == 0, done.out[-3000:]
    assert seen(fleet) == at("1.0")


def test_emulated_jvm_with_an_affected_library_is_found_and_decoys_are_not(fleet: Fleet) -> None:
    done = fleet.notice(none_left=True)
    assert done.status != 0 and "[PS-E6203] 通知 N-2：仍受影响的主机 app1、app2" in done.out
    where = f"{PLACE}/releases/1.0/shop.war!/WEB-INF/lib/logging.jar"
    assert affected(done) == {(host, "2.14.1", where, True) for host in HOSTS}
    (run,) = done.runs("patch_notice")
    (row,) = run.notices
    assert (row.notice, row.affected, row.silent, row.proof) == ("N-2", list(HOSTS), [], False)
    assert f"收到后 {row.hours} 小时" in done.out and row.hours > 0


def test_real_controller_killed_between_unpacking_and_switching_goes_on_there(fleet: Fleet) -> None:
    packed = pack(fleet.folder, "1.1", log4j="2.17.1")
    fleet.killed(packed, lambda: bool(fleet.drained()), app_release_drain_seconds=30)
    (cut,) = fleet.drained()
    assert fleet.sh(f"ls {PLACE}/releases")[cut].split() == ["1.0", "1.1"]
    assert fleet.linked() == dict.fromkeys(HOSTS, "releases/1.0")
    done = fleet.release(packed)
    assert done.status == 0, done.out[-3000:]
    assert seen(fleet) == at("1.1")
    assert fleet.sh(f"readlink {PLACE}/previous") == dict.fromkeys(HOSTS, "releases/1.0")
    assert fleet.sh(f"cat {PLACE}/shared/logs/starts") == dict.fromkeys(HOSTS, "1.0\n1.1")


def test_real_release_that_was_replaced_is_affected_on_the_disk_until_it_is_dropped(fleet: Fleet) -> None:
    where = f"{PLACE}/releases/1.0/shop.war!/WEB-INF/lib/logging.jar"
    before = fleet.notice(none_left=True)
    assert before.status != 0
    assert affected(before) == {(host, "2.14.1", where, False) for host in HOSTS}
    switched = fleet.runs()[0]
    dropped = fleet.release(pack(fleet.folder, "1.1", log4j="2.17.1"), app_release_drop=["1.0"])
    assert dropped.status == 0, dropped.out[-3000:]
    after = fleet.notice(none_left=True)
    assert after.status == 0, after.out[-3000:]
    assert [row.proof for row in after.runs("patch_notice")[0].notices] == [True]
    refused = fleet.operator.play("rollback.yml", run=switched)
    assert refused.status != 0 and "[PS-E5006]" in refused.out and "releases/1.0 已不存在" in refused.out
    assert seen(fleet) == at("1.1")


def test_real_release_that_breaks_the_service_is_taken_back_and_the_other_host_is_not_touched(fleet: Fleet) -> None:
    before, untouched = seen(fleet), fleet.state()
    done = fleet.release(pack(fleet.folder, "1.2", log4j="2.17.1", broken=True))
    assert done.status != 0
    version = before[1]["app1"]
    assert f"[PS-E6508] app1 发布 shop 1.2 没有成功，已切回 {version}，服务正常" in done.out, done.out[-3000:]
    assert seen(fleet) == before
    assert fleet.state()["app2"] == untouched["app2"]


def test_real_archive_with_another_sha256_changes_nothing(fleet: Fleet) -> None:
    before = fleet.state()
    packed = pack(fleet.folder, "1.3", log4j="2.17.1")
    done = fleet.release(Packed("1.3", packed.path, "0" * 64))
    assert done.status != 0 and "[PS-E6503]" in done.out
    assert fleet.state() == before


def test_real_controller_killed_between_switching_and_probing_goes_on_there(fleet: Fleet) -> None:
    before = seen(fleet)
    packed = pack(fleet.folder, "1.4", log4j="2.17.1", delay=8)
    fleet.killed(packed, lambda: "releases/1.4" in fleet.linked().values(), app_release_probe_retries=20)
    assert fleet.drained() == {"app1"}
    done = fleet.release(packed, app_release_probe_retries=20)
    assert done.status == 0, done.out[-3000:]
    assert seen(fleet) == at("1.4")
    starts = fleet.sh(f"grep -c 1.4 {PLACE}/shared/logs/starts")
    assert starts == dict.fromkeys(HOSTS, "1")
    # The run that was cut off has switched app1, the other one app2: they go back newest first.
    for run in fleet.runs()[:2]:
        back = fleet.operator.play("rollback.yml", run=run)
        assert back.status == 0, back.out[-3000:]
    assert seen(fleet) == before
