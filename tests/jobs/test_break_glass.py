"""A sealed emergency account on real hosts: its use is found in their own records, and ends the password."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harden_run import Done
from lab_copies import ROOT
from rotation import HOSTS, Rotation, rotation

from panshi.record import RotationRow, list_runs, read_run
from panshi.secret import SecretId

pytestmark = [pytest.mark.lab]
ACCOUNT = "emergency"


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotation]:
    with rotation(tmp_path_factory.mktemp("glass"), lab="panshi-lab-glass") as made:
        for host in HOSTS:
            made.copies.sh(host, f"useradd -m {ACCOUNT}")
        made.copies.variables(accounts_passwords=[ACCOUNT], accounts_break_glass=[ACCOUNT])
        done = made.rotate(rotate_batches=["100%"])
        assert done.status == 0, done.out[-3000:]
        yield made


def looked(sealed: Rotation) -> tuple[Done, dict[str, RotationRow]]:
    """Run the playbook and return its rows by host."""
    done = sealed.rotate(playbook="break_glass.yml")
    run = read_run(list_runs(sealed.operator.records, "estate", "break_glass")[-1])
    return done, {row.host: row for row in run.rotations}


def test_real_decoy_is_no_use_and_rotation_itself_is_none(sealed: Rotation) -> None:
    assert not sealed.logs_in("web1", ACCOUNT, "guessed by somebody")
    sealed.copies.sh("ky1", f"runuser -u {ACCOUNT} true")
    done, rows = looked(sealed)
    assert done.status == 0, done.out[-3000:]
    for host in HOSTS:
        assert rows[host].event == "unused" and not sealed.entry(host, ACCOUNT).used


def test_real_use_is_found_told_and_rotated_and_the_old_sheet_is_dead(sealed: Rotation) -> None:
    sheet = sealed.value("web1", ACCOUNT)
    assert sealed.logs_in("web1", ACCOUNT, sheet)
    sealed.copies.sh("ky1", f"su {ACCOUNT} -c true")
    done, rows = looked(sealed)
    assert done.status == 0 and "已使用" in done.out, done.out[-3000:]
    assert [rows[host].event for host in HOSTS] == ["used", "used"] and rows["ky1"].way == "su"
    assert rows["web1"].way == f"sshd password，来自 {sealed.copies.gateway}"
    command = [sys.executable, "-m", "panshi", "secret", "status", "-i", str(sealed.copies.folder), "--limit", "web1"]
    command += ["--vault-password-file", str(sealed.password_file)]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 1 and "应急已使用" in shown.stdout, shown.stdout + shown.stderr
    done = sealed.rotate(due_only=True)
    assert done.status == 0, done.out[-3000:]
    assert {row.host for row in sealed.rows() if row.event == "promoted"} == set(HOSTS)
    assert not sealed.logs_in("web1", ACCOUNT, sheet)
    entry = sealed.entry("web1", ACCOUNT)
    assert entry.current is not None and entry.current.value != sheet and not entry.used and entry.watched
    # What rotation itself did meanwhile, its new login most of all, is no use.
    done, rows = looked(sealed)
    assert done.status == 0 and rows["web1"].event == "unused"


def test_real_records_that_somebody_has_cleared_are_no_clean_bill(sealed: Rotation) -> None:
    logs = "/var/log/auth.log* /var/log/secure* /var/log/wtmp*"
    sealed.copies.sh("web1", f"journalctl --rotate; journalctl --vacuum-time=1s; rm -f {logs}; : >/var/log/lastlog")
    done = sealed.rotate("--limit", "web1", playbook="break_glass.yml")
    assert done.status != 0 and "PS-E7252" in done.out, done.out[-3000:]
    assert not sealed.entry("web1", ACCOUNT).used


def test_real_account_of_the_connection_is_no_break_glass_account(sealed: Rotation) -> None:
    before = sealed.store.names()
    done = sealed.rotate(playbook="break_glass.yml", accounts_passwords=["ops"], accounts_break_glass=["ops"])
    assert done.status != 0 and "PS-E7250" in done.out
    assert sealed.store.names() == before == [SecretId(host, "linux", ACCOUNT) for host in sorted(HOSTS)]
