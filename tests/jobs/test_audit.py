"""The whole job on real hosts, by every door: panshi audit, ansible-playbook, Testinfra, plain pyinfra."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from audit_run import LAB, ROOT, Done, audit, environment
from sshd_targets import Targets, sshd_targets

from panshi.inventory import load_estate
from panshi.record import Run, VerdictRow, list_runs, read_run, verify_run
from panshi.verdict import Status

pytestmark = pytest.mark.lab
OUTCOME = {
    Status.PASS: "passed",
    Status.FAIL: "failed",
    Status.PARTIAL: "failed",
    Status.ERROR: "failed",
    Status.MANUAL: "skipped",
    Status.NOT_APPLICABLE: "skipped",
    Status.WAIVED: "skipped",
}


@pytest.fixture(scope="module")
def lab_audit(tmp_path_factory: pytest.TempPathFactory) -> Done:
    # The virtual machine is emulated in software: what takes a second elsewhere takes it ten.
    # The devices' passwords are in the lab's store, which `panshi lab up` made.
    vault = ("--vault-password-file", LAB / ".vault-password")
    return audit("-i", LAB, "--timeout", 180, *vault, records=tmp_path_factory.mktemp("lab"), report=True)


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    with sshd_targets(tmp_path_factory.mktemp("targets"), "deb12", 2) as started:
        yield started


def statuses(rows: list[VerdictRow]) -> dict[tuple[str, str], Status]:
    return {(row.host, row.check): row.status for row in rows}


def test_real_whole_lab_has_a_row_for_every_host_and_check(lab_audit: Done) -> None:
    run = lab_audit.whole_run()
    assert {row.host for row in run.hosts} == {host.name for host in load_estate(LAB).hosts}
    assert {row.state for row in run.hosts} <= {"collected", "partial"}, lab_audit.out
    assert lab_audit.status in (1, 3)
    assert run.end is not None
    assert run.end.exit == lab_audit.status


def test_real_lab_errors_are_explained_and_are_no_defects(lab_audit: Done) -> None:
    errors = [row for row in lab_audit.run.verdicts if row.status is Status.ERROR]
    assert [(row.host, row.check, row.reason) for row in errors if "PS-E9" in row.reason] == []
    assert (lab_audit.status == 3) == bool(errors)
    assert lab_audit.out.count("未能判定") > 0 or not errors


def test_real_lab_names_what_is_emulated(lab_audit: Done) -> None:
    emulated = {host.name for host in load_estate(LAB).hosts if host.emulated}
    assert {row.host for row in lab_audit.run.hosts if row.emulated} == emulated != set()
    assert "模拟" in lab_audit.out


def test_real_report_is_written(lab_audit: Done) -> None:
    files = {path.suffix for path in (lab_audit.run.path / "report").iterdir()}
    assert files == {".html", ".xlsx", ".docx"}
    assert all(str(path) in lab_audit.out for path in (lab_audit.run.path / "report").iterdir())


def test_real_second_audit_says_the_same(lab_audit: Done, tmp_path: Path) -> None:
    again = audit("-i", LAB, "--limit", "deb13,kylin10", records=tmp_path).whole_run()
    before = statuses([row for row in lab_audit.run.verdicts if row.host in ("deb13", "kylin10")])
    assert statuses(list(again.verdicts)) == before


def test_real_ansible_playbook_is_the_same_job(lab_audit: Done, tmp_path: Path) -> None:
    command = ["ansible-playbook", "-i", str(LAB), "playbooks/audit.yml", "--check", "--limit", "deb11,deb13"]
    extra = {"panshi_audit_records": str(tmp_path), "panshi_audit_report": False}
    done = subprocess.run(
        [*command, "-e", json.dumps(extra)], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300
    )
    (path,) = list_runs(tmp_path, "lab", "audit")
    run = read_run(path)
    assert verify_run(path) == []
    assert ("changed=0" in done.stdout) and ("unreachable=0" in done.stdout)
    assert run.end is not None
    assert (done.returncode == 0) == (run.end.exit in (0, 1)), done.stdout
    expected = statuses([row for row in lab_audit.run.verdicts if row.host in ("deb11", "deb13")])
    assert statuses(list(run.verdicts)) == expected


def test_real_ansible_playbook_fails_with_the_one_line(tmp_path: Path) -> None:
    extra = json.dumps({"panshi_audit_records": str(tmp_path), "panshi_audit_controls": ["8.1.9.9"]})
    command = ["ansible-playbook", "-i", str(LAB), "playbooks/audit.yml", "--limit", "deb12", "-e", extra]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "PS-E1108" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def baseline(hosts: str, folder: Path, *options: str) -> dict[str, str]:
    """Run the Testinfra module and return outcome by check id."""
    report = folder / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/baseline/test_baseline.py"]
    command += [f"--hosts={hosts}", f"--estate={LAB}", f"--junitxml={report}", "--tb=no", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stdout[-2000:]
    outcomes = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        check = case.attrib["name"].partition(")-")[2] or case.attrib["name"].partition("[")[2].partition("-")[2]
        found = {child.tag for child in case}
        outcomes[check.rpartition("-" + hosts.partition("?")[0])[0]] = (
            "failed" if found & {"failure", "error"} else "skipped" if "skipped" in found else "passed"
        )
    return outcomes


@pytest.mark.parametrize(
    ("host", "connection", "options"),
    [
        ("deb13", "ssh://deb13", ["--sudo", f"--ssh-config={LAB}/.state/ssh_config"]),
        ("kylin10", "ssh://kylin10", ["--sudo", f"--ssh-config={LAB}/.state/ssh_config"]),
        ("nopy12", "ssh://nopy12", ["--sudo", f"--ssh-config={LAB}/.state/ssh_config"]),
        ("deb11", f"ansible://deb11?ansible_inventory={LAB}&force_ansible=True", []),
    ],
)
def test_real_testinfra_agrees_with_the_audit_row_by_row(
    host: str, connection: str, options: list[str], lab_audit: Done, tmp_path: Path
) -> None:
    expected = {row.check: OUTCOME[row.status] for row in lab_audit.run.verdicts if row.host == host}
    assert baseline(connection, tmp_path, *options) == expected


def test_real_plain_pyinfra_collects_the_same_facts(targets: Targets, tmp_path: Path) -> None:
    hosts = [(target.name, {"ssh_hostname": target.address}) for target in targets.hosts]
    (tmp_path / "inventory.py").write_text(f"hosts = {hosts!r}\n")
    command = ["pyinfra", "-y", "inventory.py", str(ROOT / "deploys" / "collect_linux.py"), "--user", "ops"]
    command += ["--key", str(targets.key), "--data", f"ssh_known_hosts_file={targets.known_hosts}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    for target in targets.hosts:
        document = json.loads((tmp_path / "facts" / f"{target.name}.json").read_text())
        assert (document["hostname"], document["uid"]) == (target.name, 0)
        assert "sshd.effective" in document["items"]


def test_real_bastion_by_proxy_jump(targets: Targets, tmp_path: Path) -> None:
    jump, inner = targets.hosts
    rule = f"Match Address *,!{jump.address}\\n  DenyUsers ops\\n"
    inner.sh(f"printf '{rule}' >/etc/ssh/sshd_config.d/jump.conf; kill -HUP 1")
    try:
        estate = targets.inventory(tmp_path / "e", {inner.name: {}})
        refused = audit("-i", estate, "--control", "8.1.4.1*", records=tmp_path / "refused")
        common = f"-o UserKnownHostsFile={targets.known_hosts} -o StrictHostKeyChecking=yes"
        arguments = f"{common} -J ops@{jump.address} -o IdentityFile={targets.key}"
        targets.inventory(tmp_path / "e", {inner.name: {"ansible_ssh_common_args": arguments}})
        done = audit("-i", estate, "--control", "8.1.4.1*", records=tmp_path / "r")
    finally:
        inner.sh("rm -f /etc/ssh/sshd_config.d/jump.conf; kill -HUP 1")
    assert refused.run.hosts[0].code == "PS-E3004"
    assert [row.state for row in done.whole_run().hosts] in (["collected"], ["partial"])


def test_real_one_connection_and_one_command_per_host(targets: Targets, tmp_path: Path) -> None:
    target = targets.hosts[0]
    before = int(target.sh("cat /proc/net/snmp | awk '/^Tcp:/{n++; if(n==2) print $7}'"))
    run: Run = audit("-i", targets.inventory(tmp_path / "e", {target.name: {}}), records=tmp_path / "r").whole_run()
    after = int(target.sh("cat /proc/net/snmp | awk '/^Tcp:/{n++; if(n==2) print $7}'"))
    assert len(run.begin.checks) > 100
    assert after - before == 1
