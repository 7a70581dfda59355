"""What can go wrong between a host and its package source, really so: one clear line, before anything is changed.

Every accident has a host of its own. A plan is made and signed while all is well; then each host's accident happens,
a second plan is made, and the first one is carried out, all hosts in one wave.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from faulty_source import CONFFILE, NAMES, Keys, Server, Source, serving
from harden_run import Done, Operator
from lab_copies import ROOT, Copies, lab_copies

from panshi.patch import digest, load_plan, save_plan

pytestmark = [pytest.mark.lab]
SUBNET = "203.0.113.224/27"
PREPARE = """
set -e
mkdir -p /etc/apt/keyrings
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [signed-by=/etc/apt/keyrings/lab.gpg] {url} ./' >/etc/apt/sources.list
apt-get -qq update
apt-get -qq -y install {names} >/dev/null 2>&1
echo 'written by an operator' >>{conffile}
"""
PREPARE_RPM = "sed -i 's#^baseurl=.*#baseurl={url}#' /etc/yum.repos.d/*.repo && dnf -q makecache --refresh"
PACKAGES = """
if [ -e /var/lib/dpkg/status ]; then dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\\n'
else rpm -qa | sort; fi
"""
DRAINED = "/run/drained"
REPOSITORY = "/usr/lib/panshi-emulation/repository"


@dataclass(frozen=True)
class Fleet:
    """Hosts, each with a source of its own."""

    operator: Operator
    server: Server
    ends: Server
    folder: Path
    sources: Mapping[str, Source]

    @property
    def copies(self) -> Copies:
        """The hosts."""
        return self.operator.copies

    def packages(self, host: str) -> str:
        """Return what the package system says is installed, and how."""
        return self.copies.sh(host, PACKAGES)

    def inside(self, host: str, *argv: str) -> None:
        """Run a program of this machine among a host's mounts, which takes more rights than root has in a container."""
        pid = self.copies.podman("inspect", "--format", "{{.State.Pid}}", f"{self.copies.lab}-{host}").strip()
        subprocess.run(["nsenter", f"--target={pid}", "--mount", *argv], check=True, capture_output=True, timeout=60)

    def drained(self, host: str) -> bool:
        """Return whether a host was ever taken out of service."""
        return bool(self.copies.sh(host, f"ls {DRAINED}", check=False))

    def plan(self) -> Path:
        """Make a plan and return it."""
        plans = self.folder / "plans"
        known = set(plans.rglob("*.yml"))
        done = self.operator.play("patch_plan.yml", patch_plans=str(plans))
        assert done.status == 0, done.out[-3000:]
        (path,) = set(plans.rglob("*.yml")) - known
        return path


# ---- accidents: what happens to a host


def disk_is_full(fleet: Fleet, host: str) -> None:
    """Give /var a file system of its own and leave a few MiB of it."""
    script = (
        "mkdir /mnt/v && mount -t tmpfs -o size=400m lab /mnt/v && cp -a /var/. /mnt/v/ && mount --move /mnt/v /var"
    )
    fleet.inside(host, "sh", "-c", script)
    fleet.copies.sh(host, "fallocate -l $(( $(df --output=avail -B1 /var | tail -1) - (40 << 20) )) /var/log/grown")


def cache_is_full(fleet: Fleet, host: str) -> None:
    """Give apt's archives a file system of their own that is full, as some installations have it."""
    fleet.inside(host, "mount", "-t", "tmpfs", "-o", "size=2m", "lab", "/var/cache/apt/archives")


def package_is_half_configured(fleet: Fleet, host: str) -> None:
    """Install by hand a package whose script fails."""
    source = fleet.sources[host]
    source.publish("panshi-half", "1.0", postinst="exit 1")
    archive = source.archive("panshi-half", "1.0")
    fleet.copies.podman("cp", str(archive), f"{fleet.copies.lab}-{host}:/root/half.deb")
    fleet.copies.sh(host, "dpkg -i /root/half.deb", check=False)


def package_is_held(fleet: Fleet, host: str) -> None:
    """Lock one of the two packages."""
    fleet.copies.sh(host, f"apt-mark hold {NAMES[0]}")


def source_says_nothing(fleet: Fleet, host: str) -> None:
    """Let the server accept connections and be silent."""
    fleet.server.silent.add(f"/{host}/")


def source_is_gone(fleet: Fleet, host: str) -> None:
    """Stop the server."""
    fleet.ends.end()


def index_has_expired(fleet: Fleet, host: str) -> None:
    """Let the index be older than it says it may be."""
    fleet.sources[host].index(days=-1)


def signer_is_unknown(fleet: Fleet, host: str) -> None:
    """Sign the index with a key that the host does not know."""
    fleet.sources[host].index(key="unknown")


def signer_has_expired(fleet: Fleet, host: str) -> None:
    """Sign the index with a key that has expired since."""
    fleet.sources[host].index(key="old")


def index_does_not_match(fleet: Fleet, host: str) -> None:
    """Change the list of packages after the signature, as a mirror does that is caught in the middle."""
    fleet.sources[host].publish("panshi-other", "1.0")
    packages = fleet.sources[host].folder / "Packages"
    packages.write_text(packages.read_text().replace("of a test", "of a text"))


def archive_is_damaged(fleet: Fleet, host: str) -> None:
    """Flip bits of the new archive; the index stays right."""
    archive = fleet.sources[host].archive(NAMES[1], "1.1")
    archive.write_bytes(archive.read_bytes()[:-40] + bytes(40))


def version_is_withdrawn(fleet: Fleet, host: str) -> None:
    """Let the source forget the planned version."""
    fleet.sources[host].withdraw(NAMES[0], "1.1")


def apt_is_busy(fleet: Fleet, host: str) -> None:
    """Let another apt be at work, as the daily one is: waiting for a source that does not answer."""
    fleet.server.silent.add(f"/slow-{host}/")
    url = f"{fleet.server.url}/slow-{host}/"
    script = f"""
    echo 'deb [trusted=yes] {url} ./' >/root/slow.list
    systemd-run --quiet --unit=daily \\
        apt-get -q -o Acquire::http::Timeout=600 -o Dir::Etc::sourcelist=/root/slow.list update
    """
    fleet.copies.sh(host, script)


def rpm_source_is_busy(fleet: Fleet, host: str) -> None:
    """Let another dnf be at work."""
    fleet.server.silent.add(f"/slow-{host}/")
    url = f"{fleet.server.url}/slow-{host}/"
    slow = f"--repofrompath=slow,{url} --setopt=slow.timeout=600 --setopt=slow.gpgcheck=0"
    fleet.copies.sh(host, f"systemd-run --quiet --unit=daily dnf -q {slow} makecache --refresh && sleep 2")


def rpm_is_excluded(fleet: Fleet, host: str) -> None:
    """Lock a package the way that needs no plugin."""
    fleet.copies.sh(host, "echo 'excludepkgs=curl' >>/etc/dnf/dnf.conf")


def rpm_index_does_not_match(fleet: Fleet, host: str) -> None:
    """Change the new list of packages, not the list of lists."""
    rpm_is_withdrawn(fleet, host)
    for path in (fleet.folder / "www" / host / "repodata").glob("*primary.xml*"):
        path.write_bytes(path.read_bytes()[:-8] + bytes(8))


def rpm_is_damaged(fleet: Fleet, host: str) -> None:
    """Flip bits of a new package."""
    (path,) = (fleet.folder / "www" / host).glob("curl-7.71.1-32.*.rpm")
    path.write_bytes(path.read_bytes()[:-40] + bytes(40))


def rpm_is_withdrawn(fleet: Fleet, host: str) -> None:
    """Let the repository forget the planned version."""
    script = (
        f"cd /root && cp -a {REPOSITORY} less && rm less/curl-7.71.1-32.* && createrepo_c -q less && tar c -C less ."
    )
    _unpack(fleet.copies, host, script, fleet.folder / "www" / host)


def rpm_lacks_what_another_needs(fleet: Fleet, host: str) -> None:
    """Take away by force what others depend on."""
    script = r"""
    cd /root
    printf '%s\n' 'Name: needs' 'Version: 1' 'Release: 1' 'Summary: x' 'License: x' 'Requires: nowhere-to-be-had' \
        '%description' 'x' '%files' >needs.spec
    rpmbuild --quiet -bb --target x86_64 --define '_rpmdir /root' needs.spec
    rpm --install --nodeps --force-debian /root/x86_64/needs-1-1.x86_64.rpm
    """
    fleet.copies.sh(host, script)


@dataclass(frozen=True)
class Accident:
    """What happens to a host, and what is said of it.

    Args:
        happen: makes it so.
        plan: code that the plan made afterwards names; empty where the plan cannot know.
        apply: code with which the plan made before is refused.
    """

    happen: Callable[[Fleet, str], None]
    plan: str
    apply: str


ACCIDENTS = {
    "disk": Accident(disk_is_full, "PS-E6005", "PS-E6005"),
    "cache": Accident(cache_is_full, "PS-E6005", "PS-E6005"),
    "half": Accident(package_is_half_configured, "PS-E6004", "PS-E6004"),
    "held": Accident(package_is_held, "", "PS-E6107"),
    "gone": Accident(source_is_gone, "PS-E6001", "PS-E6001"),
    "silent": Accident(source_says_nothing, "PS-E6001", "PS-E6001"),
    "expired": Accident(index_has_expired, "PS-E6003", "PS-E6003"),
    "unknown": Accident(signer_is_unknown, "PS-E6002", "PS-E6002"),
    "oldkey": Accident(signer_has_expired, "PS-E6002", "PS-E6002"),
    "altered": Accident(index_does_not_match, "PS-E6021", "PS-E6021"),
    "damaged": Accident(archive_is_damaged, "", "PS-E6022"),
    "missing": Accident(version_is_withdrawn, "", "PS-E6107"),
    "busy": Accident(apt_is_busy, "PS-E6020", "PS-E6020"),
    "kysilent": Accident(source_says_nothing, "PS-E6001", "PS-E6001"),
    "kybusy": Accident(rpm_source_is_busy, "PS-E6020", "PS-E6020"),
    "kyheld": Accident(rpm_is_excluded, "", "PS-E6107"),
    # dnf says no more than that the list could not be had from any mirror
    "kyalter": Accident(rpm_index_does_not_match, "PS-E6001", "PS-E6001"),
    "kydamage": Accident(rpm_is_damaged, "", "PS-E6022"),
    "kymiss": Accident(rpm_is_withdrawn, "", "PS-E6107"),
    "kylacks": Accident(rpm_lacks_what_another_needs, "PS-E6004", "PS-E6004"),
}
# What is over in a minute is in every test run; these wait for somebody who says nothing, or are rarer.
LONG = ("cache", "silent", "oldkey", "busy", "kysilent", "kybusy", "kyalter", "kylacks", "kyheld")
CORE = tuple(name for name in ACCIDENTS if name not in LONG)


def _unpack(copies: Copies, host: str, script: str, folder: Path) -> None:
    """Bring a folder of a host here."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = ["podman", "exec", f"{copies.lab}-{host}", "sh", "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, timeout=120)
    subprocess.run(["tar", "-x", "--no-same-owner", "-C", str(folder)], input=done.stdout, check=True, timeout=120)


@pytest.fixture(scope="module", params=[CORE, pytest.param(LONG, marks=pytest.mark.long)], ids=["core", "long"])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("accidents")
    hosts = {name: "kylin10" if name.startswith("ky") else "deb12" for name in request.param}
    (folder / "www").mkdir()
    keys = Keys(folder / "gnupg")
    with ExitStack() as stack:
        keys.make()
        stack.callback(keys.close)
        copies = stack.enter_context(lab_copies(folder / "estate", "panshi-lab-acc", SUBNET, hosts))
        server = stack.enter_context(serving(folder / "www", copies.gateway))
        ends = stack.enter_context(serving(folder / "www", copies.gateway))
        copies.variables(
            guard_second_way={"user": "rescue", "key": str(copies.state.key)},
            patch_host_drain=[{"argv": ["touch", DRAINED]}],
            patch_host_drain_seconds=0,
            patch_audit=False,
        )
        (folder / "lab.gpg").write_bytes(keys.trusted())
        sources = {name: _source(folder, server, keys, name) for name, of in hosts.items() if of == "deb12"}
        if "gone" in sources:
            sources["gone"].url = f"{ends.url}/gone/"
        fleet = Fleet(Operator(copies, folder / "records"), server, ends, folder, sources)
        for name in hosts:
            _prepare(fleet, name)
        yield fleet


def _source(folder: Path, server: Server, keys: Keys, name: str) -> Source:
    (folder / "www" / name).mkdir()
    source = Source(folder / "www" / name, f"{server.url}/{name}/", keys)
    for package in NAMES:
        source.publish(package, "1.0", conffile="shipped with 1.0\n" if package == NAMES[0] else "")
    return source


def _prepare(fleet: Fleet, host: str) -> None:
    if source := fleet.sources.get(host):
        fleet.copies.sh(host, "mkdir -p /etc/apt/keyrings")
        fleet.copies.podman("cp", str(fleet.folder / "lab.gpg"), f"{fleet.copies.lab}-{host}:/etc/apt/keyrings/lab.gpg")
        fleet.copies.sh(host, PREPARE.format(url=source.url, names=" ".join(NAMES), conffile=CONFFILE))
        for package in NAMES:
            source.publish(package, "1.1", conffile="shipped with 1.1\n" if package == NAMES[0] else "")
    else:
        _unpack(fleet.copies, host, f"tar c -C {REPOSITORY} .", fleet.folder / "www" / host)
        fleet.copies.sh(host, PREPARE_RPM.format(url=f"{fleet.server.url}/{host}/"))


@dataclass(frozen=True)
class Aftermath:
    """What the jobs said once everything had happened, and what is on the hosts.

    Args:
        plan: the plan made afterwards.
        done: the run of the plan made before.
        messages: why each host failed in it.
        before: packages of each host, after its accident.
        after: packages of each host in the end.
    """

    plan: Mapping[str, Any]
    done: Done
    messages: Mapping[str, str]
    before: Mapping[str, str]
    after: Mapping[str, str]


@pytest.fixture(scope="module")
def aftermath(fleet: Fleet) -> Aftermath:
    hosts = sorted(fleet.copies.addresses)
    path = fleet.plan()
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {name: host["blockers"] for name, host in document["hosts"].items()} == dict.fromkeys(hosts, [])
    document["waves"] = [{"name": "all", "hosts": hosts}]
    save_plan(path, document)
    for name in hosts:
        ACCIDENTS[name].happen(fleet, name)
    before = {name: fleet.packages(name) for name in hosts}
    plan = load_plan(fleet.plan()).document
    done = fleet.operator.play("patch_apply.yml", plan=str(path), plan_sha256=digest(document))
    after = {name: fleet.packages(name) for name in hosts}
    return Aftermath(plan, done, messages(done), before, after)


def messages(done: Done) -> dict[str, str]:
    """Return what Ansible says of each host that failed."""
    found = re.findall(r"^fatal: \[(\w+)\]: FAILED! => *\n((?:    .*\n)+)", done.out, re.MULTILINE)
    return {host: str(yaml.safe_load(text)["msg"]) for host, text in found}


def one_line(text: str, code: str) -> bool:
    """Return whether a message is one line with a code whose page exists."""
    page = ROOT / "docs" / "errors" / f"{code}.md"
    return f"[{code}] " in text and len(text.strip().splitlines()) == 1 and page.is_file()


def wrong(aftermath: Aftermath, emulated: bool, judge: Callable[[str], bool]) -> list[str]:
    """Return the hosts, real or emulated ones, with which something is wrong."""
    return [name for name in aftermath.before if name.startswith("ky") == emulated and not judge(name)]


def said_in_the_plan(aftermath: Aftermath, name: str) -> bool:
    """Return whether a plan made after an accident has it as its only obstacle, or none where it cannot know."""
    blockers, code = aftermath.plan["hosts"][name]["blockers"], ACCIDENTS[name].plan
    return blockers == [] if not code else len(blockers) == 1 and one_line(blockers[0], code)


def refused(fleet: Fleet, aftermath: Aftermath, name: str) -> bool:
    """Return whether a plan made before an accident was refused in one line, and nothing was touched."""
    same = aftermath.before[name] == aftermath.after[name]
    return same and not fleet.drained(name) and one_line(aftermath.messages[name], ACCIDENTS[name].apply)


def test_real_obstacles_are_said_in_the_plan(aftermath: Aftermath) -> None:
    assert wrong(aftermath, False, lambda name: said_in_the_plan(aftermath, name)) == [], aftermath.plan


def test_emulated_obstacles_are_said_in_the_plan(aftermath: Aftermath) -> None:
    assert wrong(aftermath, True, lambda name: said_in_the_plan(aftermath, name)) == [], aftermath.plan


def test_real_plan_is_refused_before_anything_is_changed(fleet: Fleet, aftermath: Aftermath) -> None:
    assert aftermath.done.status != 0
    assert wrong(aftermath, False, lambda name: refused(fleet, aftermath, name)) == [], aftermath.messages


def test_emulated_plan_is_refused_before_anything_is_changed(fleet: Fleet, aftermath: Aftermath) -> None:
    assert wrong(aftermath, True, lambda name: refused(fleet, aftermath, name)) == [], aftermath.messages


def test_real_held_package_stays_and_is_said_in_the_plan(aftermath: Aftermath) -> None:
    if "held" in aftermath.plan["hosts"]:
        host = aftermath.plan["hosts"]["held"]
        assert (host["held"], [one["name"] for one in host["packages"]]) == ([NAMES[0]], [NAMES[1]])
    else:
        host = aftermath.plan["hosts"]["kyheld"]
        assert host["held"] == ["curl"] and "curl" not in [one["name"] for one in host["packages"]]
