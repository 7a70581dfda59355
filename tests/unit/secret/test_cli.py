"""``panshi secret``: the table never holds a password; a look is recorded before it is given."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from panshi.record import list_runs, read_run, verify_run
from panshi.secret import Entry, SecretId, Version
from panshi.secret.vault_file import VaultFiles

from .conftest import vault

ROOT = Path(__file__).resolve().parents[3]
VALUE = "Xy-canary-7"
HOSTS = """
all:
  hosts: {web1: {}, web2: {accounts_passwords: [{account: app, max_age_days: 30}]}}
  vars: {accounts_passwords: [ops]}
"""


@dataclass
class Bureau:
    folder: Path

    def __call__(
        self, *words: str, typed: str = "", password: str = "of-the-estate"
    ) -> subprocess.CompletedProcess[str]:
        key = self.folder / "vault-password"
        key.write_text(f"{password}\n")
        command = [sys.executable, "-m", "panshi", "secret", words[0], "-i", str(self.folder / "bureau")]
        command += ["--vault-password-file", str(key), *words[1:]]
        return subprocess.run(command, cwd=ROOT, input=typed, capture_output=True, text=True)

    def keep(self, host: str, account: str, when: str, pending: bool = False) -> None:
        store = VaultFiles(self.folder / "bureau" / "secrets", "bureau", vault())
        version = Version("v1", VALUE, when, "CHG-1", "20 lower")
        with store.hold(host):
            store.write(Entry(SecretId(host, "linux", account), version, version if pending else None))


@pytest.fixture
def bureau(tmp_path: Path) -> Bureau:
    (tmp_path / "bureau").mkdir()
    (tmp_path / "bureau" / "hosts.yml").write_text(HOSTS)
    return Bureau(tmp_path)


def test_status_tells_age_and_what_is_due_and_no_password(bureau: Bureau) -> None:
    bureau.keep("web1", "ops", "2026-01-05T03:00:00Z")
    bureau.keep("web1", "gone", "2026-01-05T03:00:00Z")
    bureau.keep("web2", "app", "2026-01-05T03:00:00Z", pending=True)
    done = bureau("status")
    assert done.returncode == 1, done.stderr
    for words in (("linux/ops", "到期", "CHG-1"), ("linux/gone", "未声明"), ("linux/app", "没有做完")):
        assert any(all(word in line for word in words) for line in done.stdout.splitlines()), done.stdout
    assert VALUE not in done.stdout + done.stderr


def test_status_is_zero_when_nothing_is_due(bureau: Bureau) -> None:
    bureau.keep("web1", "ops", "2999-01-01T00:00:00Z")
    assert bureau("status", "--limit", "web1").returncode == 0


def test_show_records_who_looked_and_why_before_it_shows(bureau: Bureau, tmp_path: Path) -> None:
    bureau.keep("web1", "ops", "2026-01-05T03:00:00Z")
    records = tmp_path / "records"
    done = bureau("show", "--records", str(records), "web1", "ops", typed="控制台登录\ny\n")
    assert done.returncode == 0 and VALUE in done.stdout, done.stderr
    (path,) = list_runs(records, "bureau", "secret_show")
    assert verify_run(path) == []
    (row,) = read_run(path).rotations
    assert (row.event, row.host, row.account, row.detail) == ("shown", "web1", "ops", "控制台登录")
    assert VALUE not in (path / "run.jsonl").read_text()


def test_show_without_a_yes_shows_nothing(bureau: Bureau, tmp_path: Path) -> None:
    bureau.keep("web1", "ops", "2026-01-05T03:00:00Z")
    done = bureau("show", "--records", str(tmp_path / "records"), "web1", "ops", typed="看看\nn\n")
    assert done.returncode != 0 and VALUE not in done.stdout + done.stderr
    assert list_runs(tmp_path / "records", "bureau", "secret_show") == []


def test_show_without_a_record_shows_nothing(bureau: Bureau, tmp_path: Path) -> None:
    bureau.keep("web1", "ops", "2026-01-05T03:00:00Z")
    (tmp_path / "records").write_text("in the way")
    done = bureau("show", "--records", str(tmp_path / "records"), "web1", "ops", typed="看看\ny\n")
    assert "PS-E4001" in done.stderr and VALUE not in done.stdout + done.stderr


def test_what_is_not_kept_and_a_wrong_vault_password_are_one_line(bureau: Bureau) -> None:
    bureau.keep("web1", "ops", "2026-01-05T03:00:00Z")
    for done, code in (
        (bureau("show", "web1", "nobody"), "PS-E7006"),
        (bureau("status", password="mistyped"), "PS-E7002"),
    ):
        assert done.returncode == 2
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith(f"[{code}]")
