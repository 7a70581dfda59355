"""The mirror on real hosts: dated snapshots, test before prod, and nothing published from a source that fails."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
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

    @property
    def copies(self) -> Copies:
        """The hosts."""
        return self.operator.copies

    def update(self) -> Done:
        """Fetch what is new."""
        return self.operator.play("mirror.yml")

    def promote(self, date: str) -> Done:
        """Move prod."""
        return self.operator.play("mirror.yml", package_mirror_promote=date)

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
        package_mirror_repositories=[
            {**demo, "key": "/etc/panshi-keys/upstream.asc"},
            {**kylin, "key": "/etc/panshi-keys/vendor.asc"},
        ],
        package_mirror_keep=2,
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
    today = mirror.copies.sh("mirror1", "date +%F").strip()
    assert mirror.pointers() == {"demo": (today, ""), "kylin": (today, "")}
    (run,) = done.runs("mirror")
    moved = {(row.resource, row.after) for row in run.changes if row.resource.endswith("/test")}
    assert moved == {("mirror:demo/test", today), ("mirror:kylin/test", today)}
