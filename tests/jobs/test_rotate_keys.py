"""SSH keys on real hosts: rotated, proven by new logins, killed at every boundary, and never on a host or in a log.

    pytest tests/jobs/test_rotate_keys.py -v        # the lines with “kill” and “cut” are the table

The account that Ansible logs in with has a key file per host, as the inventory says; ``appsvc`` is a service's account,
which is let in with options and with keys of others besides.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from accounts_run import OWN
from rotation import HOSTS, Rotation, rotation

from panshi.secret import Entry, SecretId
from panshi.secret.keys import KeyPolicy, public_line
from panshi.secret.login import in_memory
from panshi.secret.rotate import imported

pytestmark = pytest.mark.lab
SUBNET = "203.0.113.128/27"
SERVICE, CARRIER = ({"account": name, "target": "ssh_key"} for name in ("appsvc", "ops"))
OWN_FILE = "{{ inventory_dir }}/.keys/{{ inventory_hostname }}"
STEPS = ["pending", "set", "proved", "retired", "refused", "promoted"]
WITH_FILE = [*STEPS[:3], "dependent", *STEPS[3:]]
FILE_OF = "/home/{}/.ssh/authorized_keys"
_WRITE = ("before _temporary", "after _temporary", "before _sync_folder", "after _sync_folder")


def points(*, file: bool) -> tuple[str, ...]:
    """Name the boundaries of a rotation: see rotate/sitecustomize.py."""
    return (
        *("start", *(("before ready", "after ready") if file else ()), "before which", "after which", *_WRITE),
        *("before set", "during set", "after set", "before prove", "after prove"),
        *(("before update", "during update", "after update") if file else ()),
        *("before retire", "after retire", "before refused", "after refused", *_WRITE, "end"),
    )


@dataclass(frozen=True)
class Keys:
    """The operator of the hosts."""

    made: Rotation

    def declare(self, *accounts: dict[str, Any], key_file: str = OWN_FILE) -> None:
        """Declare whose keys are rotated, and where Ansible's own is."""
        self.made.copies.variables(accounts_passwords=list(accounts), ansible_ssh_private_key_file=key_file)

    def entry(self, scope: str, account: str) -> Entry:
        """Return what the store knows."""
        return self.made.store.read(SecretId(scope, "ssh_key", account))

    def value(self, scope: str, account: str) -> str:
        """Return the current private key."""
        current = self.entry(scope, account).current
        assert current is not None
        return current.value

    def logs_in(self, host: str, account: str, value: str) -> bool:
        """Log in with OpenSSH, this key and no other one, and no settings but known hosts."""
        state = self.made.copies.state
        with in_memory(value) as path:
            argv = ["ssh", "-F", "none", "-i", path, "-l", account, self.made.copies.addresses[host], "id -un"]
            for option in ("IdentitiesOnly=yes", "BatchMode=yes", "IdentityAgent=none", "ConnectTimeout=10"):
                argv[1:1] = ["-o", option]
            argv[1:1] = ["-o", f"UserKnownHostsFile={state.known_hosts}", "-o", "HashKnownHosts=no"]
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 or "Permission denied (publickey" in done.stderr, done.stderr
        return done.stdout.strip() == account

    def lines(self, host: str, account: str) -> list[str]:
        """Return the account's file of keys."""
        return self.made.copies.sh(host, f"cat {FILE_OF.format(account)}").splitlines()

    def known(self, host: str, account: str, scope: str = "") -> bool:
        """Return whether a key of the store logs in."""
        return any(self.logs_in(host, account, value) for value in self.entry(scope or host, account).known().values())

    def whole(self, host: str, account: str, scope: str = "") -> None:
        """Exactly one key of the store logs in, it is the current one, and it is the one in the file of the host."""
        entry = self.entry(scope or host, account)
        assert entry.current is not None and entry.pending is None
        publics = {public_line(one.value) for one in (entry.current, *entry.previous)}
        held = [public for public in publics for line in self.lines(host, account) if public in line]
        assert held == [public_line(entry.current.value)]
        assert self.logs_in(host, account, entry.current.value)
        assert not any(self.logs_in(host, account, one.value) for one in entry.previous[:1])

    def connects(self, host: str) -> None:
        """Ansible's own key file is the store's current key, for nobody else to read, and Ansible connects by it."""
        path = self.made.copies.folder / ".keys" / host
        assert path.read_text() == f"{self.value(host, 'ops')}\n" and path.stat().st_mode & 0o777 == 0o600
        assert path.with_name(f"{host}.pub").read_text() == f"{public_line(self.value(host, 'ops'))}\n"
        assert [one.name for one in path.parent.glob(".*")] == []
        assert self.logs_in(host, "ops", path.read_text().strip())


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    with rotation(tmp_path_factory.mktemp("keys"), subnet=SUBNET, lab="panshi-lab-key", hosts=HOSTS) as made:
        folder = made.copies.folder / ".keys"
        folder.mkdir(mode=0o700)
        one = Keys(made)
        others = public_line(KeyPolicy().make("other"))
        for host in HOSTS:
            shutil.copy(made.copies.state.key, folder / host)
            (folder / host).chmod(0o600)
            (folder / f"{host}.pub").write_text("of the installer\n")
            first = KeyPolicy().make("appsvc")
            lines = f'# by hand\n{others} somebody\\nrestrict,from="{SUBNET}" {public_line(first)} svc@app1'
            made.copies.sh(
                host,
                f"install -d -o appsvc -g appsvc -m 700 /home/appsvc/.ssh && printf '{lines}\\n' >/tmp/k"
                f" && install -o appsvc -g appsvc -m 640 /tmp/k {FILE_OF.format('appsvc')} && rm /tmp/k"
                # A service's account has no password, and is let in nevertheless.
                " && usermod -p '*' appsvc",
            )
            with made.store.hold(host):
                made.store.write(Entry(SecretId(host, "ssh_key", "appsvc"), imported(first, "CHG-0")))
        one.declare(SERVICE, CARRIER)
        done = made.rotate()
        assert done.status == 0, done.out[-3000:]
        yield one


def test_real_second_rotation_of_both_accounts_is_proven_and_the_old_keys_are_dead(keys: Keys) -> None:
    each = [(host, account) for host in HOSTS for account in ("appsvc", "ops")]
    old = {one: keys.value(*one) for one in each}
    done = keys.made.rotate(ticket="CHG-2026-101")
    assert done.status == 0, done.out[-3000:]
    for one in each:
        keys.whole(*one)
        assert keys.value(*one) != old[one] and not keys.logs_in(*one, old[one])
        steps = [row.event for row in keys.made.rows() if (row.host, row.account) == one]
        assert steps == (STEPS if one[1] == "appsvc" else WITH_FILE)
    assert {row.way for row in keys.made.rows() if row.event in ("proved", "refused")} == {"SSH 密钥登录"}
    for host in HOSTS:
        keys.connects(host)
        comment, other, line = keys.lines(host, "appsvc")
        assert comment == "# by hand" and other.endswith(" somebody")
        assert line == (f'restrict,from="{SUBNET}" {public_line(keys.value(host, "appsvc"))} svc@app1 panshi-rotated')
        stat = keys.made.copies.sh(host, f"stat -c '%a %U' {FILE_OF.format('appsvc')}").split()
        assert stat == ["640", "appsvc"]


def test_real_connections_first_key_was_taken_over_from_its_file(keys: Keys) -> None:
    installed = keys.made.copies.state.key.read_text().strip()
    for host in HOSTS:
        assert installed in [one.value for one in keys.entry(host, "ops").previous]
        assert not keys.logs_in(host, "ops", installed) and keys.logs_in(host, "rescue", installed)


def test_real_private_keys_are_nowhere_but_in_the_store_and_the_file_of_the_connection(
    keys: Keys, tmp_path: Path
) -> None:
    log = tmp_path / "ansible.log"
    environment = {"ANSIBLE_LOG_PATH": str(log), "TMPDIR": str(tmp_path)}
    done = keys.made.rotate("-vvv", environment=environment)
    assert done.status == 0, done.out[-3000:]
    records = str(keys.made.operator.records)
    for host in HOSTS:
        for account in ("appsvc", "ops"):
            # A line of it that no other key has.
            line = keys.value(host, account).splitlines()[3]
            assert line not in done.out
            found = subprocess.run(
                ["grep", "-rlF", "-e", line, records, str(tmp_path), "/dev/shm"], capture_output=True
            )
            assert found.stdout == b""
            script = f"grep -rlF -D skip -e '{line}' /etc /home /root /run /tmp /var /dev/shm 2>/dev/null"
            assert keys.made.copies.sh(host, script, check=False) == ""


def test_real_private_key_file_of_a_service_on_another_host_is_updated_before_the_old_key_goes(keys: Keys) -> None:
    path, copies = "/home/appsvc/.ssh/id_of_web1", keys.made.copies
    put = f"#!/bin/sh\ninstall -o appsvc -g appsvc -m 600 /dev/stdin {path}\n"
    copies.sh("ky1", f"printf '{put}' >/root/put && chmod 700 /root/put")
    copies.podman_input("ky1", "/root/put", f"{keys.value('web1', 'appsvc')}\n")
    keys.declare({**SERVICE, "dependents": [{"file": path, "host": "ky1"}]})
    done = keys.made.rotate("--limit", "web1")
    assert done.status == 0, done.out[-3000:]
    assert [row.event for row in keys.made.rows()] == WITH_FILE
    assert copies.sh("ky1", f"cat {path}") == f"{keys.value('web1', 'appsvc')}\n"
    assert copies.sh("ky1", f"stat -c '%a %U' {path}; ls -A /home/appsvc/.ssh").split()[:2] == ["600", "appsvc"]
    copies.sh("ky1", f"rm {path}")
    done = keys.made.rotate("--limit", "web1")
    assert done.status != 0 and "PS-E7013" in done.out, done.out[-3000:]
    keys.whole("web1", "appsvc")


@pytest.mark.parametrize(
    ("broken", "mended", "said"),
    [
        ("mv {f} {f}-; ln -s {f}- {f}", "mv -f {f}- {f}", "PS-E7290.*链接"),
        ('sed -i.kept \'s/from=.*27"/from="192.0.2.1"/\' {f}', "mv -f {f}.kept {f}", "PS-E7290.*from="),
    ],
    ids=["a link", "from elsewhere"],
)
def test_real_account_that_cannot_be_rotated_is_left_alone(keys: Keys, broken: str, mended: str, said: str) -> None:
    keys.declare(SERVICE)
    path = FILE_OF.format("appsvc")
    before = keys.value("web1", "appsvc")
    keys.made.copies.sh("web1", broken.format(f=path))
    try:
        done = keys.made.rotate("--limit", "web1")
    finally:
        keys.made.copies.sh("web1", f"{mended.format(f=path)}; chown appsvc {path}")
    assert done.status != 0 and re.search(said, done.out), done.out[-3000:]
    assert keys.entry("web1", "appsvc").pending is None and keys.value("web1", "appsvc") == before
    keys.whole("web1", "appsvc")


def test_real_key_file_that_others_use_too_is_refused(keys: Keys) -> None:
    keys.declare(CARRIER, key_file="{{ inventory_dir }}/.keys/web1")
    before = {host: keys.lines(host, "ops") for host in HOSTS}
    done = keys.made.rotate("--limit", "web1")
    assert done.status != 0 and re.search(r"PS-E7291.*ky1（ops）", done.out), done.out[-3000:]
    assert {host: keys.lines(host, "ops") for host in HOSTS} == before


@pytest.mark.long
def test_real_accounts_job_neither_removes_the_rotated_key_nor_brings_the_old_one_back(keys: Keys) -> None:
    made, old = keys.made, keys.value("web1", "ops")
    rescue = public_line(made.copies.state.key.read_text().strip())
    ways_in: list[dict[str, Any]] = [
        {**one, "keys": [{"key": key, "comment": "lab", "expires": "2099-12-31"}]}
        for one, key in zip(OWN, (public_line(old), rescue), strict=True)
    ]
    second = {"user": "rescue", "key": str(made.copies.state.key)}
    variables = {"ansible_ssh_private_key_file": OWN_FILE, "guard_second_way": second}
    variables |= {"accounts_passwords": [CARRIER], "accounts_withdraw_undeclared": ["keys"]}
    made.copies.variables(accounts_users=ways_in, **variables)
    done = made.rotate("--limit", "web1")
    assert done.status != 0 and "PS-E7295" in done.out, done.out[-3000:]
    ways_in[0]["keys"] = [{"rotated": True}]
    made.copies.variables(accounts_users=ways_in, **variables)
    for _ in range(2):
        done = made.rotate("--limit", "web1")
        assert done.status == 0, done.out[-3000:]
        line = f"{public_line(keys.value('web1', 'ops'))} "
        for changed in (True, False):
            played = made.operator.play("accounts.yml", limit=["web1"], accounts_batches=["100%"])
            assert played.status == 0, played.out[-3000:]
            assert changed or played.recap["web1"]["changed"] == 0
            (header, kept) = keys.lines("web1", "ops")
            assert header.startswith("# Written by Panshi") and kept.startswith(line) and "panshi-rotated" in kept
        keys.whole("web1", "ops")
    assert not keys.logs_in("web1", "ops", old)


KINDS = {"ops": (CARRIER, points(file=True)), "appsvc": (SERVICE, points(file=False))}
LINES = [
    pytest.param(host, account, accident, point, name, id=f"{host} {account} {accident} {point:02d} {name}")
    for accident in ("kill", "cut")
    for host, account in (("web1", "ops"), ("ky1", "appsvc"))
    for point, name in enumerate(KINDS[account][1])
]


@pytest.mark.long
@pytest.mark.crash
@pytest.mark.parametrize(("host", "account", "accident", "point", "name"), LINES)
def test_real_accident_shuts_nobody_out(
    keys: Keys, host: str, account: str, accident: str, point: int, name: str
) -> None:
    keys.declare(KINDS[account][0])
    if keys.entry(host, account).pending is not None:
        # What one accident has broken is not told again by the next one.
        keys.made.rotate("--limit", host)
    command = "kill"
    if accident == "cut":
        container = f"{keys.made.copies.lab}-{host}"
        pid = keys.made.copies.podman("inspect", "--format", "{{.State.Pid}}", container).strip()
        command = f"nsenter --target {pid} --net ip link set eth0 down"
    met = keys.made.accident(point, command, "--limit", host)
    if accident == "cut":
        keys.made.copies.in_network_of(host, "ip", "link", "set", "eth0", "up")
        time.sleep(3)
    assert met == name
    assert keys.known(host, account)
    done = keys.made.rotate("--limit", host)
    assert done.status == 0, done.out[-3000:]
    keys.whole(host, account)
    if account == "ops":
        keys.connects(host)


@pytest.mark.long
@pytest.mark.crash
@pytest.mark.parametrize(("host", "account"), [("web1", "ops"), ("ky1", "appsvc")])
def test_real_rotation_has_no_boundary_after_the_last(keys: Keys, host: str, account: str) -> None:
    keys.declare(KINDS[account][0])
    assert keys.made.accident(len(KINDS[account][1]), "kill", "--limit", host) == ""
    keys.whole(host, account)


def test_real_killed_rotation_is_resumed_with_an_old_key_file(keys: Keys) -> None:
    """Somebody has put the file of before back: the store knows the key that logs in, and the file is mended."""
    keys.declare(CARRIER)
    path = keys.made.copies.folder / ".keys" / "web1"
    old = path.read_text()
    assert keys.made.accident("after retire", "kill", "--limit", "web1") == "after retire"
    keys.declare(SERVICE, CARRIER)
    path.write_text(old)
    assert not keys.logs_in("web1", "ops", old.strip())
    done = keys.made.rotate("--limit", "web1")
    assert done.status == 0, done.out[-3000:]
    keys.whole("web1", "ops")
    keys.connects("web1")


def test_real_key_that_two_hosts_share(keys: Keys) -> None:
    shared = "{{ inventory_dir }}/.keys/shared"
    first = keys.made.copies.state.key.read_text()
    file = keys.made.copies.folder / ".keys" / "shared"
    file.write_text(first)
    file.chmod(0o644)
    for host in HOSTS:
        line = f"no-agent-forwarding {public_line(first.strip())} estate"
        keys.made.copies.sh(host, f"echo '{line}' >>{FILE_OF.format('ops')}")
    path = keys.made.copies.folder / "host_vars" / "web1.yml"
    path.parent.mkdir(exist_ok=True)
    declared = [{**CARRIER, "scope": "estate", "at": {"hosts": list(HOSTS)}}]
    keys.declare(key_file=shared)
    path.write_text(f"accounts_passwords: {declared}\n")
    try:
        done = keys.made.rotate()
        assert done.status != 0 and "PS-E7293" in done.out, done.out[-3000:]
        file.chmod(0o600)
        for _ in range(2):
            done = keys.made.rotate()
            assert done.status == 0, done.out[-3000:]
            for host in HOSTS:
                keys.whole(host, "ops", "estate")
            assert file.read_text().strip() == keys.value("estate", "ops")
        assert "SSH 密钥登录（2 台主机）" in {row.way for row in keys.made.rows()}
        assert keys.made.accident("during set", "kill") == "during set"
        assert all(keys.known(host, "ops", "estate") for host in HOSTS)
        done = keys.made.rotate()
        assert done.status == 0, done.out[-3000:]
        for host in HOSTS:
            keys.whole(host, "ops", "estate")
            assert not keys.logs_in(host, "ops", first.strip())
    finally:
        path.unlink()
