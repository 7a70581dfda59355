"""Rotation on real hosts: proven by new logins, refused by rules of the target, killed in the middle, never told."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from rotation import HOSTS, Rotation, rotation

from panshi.record import list_runs

pytestmark = [pytest.mark.lab]
ACCOUNTS = [(host, account) for host in HOSTS for account in ("appsvc", "ops")]
STEPS = ["pending", "set", "proved", "refused", "promoted"]


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotation]:
    with rotation(tmp_path_factory.mktemp("rotate")) as made:
        done = made.rotate()
        assert done.status == 0, done.out[-3000:]
        yield made


def test_real_second_rotation_is_proven_and_the_old_password_is_dead(rotated: Rotation) -> None:
    old = {one: rotated.value(*one) for one in ACCOUNTS}
    done = rotated.rotate(ticket="CHG-2026-101")
    assert done.status == 0, done.out[-3000:]
    for one in ACCOUNTS:
        rotated.whole(*one)
        assert rotated.value(*one) != old[one]
        assert [row.event for row in rotated.rows() if (row.host, row.account) == one] == STEPS
    assert not rotated.logs_in("web1", "ops", old["web1", "ops"])
    current = rotated.entry("web1", "ops").current
    assert current is not None and current.why == "CHG-2026-101"


def test_real_due_only_touches_nothing_when_nothing_is_due(rotated: Rotation) -> None:
    before = {one: rotated.value(*one) for one in ACCOUNTS}
    began = time.monotonic()
    done = rotated.rotate(due_only=True)
    assert done.status == 0 and "0 台主机" in done.out, done.out[-3000:]
    assert "panshi_rotate]" not in done.out and time.monotonic() - began < 30
    assert {one: rotated.value(*one) for one in ACCOUNTS} == before


def test_real_hardened_sshd_is_proven_by_pam_and_said_so(rotated: Rotation) -> None:
    restart = "systemctl reload ssh || systemctl reload sshd"
    setting = "sed -i '1i PasswordAuthentication no' /etc/ssh/sshd_config"
    rotated.copies.sh("ky1", f"cp -p /etc/ssh/sshd_config /root/; {setting}; {restart}")
    try:
        done = rotated.rotate("--limit", "ky1")
        assert done.status == 0, done.out[-3000:]
        ways = {row.way for row in rotated.rows() if row.event in ("proved", "refused")}
        assert ways == {"主机 PAM（sshd 不收口令：PasswordAuthentication no）"}
    finally:
        rotated.copies.sh("ky1", f"cp -p /root/sshd_config /etc/ssh/; {restart}")
    time.sleep(1)
    for account in ("appsvc", "ops"):
        rotated.whole("ky1", account)


def test_real_refusal_by_pam_pwquality_says_the_rule_and_the_old_password_works(rotated: Rotation) -> None:
    old = rotated.value("ky1", "appsvc")
    rotated.copies.sh("ky1", "echo 'minlen = 40' >>/etc/security/pwquality.conf")
    try:
        done = rotated.rotate("--limit", "ky1")
    finally:
        rotated.copies.sh("ky1", "sed -i '/^minlen = 40/d' /etc/security/pwquality.conf")
    assert done.status != 0
    (said,) = set(re.findall(r"PS-E7008\] ky1/linux/appsvc .*?旧密码仍然有效", done.out))
    assert "shorter than 40 characters" in said
    assert rotated.value("ky1", "appsvc") == old
    rotated.whole("ky1", "appsvc")


def test_real_second_operator_is_told_and_changes_nothing(rotated: Rotation) -> None:
    before = {one: rotated.value(*one) for one in ACCOUNTS}
    with rotated.store.hold("web1"):
        done = rotated.rotate()
    assert done.status != 0 and "PS-E7005" in done.out
    assert {one: rotated.value(*one) for one in ACCOUNTS} == before


def test_real_wrong_vault_password_changes_nothing(rotated: Rotation, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("mistyped\n")
    done = rotated.rotate(environment={"ANSIBLE_VAULT_PASSWORD_FILE": str(wrong)})
    assert done.status != 0 and "PS-E7002" in done.out
    for one in ACCOUNTS:
        assert rotated.known(*one)


def refused_in_one_line(rotated: Rotation, code: str) -> None:
    """A run that cannot use the store says so once, and has not even begun with a target."""
    told = len(list_runs(rotated.operator.records, "estate", "rotate"))
    done = rotated.rotate()
    assert done.status != 0
    (line,) = set(re.findall(r"\[PS-E\d{4}\].*?docs/errors/PS-E\d{4}\.md", done.out))
    assert line.startswith(f"[{code}]"), line
    assert "panshi_rotate]" not in done.out and "every account has a new password" not in done.out
    assert len(list_runs(rotated.operator.records, "estate", "rotate")) == told


def test_real_damaged_store_file_changes_no_target(rotated: Rotation) -> None:
    before = {one: rotated.value(*one) for one in ACCOUNTS}
    path = rotated.copies.folder / "secrets" / "web1" / "linux.ops.yml"
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    try:
        refused_in_one_line(rotated, "PS-E7003")
    finally:
        path.write_bytes(whole)
    assert all(rotated.has(*one, before[one]) for one in ACCOUNTS)


def test_real_store_on_a_full_and_on_a_read_only_disk_changes_no_target(rotated: Rotation, tmp_path: Path) -> None:
    before = {one: rotated.value(*one) for one in ACCOUNTS}
    folder = rotated.copies.folder / "secrets"
    kept = shutil.copytree(folder, tmp_path / "kept")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", folder], check=True)
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1024))
        refused_in_one_line(rotated, "PS-E7004")
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        refused_in_one_line(rotated, "PS-E7004")
    finally:
        subprocess.run(["umount", folder], check=True)
    assert all(rotated.has(*one, before[one]) for one in ACCOUNTS)
    assert all(rotated.entry(*one).pending is None for one in ACCOUNTS)


def test_real_run_that_would_leave_a_password_in_a_file_is_refused(rotated: Rotation) -> None:
    before = {one: rotated.value(*one) for one in ACCOUNTS}
    done = rotated.rotate(environment={"ANSIBLE_KEEP_REMOTE_FILES": "1"})
    assert done.status != 0 and "PS-E7015" in done.out
    assert {one: rotated.value(*one) for one in ACCOUNTS} == before
    assert all(rotated.entry(*one).pending is None for one in ACCOUNTS)


def test_real_locked_account_is_left_alone(rotated: Rotation) -> None:
    rotated.copies.sh("web1", "passwd -l appsvc")
    try:
        done = rotated.rotate("--limit", "web1")
        assert done.status != 0 and "PS-E7012" in done.out
        assert "!" in rotated.copies.sh("web1", "getent shadow appsvc").split(":")[1]
    finally:
        rotated.copies.sh("web1", "passwd -u appsvc")
    assert rotated.entry("web1", "appsvc").pending is None


# While it is being set, and when it is proven but not promoted; every other boundary is in rotate_crash.py.
@pytest.mark.parametrize("point", [8, 14])
def test_real_kill_of_the_controller_loses_no_password(rotated: Rotation, point: int) -> None:
    name = rotated.accident(point, "kill")
    for one in ACCOUNTS:
        assert rotated.known(*one), (name, one)
    done = rotated.rotate()
    assert done.status == 0, (name, done.out[-3000:])
    for one in ACCOUNTS:
        rotated.whole(*one)


def test_real_account_of_the_connection_with_its_password_and_sudo(rotated: Rotation) -> None:
    """Ansible logs in and becomes root with the very password that is rotated, and is killed after it was set."""
    lookup = "{{ lookup('panshi_secret', 'ops') }}"
    by_password = {"ansible_password": lookup, "ansible_become_password": lookup}
    rotated.copies.variables(accounts_passwords=["ops"], ansible_ssh_password_mechanism="sshpass", **by_password)
    rotated.copies.sh("web1", "rm -f /home/ops/.ssh/authorized_keys; sed -i 's/NOPASSWD://' /etc/sudoers.d/*")
    refused = rotated.copies.ssh("web1", "sudo -n true")
    assert refused.returncode != 0
    done = rotated.rotate("--limit", "web1")
    assert done.status == 0, done.out[-3000:]
    assert rotated.accident(9, "kill", "--limit", "web1") == "after set"
    assert rotated.has("web1", "ops", rotated.entry("web1", "ops").known()["pending"])
    time.sleep(6)  # no connection of before is left
    done = rotated.rotate("--limit", "web1")
    assert done.status == 0, done.out[-3000:]
    assert [row.event for row in rotated.rows()] == ["resolved", "proved", "refused", "promoted"]
    rotated.whole("web1", "ops")


def test_real_passwords_are_nowhere_but_in_the_store(rotated: Rotation, tmp_path: Path) -> None:
    seen: set[bytes] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        seen.add((process / name).read_bytes())
                    except OSError:
                        continue

    old = {one: rotated.value(*one) for one in (("web1", "ops"), ("ky1", "ops"))}
    watcher = threading.Thread(target=watch)
    watcher.start()
    log = tmp_path / "ansible.log"
    try:
        done = rotated.rotate("-vvv", environment={"ANSIBLE_LOG_PATH": str(log), "TMPDIR": str(tmp_path)})
    finally:
        stop.set()
        watcher.join()
    assert done.status == 0, done.out[-3000:]
    assert len(seen) > 50 and log.stat().st_size > 1000
    sampled = b"\0".join(seen)
    values = [*old.values(), *(rotated.value(*one) for one in old)]
    places = [str(rotated.operator.records), str(rotated.copies.folder), str(tmp_path), "/dev/shm"]
    for value in values:
        assert value not in done.out and value.encode() not in sampled
        found = subprocess.run(["grep", "-rlF", "-e", value, *places], capture_output=True, text=True)
        assert found.stdout == ""
        for host in HOSTS:
            folders = "/etc /home /root /run /tmp /var /dev/shm"
            script = (
                f"grep -rlF -D skip -e '{value}' {folders} 2>/dev/null; journalctl --no-pager | grep -cF -e '{value}'"
            )
            assert rotated.copies.sh(host, script, check=False).split() == ["0"]
