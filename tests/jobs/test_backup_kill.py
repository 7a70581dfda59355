"""A restore or a backup that is killed, or has no room, leaves production, the backups and the host as they were."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from backups import SECOND, Backups, backups
from lab_copies import ROOT

pytestmark = [pytest.mark.lab, pytest.mark.long]
_CLIENT = """#!/bin/sh
while :; do
  mariadb shop -e "INSERT INTO orders (customer, note) VALUES (1, 'alive')" 2>>/run/client-errors \\
    && echo >>/run/client-done
  sleep 0.2
done
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    with backups(tmp_path_factory.mktemp("kill")) as made:
        done = made.play("backup.yml", backup_now=True)
        assert done.status == 0, done.out[-3000:]
        made.copies.podman_input(made.host, "sh", f"cat >/usr/local/bin/client <<'END'\n{_CLIENT}END\n")
        made.sh("chmod 755 /usr/local/bin/client; systemd-run --quiet --unit client /usr/local/bin/client")
        yield made


def _begun(shop: Backups) -> subprocess.Popen[bytes]:
    extra = {"panshi_records": str(shop.operator.records), "restore_place": "second"}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(shop.copies.folder)]
    command += ["playbooks/restore_verify.yml", "-e", json.dumps(extra)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(shop.password_file),
    }
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _running(shop: Backups) -> bool:
    return shop.sh("systemctl is-active panshi-restore.service", check=False).strip() == "active"


def _killed(shop: Backups, what: str, job: subprocess.Popen[bytes]) -> None:
    if what == "controller":
        os.killpg(job.pid, signal.SIGKILL)
    elif what == "worker":
        shop.sh("systemctl kill --signal=KILL panshi-restore.service", check=False)
    else:
        shop.sh("systemctl kill --signal=KILL 'panshi-scratch-*'", check=False)


def test_real_restore_killed_ten_times_leaves_production_alone_and_nothing_behind(shop: Backups) -> None:
    server = shop.sh("systemctl show --property=MainPID --value mariadb").strip()
    chance = Random(20261122)
    for number in range(10):
        what = ("controller", "worker", "server")[number % 3]
        job = _begun(shop)
        while not _running(shop):
            assert job.poll() is None, "it has not begun"
            time.sleep(0.2)
        seconds = chance.uniform(0, 12)
        time.sleep(seconds)
        _killed(shop, what, job)
        print(f"{number + 1} {what} after {seconds:.1f} s", flush=True)
        job.wait(timeout=300)
        if what == "controller":
            deadline = time.monotonic() + 150
            while _running(shop) and time.monotonic() < deadline:
                time.sleep(2)
        assert shop.left() == "", (number, what)
        assert shop.sh("systemctl show --property=MainPID --value mariadb").strip() == server
    assert shop.sh("cat /run/client-errors 2>/dev/null", check=False) == ""
    assert int(shop.sh("wc -l </run/client-done")) > 100
    done, row = shop.verify()
    assert done.status == 0 and row.proven, row.findings


def test_real_next_start_takes_over_from_a_controller_that_was_killed(shop: Backups) -> None:
    job = _begun(shop)
    while not _running(shop):
        time.sleep(0.2)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    done, row = shop.verify()
    assert done.status == 0 and row.proven, row.findings


def test_real_backup_that_is_killed_is_none_and_the_last_one_is_proven(shop: Backups) -> None:
    before = shop.sh(
        "panshi-backup binlog && restic --repo /var/backups/panshi --password-file "
        "/etc/panshi/backup/local.key snapshots --tag kind=set --json | grep -o '\"id\"' | wc -l"
    )
    for seconds in (1.5, 3.0):
        shop.sh("systemctl start --no-block panshi-backup-database.service")
        time.sleep(seconds)
        shop.sh("systemctl kill --signal=KILL panshi-backup-database.service", check=False)
        time.sleep(1)
    assert before
    done, row = shop.verify()
    assert done.status == 0 and row.proven, row.findings
    # In a container on cgroup v1, systemd is not told that the killed processes are gone, and waits for them.
    state = "systemctl show --property=ActiveState --value panshi-backup-database.service"
    shop.sh(f"for n in $(seq 100); do [ $({state}) = failed ] && break; sleep 1; done; systemctl reset-failed")
    shop.sh("systemctl start panshi-backup-database.service")
    done, row = shop.verify()
    assert done.status == 0 and row.proven, row.findings


def test_real_disk_that_is_full_during_a_backup_keeps_the_last_good_one(shop: Backups) -> None:
    shop.sh("systemctl start panshi-backup-database.service")
    size = int(shop.sh("du -sm /var/backups/panshi | cut -f1"))
    local = shop.copies.state.root / "disk"
    assert local.parent.is_dir()
    shop.copies.in_mounts_of(shop.host, "mount", "-t", "tmpfs", "-o", f"size={size + 64}m", "none", "/mnt")
    try:
        shop.sh("cp -a /var/backups/panshi/. /mnt/")
        shop.copies.in_mounts_of(shop.host, "mount", "--bind", "/mnt", "/var/backups/panshi")
        shop.sql(
            "INSERT INTO orders (customer, note) SELECT 1 + seq MOD 500, HEX(RANDOM_BYTES(100)) FROM seq_1_to_1200000"
        )
        said = shop.sh("panshi-backup database full 2>&1", check=False)
        assert "[PS-E7414]" in said, said[-500:]
        told = json.loads(shop.sh("cat /var/lib/panshi/backup/status/database.json"))
        assert told["ok"] is False and told["code"] == "PS-E7414"
        done, row = shop.verify("local", restore_max_rpo_minutes=600)
        assert done.status == 0 and row.proven, row.findings
    finally:
        shop.copies.in_mounts_of(shop.host, "umount", "/var/backups/panshi")
        shop.copies.in_mounts_of(shop.host, "umount", "/mnt")
    shop.sh("systemctl reset-failed panshi-backup-database.service; systemctl start panshi-backup-database.service")
    assert shop.sh(f"ls {SECOND}/config")
    done, row = shop.verify()
    assert done.status == 0 and row.proven, row.findings


# Begins to clean, and dies at once when there is less in a folder of the repository, or something new.
_KILLED = """
cd /var/backups/panshi
setsid panshi-backup keep >/dev/null 2>&1 & job=$!
while {before}; do :; done
kill -9 -$job
ls locks
"""


def test_real_cleaning_that_is_killed_loses_nothing_and_the_next_one_does_it(shop: Backups) -> None:
    restic = "restic --no-cache --repo /var/backups/panshi --password-file /etc/panshi/backup/local.key"
    done = shop.play("backup.yml", backup_keep={"days": 0, "weeks": 0, "months": 0, "years": 0})
    assert done.status == 0, done.out[-3000:]
    number = "$(ls snapshots | wc -l)"
    for before in (f"[ {number} -ge $number ]", '[ -z "$(find index -newer /run/mark)" ]'):
        for _ in range(2):
            shop.sh("head -c 9000000 /dev/urandom >/srv/app/conf/big.bin; panshi-backup files")
            shop.sh("panshi-backup database full")
        left = shop.sh(f"cd /var/backups/panshi; number={number}; touch /run/mark; {_KILLED.format(before=before)}")
        assert left, "it was not killed while it worked"
        assert "no errors were found" in shop.sh(f"{restic} check --no-lock --read-data")
    done, row = shop.verify("local", restore_max_rpo_minutes=600)
    assert done.status == 0 and row.proven, row.findings
    shop.sh("panshi-backup keep")
    for tag in ("kind=set", "kind=files,name=app", "kind=files,name=etc"):
        assert len(json.loads(shop.sh(f"{restic} snapshots --json --tag {tag}"))) == 1, tag
    assert shop.sh("ls /var/backups/panshi/locks") == ""
    done, row = shop.verify("local", restore_max_rpo_minutes=600)
    assert done.status == 0 and row.proven, row.findings
