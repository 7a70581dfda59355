"""The mirror on real hosts: dated snapshots, test before prod, and nothing published from a source that fails."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from harden_run import Done, Operator
from lab_copies import Copies, lab_copies
from package_source import NAME, package_source
from signed_source import SUITE, SignedSource

pytestmark = [pytest.mark.lab]
ROOT = "/srv/panshi-mirror"
PUBLIC = f"{ROOT}/public"
# What the emulated host has of packages, and the key that they are signed with.
RPMS = "/usr/lib/panshi-emulation/repository"
RPM_KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-panshi-emulated"
CLIENTS = ("web1", "web2", "ky1")
# A day ago: what a test cannot wait for.
YESTERDAY = f"""
import json
path = "{ROOT}/state.json"
state = json.load(open(path))
for moves in state["history"].values():
    for move in moves:
        move["time"] -= 25 * 3600
json.dump(state, open(path, "w"))
"""


@dataclass(frozen=True)
class Mirror:
    """A mirror host, an upstream for it, and hosts of both stages."""

    operator: Operator
    upstream: SignedSource
    switched: list[Done] = field(default_factory=list)

    @property
    def copies(self) -> Copies:
        """The hosts."""
        return self.operator.copies

    @property
    def plans(self) -> dict[str, str]:
        """Where tables are written."""
        return {"patch_plans": str(self.operator.records.parent / "plans")}

    def update(self) -> Done:
        """Fetch what is new."""
        return self.operator.play("mirror.yml")

    def promote(self, date: str) -> Done:
        """Move prod."""
        return self.operator.play("mirror.yml", package_mirror_promote=date)

    def refused(self, only: str = "demo") -> str:
        """Update from one repository, which must fail, and return what the operator is told."""
        chosen = f"{{{{ [{only}] }}}}"
        update = ("--start-at-task", "Mirror | Ensure today's snapshots")
        done = self.operator.play("mirror.yml", *update, package_mirror_repositories=chosen)
        assert done.status != 0
        return done.out

    def today(self) -> str:
        """Return the date on the mirror host."""
        return self.copies.sh("mirror1", "date +%F").strip()

    def pointer(self, stage: str, name: str = "demo") -> str:
        """Return what a stage uses, as the web server sees it."""
        return self.copies.sh("mirror1", f"readlink {PUBLIC}/{name}/{stage} || true").strip()

    def pointers(self) -> dict[str, tuple[str, str]]:
        """Return what the stages use of each repository."""
        return {name: (self.pointer("test", name), self.pointer("prod", name)) for name in ("demo", "kylin")}

    def offered(self, host: str) -> str:
        """Return the version that a host would install now."""
        self.copies.sh(host, "apt-get -q update")
        return self.copies.sh(host, f"apt-cache policy {NAME} | sed -n 's/^  Candidate: //p'").strip()

    def a_day_passes(self) -> None:
        """Move everything that has happened into the past."""
        self.copies.sh("mirror1", f"python3 - <<'END'\n{YESTERDAY}END")


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    folder = tmp_path_factory.mktemp("mirror")
    hosts = {"mirror1": "deb12", "web1": "deb12", "web2": "deb12", "ky1": "kylin10"}
    with (
        lab_copies(folder / "estate", "panshi-lab-mir", "198.51.100.224/27", hosts) as copies,
        package_source(folder / "source", copies.gateway) as source,
    ):
        upstream = SignedSource(source, folder / "keys")
        try:
            upstream.publish("1.0")
            _describe(copies, upstream)
            yield Mirror(Operator(copies, folder / "records"), upstream)
        finally:
            upstream.close()


def _describe(copies: Copies, upstream: SignedSource) -> None:
    """Give the mirror what it needs, as an estate does: keys, a disk with rpm packages, and the variables."""
    copies.podman("cp", f"{copies.lab}-ky1:{RPMS}", str(copies.folder.parent / "rpms"))
    copies.podman("cp", str(copies.folder.parent / "rpms"), f"{copies.lab}-mirror1:/mnt/rpms")
    shutil.rmtree(copies.folder.parent / "rpms")
    keys = {"upstream.asc": upstream.public_key, "vendor.asc": copies.sh("ky1", f"cat {RPM_KEY}")}
    for name, text in keys.items():
        copies.sh("mirror1", f"mkdir -p /etc/panshi-keys && cat >/etc/panshi-keys/{name} <<'END'\n{text}\nEND")
    demo = {"name": "demo", "family": "debian", "uri": upstream.source.url, "suite": SUITE}
    kylin = {"name": "kylin", "family": "rpm", "uri": "file:///mnt/rpms"}
    copies.variables(
        guard_second_way={"user": "rescue", "key": str(copies.state.key)},
        demo={**demo, "key": "/etc/panshi-keys/upstream.asc"},
        kylin={**kylin, "key": "/etc/panshi-keys/vendor.asc"},
        package_mirror_repositories="{{ [demo, kylin] }}",
        package_mirror_keep=1,
        package_source_mirror=f"http://{copies.addresses['mirror1']}:8081",
    )
    stages = {"web1": "test", "web2": "prod", "ky1": "test"}
    old = {"web1": ["/etc/apt/sources.list"], "web2": ["/etc/apt/sources.list"]}
    of_family = {"ky1": [{"name": "kylin", "key": RPM_KEY}]}
    inventory = {"mirror": {"hosts": {"mirror1": {}}}}
    (copies.folder / "mirror.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    (copies.folder / "host_vars").mkdir()
    for host, stage in stages.items():
        values = {
            "package_source_stage": stage,
            "package_source_repositories": of_family.get(host, [{"name": "demo", "suite": SUITE}]),
            "package_source_remove": old.get(host, ["/etc/yum.repos.d/panshi-emulated.repo"]),
        }
        (copies.folder / "host_vars" / f"{host}.yml").write_text(json.dumps(values), encoding="utf-8")


def test_real_update_publishes_a_snapshot_under_its_date(mirror: Mirror) -> None:
    done = mirror.update()
    assert done.status == 0, done.out[-3000:]
    today = mirror.today()
    assert mirror.pointers() == {"demo": (today, ""), "kylin": (today, "")}
    # the key stays where it was made, for root alone, and is nowhere in what is given out
    assert mirror.copies.sh("mirror1", f"stat -c %a {ROOT}/key").strip() == "700"
    assert mirror.copies.sh("mirror1", f"grep -rl 'PRIVATE KEY' {PUBLIC} || true") == ""
    (run,) = done.runs("mirror")
    moved = {(row.resource, row.after) for row in run.changes if row.resource.endswith("/test")}
    assert moved == {("mirror:demo/test", today), ("mirror:kylin/test", today)}


def test_real_promotion_waits_for_a_day_on_test(mirror: Mirror) -> None:
    today = mirror.today()
    early = mirror.promote(today)
    assert early.status != 0 and "PS-E6607" in early.out
    assert mirror.pointer("prod") == ""
    mirror.a_day_passes()
    done = mirror.promote(today)
    assert done.status == 0, done.out[-3000:]
    assert mirror.pointers() == {"demo": (today, today), "kylin": (today, today)}


def test_real_hosts_install_from_the_snapshot_of_their_stage(mirror: Mirror) -> None:
    done = mirror.operator.play("mirror_clients.yml", limit=CLIENTS)
    assert done.status == 0, done.out[-3000:]
    mirror.switched.append(done)
    mirror.upstream.publish("1.1")
    done = mirror.update()
    assert done.status == 0, done.out[-3000:]
    today = mirror.today()
    # the rpm source has nothing new, so it has no second snapshot of this day
    assert mirror.pointers() == {"demo": (f"{today}-2", today), "kylin": (today, today)}
    assert (mirror.offered("web1"), mirror.offered("web2")) == ("1.1", "1.0")
    mirror.copies.sh("web1", f"apt-get -q -y install {NAME}")
    mirror.a_day_passes()
    assert mirror.promote(f"{today}-2").status == 0
    assert mirror.offered("web2") == "1.1"
    # the same bits, not only the same version
    path = f"apt-get -q download {NAME} >/dev/null && sha256sum {NAME}_1.1_all.deb"
    assert mirror.copies.sh("web1", path) == mirror.copies.sh("web2", path)


def test_emulated_rpm_host_installs_and_knows_advisories_from_the_snapshot(mirror: Mirror) -> None:
    mirror.copies.sh("ky1", "dnf -q -y install chrony")
    said = mirror.copies.sh("ky1", "dnf -q repoquery --installed --qf '%{from_repo}' chrony; dnf -q updateinfo list")
    assert said.startswith("kylin") and "PANSHI-EMU-SA-0001" in said


def test_real_source_that_cannot_be_trusted_or_is_lost_leaves_everything_as_it_was(mirror: Mirror) -> None:
    before = mirror.pointers()
    mirror.upstream.publish("1.2")
    mirror.upstream.tamper()
    assert "PS-E6602" in mirror.refused()
    mirror.upstream.index()
    archive = mirror.upstream.archive("1.2")
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    assert "PS-E6602" in mirror.refused()
    archive.unlink()
    assert "PS-E6601" in mirror.refused()
    assert mirror.pointers() == before
    assert mirror.offered("web1") == "1.1"
    archive.write_bytes(whole)


def test_emulated_rpm_disk_that_is_short_changed_or_full_leaves_everything_as_it_was(mirror: Mirror) -> None:
    before = mirror.pointers()
    sh = mirror.copies.sh
    sh("mirror1", f"rm -rf {ROOT}/rpm; mv /mnt/rpms/sudo-*.rpm /mnt/")
    assert "PS-E6601" in mirror.refused(only="kylin")
    sh("mirror1", f"rm -rf {ROOT}/rpm; cp /mnt/sudo-*.rpm /mnt/rpms/")
    sh(
        "mirror1",
        "set /mnt/rpms/sudo-*.rpm; printf changed | dd of=$1 bs=1 seek=$(($(stat -c %s $1) - 7)) conv=notrunc",
    )
    assert "PS-E6602" in mirror.refused(only="kylin")
    another_key = "kylin | combine({'key': '/etc/panshi-keys/upstream.asc'})"
    sh("mirror1", f"rm -rf {ROOT}/rpm; cp /mnt/sudo-*.rpm /mnt/rpms/")
    assert "PS-E6602" in mirror.refused(only=another_key)
    sh("mirror1", f"rm -rf {ROOT}/rpm; mkdir {ROOT}/rpm; mv /mnt/sudo-*.rpm /mnt/rpms/")
    mirror.copies.in_mounts_of("mirror1", "mount", "-t", "tmpfs", "-o", "size=4m", "none", f"{ROOT}/rpm")
    assert "PS-E6603" in mirror.refused(only="kylin")
    mirror.copies.in_mounts_of("mirror1", "umount", f"{ROOT}/rpm")
    assert mirror.pointers() == before


def test_real_old_snapshots_go_and_those_in_use_stay(mirror: Mirror) -> None:
    today = mirror.today()
    mirror.upstream.publish("1.3")
    # what an update leaves that is killed while it publishes
    mirror.copies.sh("mirror1", f"mkdir -p {PUBLIC}/demo/{today}-3/half")
    done = mirror.update()
    assert done.status == 0, done.out[-3000:]
    assert mirror.copies.sh("mirror1", f"ls {PUBLIC}/demo/{today}-3").split() == ["dists", "pool"]
    snapshots = mirror.copies.sh("mirror1", f"ls {PUBLIC}/demo").split()
    # the newest, and the one that prod uses
    assert sorted(snapshots) == sorted(["prod", "test", f"{today}-2", f"{today}-3"])
    assert (mirror.offered("web1"), mirror.offered("web2")) == ("1.3", "1.1")


def test_real_ledger_of_versions_says_what_is_behind_and_later_what_was_closed(mirror: Mirror) -> None:
    products = [
        {"name": "演示服务", "debian": [NAME], "policy": "每季度"},
        {"name": "OpenSSH", "rpm": ["openssh-server"], "debian": ["openssh-server"]},
    ]
    first = mirror.operator.play("versions.yml", limit=("web1", "ky1"), versions_products=products, **mirror.plans)
    assert first.status == 0, first.out[-3000:]
    (run,) = first.runs("versions")
    rows = {(row.host, row.package): row for row in run.versions}
    demo = rows["web1", NAME]
    assert (demo.installed, demo.newest, demo.outdated, demo.security) == ("1.1", "1.3", True, True)
    assert demo.since == mirror.copies.sh("web1", "date -u +%F").strip()
    # emulated, with the advisory of its metadata
    assert rows["ky1", "openssh-server"].advisories == ["PANSHI-EMU-SA-0001"]
    # the stage's source has nothing but the demonstration service
    assert rows["web1", "openssh-server"].newest == "" and "元数据中没有" in first.out
    mirror.copies.sh("web1", f"apt-get -q -y install {NAME}")
    second = mirror.operator.play("versions.yml", limit=("web1", "ky1"), versions_products=products, **mirror.plans)
    assert second.status == 0 and "新增 0，仍未更新 1，已更新 1" in second.out, second.out[-3000:]
    assert len(list(Path(mirror.plans["patch_plans"]).rglob("*-versions.*"))) == 4


def test_real_host_gets_its_old_sources_back(mirror: Mirror) -> None:
    (run,) = mirror.switched[0].runs("mirror_clients")
    done = mirror.operator.play("rollback.yml", limit=["web2"], run=run.begin.run)
    assert done.status == 0, done.out[-3000:]
    left = mirror.copies.sh("web2", "ls /etc/apt/sources.list /etc/apt/sources.list.d /usr/share/keyrings")
    assert "panshi" not in left and "/etc/apt/sources.list\n" in left
