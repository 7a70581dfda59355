"""A security notice on real hosts: who is affected, who only looks like it, and the proof that nobody is any more."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from harden_run import Done, Operator
from lab_copies import lab_copies

from panshi.patch import digest, load_plan

pytestmark = pytest.mark.lab
POM = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties"
NOTICE = {
    "id": "N-1",
    "received": "2026-11-21 09:00",
    "packages": [{"name": "openssh-server", "affected": "<8.2p1-16.p35.ky10,>=8.0", "fixed": "8.2p1-16.p35.ky10"}],
    "jars": [{"product": "log4j-core", "affected": ">=2.0-beta9,<2.17.1", "fixed": "2.17.1"}],
}


def archive(**entries: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return out.getvalue()


def log4j(version: str) -> bytes:
    return archive(**{POM: f"version={version}\n".encode()})


@dataclass(frozen=True)
class Fleet:
    """``app1`` has the library in a war in an ear, and open in a process; ``app2`` two decoys; ``ky`` the package."""

    operator: Operator
    notice: Path

    def ask(self, **variables: object) -> Done:
        """Run the job."""
        return self.operator.play("patch_notice.yml", notice=str(self.notice), **variables)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("notice")
    hosts = {"app1": "deb12", "app2": "deb12", "ky": "kylin10"}
    with lab_copies(folder / "estate", "panshi-lab-notice", "198.51.100.192/27", hosts) as copies:
        copies.variables(guard_second_way={"user": "rescue", "key": str(copies.state.key)}, notice_roots=["/opt"])
        war = archive(**{"WEB-INF/lib/logging.jar": log4j("2.14.1")})
        files = {
            "app1": {"shop.ear": archive(**{"web.war": war})},
            "app2": {
                "log4j-core-2.14.1.jar": log4j("2.17.1"),
                "log4j-core-2.10.0.jar": archive(**{"META-INF/maven/example/tool/pom.properties": b"version=2.10.0\n"}),
            },
        }
        for host, content in files.items():
            for name, data in content.items():
                (folder / name).write_bytes(data)
                copies.podman("cp", str(folder / name), f"{copies.lab}-{host}:/opt/{name}")
        hold = "import time; held = open('/opt/shop.ear'); time.sleep(3600)"
        copies.sh("app1", f'systemd-run --unit=shop --quiet /usr/bin/python3 -c "{hold}"')
        notice = folder / "notice.yml"
        notice.write_text(yaml.safe_dump(NOTICE), encoding="utf-8")
        yield Fleet(Operator(copies, folder / "records"), notice)


def test_real_affected_hosts_are_found_and_decoys_are_not(fleet: Fleet) -> None:
    done = fleet.ask(patch_plans=str(fleet.operator.records / "plans"))
    assert done.status == 0, done.out[-3000:]
    (run,) = done.runs("patch_notice")
    found = {(row.host, row.product, row.version, row.where) for row in run.findings if row.state == "affected"}
    assert found == {
        ("app1", "log4j-core", "2.14.1", "/opt/shop.ear!/web.war!/WEB-INF/lib/logging.jar"),
        ("ky", "openssh-server", "8.2p1-16.p21.ky10", "软件包 openssh-server.x86_64"),
    }
    (running,) = (row.running for row in run.findings if row.host == "app1" and row.state == "affected")
    assert [name.split("(")[0] for name in running] == ["python3"]
    assert {(row.host, row.version) for row in run.findings if row.state == "fixed" and row.by == "pom"} == {
        ("app2", "2.17.1")
    }
    (plan,) = (fleet.operator.records / "plans").rglob("*.yml")
    document = yaml.safe_load(plan.read_text(encoding="utf-8"))
    assert document["notice"]["received"]
    hosts = document["hosts"]
    assert {name: [one["name"] for one in host["packages"]] for name, host in hosts.items()} == {
        "ky": ["openssh-server"]
    }


def test_real_proof_fails_while_anybody_is_affected_and_passes_afterwards(fleet: Fleet) -> None:
    before = fleet.ask(none_left=True)
    assert before.status != 0
    assert "[PS-E6203] 通知 N-1：仍受影响的主机 app1、ky" in before.out
    fleet.operator.copies.sh("app1", "rm /opt/shop.ear")
    (plan,) = (fleet.operator.records / "plans").rglob("*.yml")
    signed = digest(load_plan(plan).document)
    patched = fleet.operator.play("patch_apply.yml", plan=str(plan), plan_sha256=signed)
    assert patched.status == 0, patched.out[-3000:]
    (report,) = patched.runs("patch_apply")[0].path.glob("report/*.html")
    assert "安全通知" in report.read_text(encoding="utf-8")
    deleted = fleet.ask(none_left=True)
    assert deleted.status != 0, "the process still runs from the deleted archive"
    assert "[PS-E6203] 通知 N-1：仍受影响的主机 app1；" in deleted.out
    fleet.operator.copies.sh("app1", "systemctl stop shop")
    after = fleet.ask(none_left=True)
    assert after.status == 0, after.out[-3000:]


def test_real_host_that_does_not_answer_is_not_counted_as_done(fleet: Fleet) -> None:
    fleet.operator.copies.podman("pause", f"{fleet.operator.copies.lab}-app2")
    try:
        done = fleet.ask(none_left=True)
    finally:
        fleet.operator.copies.podman("unpause", f"{fleet.operator.copies.lab}-app2")
    assert done.status != 0
    assert "没有应答的主机 app2" in done.out
