"""A host that backs its files up: the timers run, and what is in both repositories is what is on the disk."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

PLACES = {"local": "/var/backups/panshi", "second": "/srv/second"}


def restic(host: Host, place: str, *words: str) -> str:
    key = f"/etc/panshi/backup/{place}.key"
    command = f"restic --quiet --no-cache --repo {PLACES[place]} --password-file {key} {' '.join(words)}"
    with host.sudo():
        return str(host.check_output(command))


def newest(host: Host, place: str) -> str:
    rows = json.loads(restic(host, place, "snapshots", "--json", "--tag", "kind=files,name=app"))
    return str(max(rows, key=lambda row: row["time"])["id"])


def test_real_timer_of_files_runs_and_others_are_not_there(host: Host) -> None:
    assert host.service("panshi-backup-files.timer").is_running and host.service("panshi-backup-files.timer").is_enabled
    assert not host.file("/etc/systemd/system/panshi-backup-database.timer").exists


@pytest.mark.parametrize("place", PLACES)
def test_real_key_is_roots_alone(host: Host, place: str) -> None:
    with host.sudo():
        file = host.file(f"/etc/panshi/backup/{place}.key")
        assert (file.user, file.mode, file.size) == ("root", 0o600, 44)


def test_real_backup_is_made_and_both_repositories_give_it_back_byte_for_byte(host: Host) -> None:
    with host.sudo():
        host.check_output("date >/srv/app/conf/written && systemctl start panshi-backup-files.service")
        for job in ("files", "copy", "keep"):
            assert json.loads(host.file(f"/var/lib/panshi/backup/status/{job}.json").content_string)["ok"] is True
        for place in PLACES:
            target = host.check_output("mktemp -d -p /root")
            restic(host, place, "restore", newest(host, place), "--target", target)
            host.check_output(f"diff -r --no-dereference /srv/app {target}/srv/app")
            told = "find . -mindepth 1 -printf '%p %y %m %u %g %l\\n' | sort"
            assert host.check_output(f"cd /srv/app && {told}") == host.check_output(f"cd {target}/srv/app && {told}")
            host.check_output(f"rm -rf {target}")


def test_real_key_of_one_repository_does_not_open_the_other(host: Host) -> None:
    with host.sudo():
        wrong = host.run("restic --no-cache -r /srv/second --password-file /etc/panshi/backup/local.key snapshots")
    assert wrong.rc != 0 and "wrong password" in wrong.stderr


def test_real_byte_that_was_overwritten_is_found(host: Host) -> None:
    """In a copy of the repository: the check reads what is there and holds it against its own hashes."""
    with host.sudo():
        host.check_output("rm -rf /root/damaged && cp -a /srv/second /root/damaged")
        pack = host.check_output("find /root/damaged/data -type f -size +100k | head -n 1")
        command = "restic --no-cache -r /root/damaged --password-file /etc/panshi/backup/second.key check --read-data"
        whole = host.run(command)
        host.run_expect([0], f"printf x | dd of={pack} bs=1 seek=1000 conv=notrunc status=none")
        broken = host.run(command)
        host.check_output("rm -rf /root/damaged")
    assert whole.rc == 0, whole.stderr
    assert broken.rc != 0, broken.stdout
