"""``panshi secret``: the table never holds a password; a look is recorded before it is given."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from panshi.record import list_runs, read_run, verify_run
from panshi.secret import Entry, SecretId, Version
from panshi.secret.keys import KeyPolicy
from panshi.secret.model import Watch
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

    def at_terminal(self, *words: str, typed: str) -> tuple[int, str]:
        """Run a command at a terminal of its own; return its status and all that stood on the screen."""
        key = self.folder / "vault-password"
        key.write_text("of-the-estate\n")
        command = [sys.executable, "-m", "panshi", "secret", words[0], "-i", str(self.folder / "bureau")]
        command += ["--vault-password-file", str(key), *words[1:]]
        child, terminal = pty.fork()
        if not child:
            os.chdir(ROOT)
            os.execv(command[0], command)
        lines, screen, answered = typed.splitlines(keepends=True), b"", 0
        with suppress(OSError):
            while data := os.read(terminal, 4096):
                screen += data
                # Each question ends like this; getpass throws away what was typed before it asks.
                if lines and screen[answered:].rstrip().endswith((b":", "：".encode())):
                    answered = len(screen)
                    os.write(terminal, lines.pop(0).encode())
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), screen.decode()

    @property
    def store(self) -> VaultFiles:
        return VaultFiles(self.folder / "bureau" / "secrets", "bureau", vault())

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


def test_import_from_standard_input_is_kept_due_and_recorded(bureau: Bureau, tmp_path: Path) -> None:
    records = ["--records", str(tmp_path / "records"), "--ticket", "CHG-7"]
    done = bureau("import", "web1/linux/ops", *records, typed=f"{VALUE}\n")
    assert done.returncode == 0 and VALUE not in done.stdout + done.stderr, done.stderr
    entry = bureau.store.read(SecretId("web1", "linux", "ops"))
    assert entry.current is not None and (entry.current.value, entry.current.why) == (VALUE, "CHG-7")
    (path,) = list_runs(tmp_path / "records", "bureau", "secret_import")
    assert verify_run(path) == [] and VALUE not in (path / "run.jsonl").read_text()
    (row,) = read_run(path).rotations
    assert (row.event, row.host, row.version, row.detail) == ("imported", "web1", entry.current.id, "CHG-7")
    again = bureau("import", "web1/linux/ops", *records, typed="another\n")
    assert again.returncode == 2 and "PS-E7261" in again.stderr
    assert bureau.store.read(entry.secret) == entry
    shown = bureau("status", "--limit", "web1")
    assert shown.returncode == 1 and "不详" in shown.stdout and "到期" in shown.stdout


@pytest.mark.parametrize(
    ("secret", "typed", "code"),
    [("web1/linux/ops", "", "PS-E7262"), ("web1/linux/nobody", "x\n", "PS-E7260"), ("ops", "x\n", "PS-E7260")],
)
def test_import_of_nothing_or_of_nobody_is_one_line(bureau: Bureau, secret: str, typed: str, code: str) -> None:
    done = bureau("import", secret, "--ticket", "CHG-7", "--records", str(bureau.folder / "records"), typed=typed)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and line.startswith(f"[{code}]")
    assert bureau.store.names() == [] and not (bureau.folder / "records").exists()


def test_import_of_a_private_key_takes_it_whole_and_shows_nothing_of_it(bureau: Bureau, tmp_path: Path) -> None:
    (bureau.folder / "bureau" / "hosts.yml").write_text(HOSTS.replace("[ops]", "[{account: ops, target: ssh_key}]"))
    words = ("import", "web1/ssh_key/ops", "--ticket", "CHG-7", "--records", str(tmp_path / "records"))
    value = KeyPolicy().make("ops")
    status, screen = bureau.at_terminal(*words, typed="")
    assert status == 2 and "PS-E7262" in screen
    done = bureau(*words, typed=f"{VALUE}\n")
    assert done.returncode == 2 and "PS-E7292" in done.stderr and bureau.store.names() == []
    done = bureau(*words, typed=f"{value}\n")
    assert done.returncode == 0 and value[50:90] not in done.stdout + done.stderr, done.stderr
    entry = bureau.store.read(SecretId("web1", "ssh_key", "ops"))
    assert entry.current is not None and entry.current.value == value


def test_real_terminal_asks_twice_without_an_echo(bureau: Bureau, tmp_path: Path) -> None:
    words = ("import", "web1/linux/ops", "--ticket", "CHG-7", "--records", str(tmp_path / "records"))
    status, screen = bureau.at_terminal(*words, typed=f"{VALUE}\nmistyped\n")
    assert status == 2 and "PS-E7262" in screen and bureau.store.names() == []
    status, screen = bureau.at_terminal(*words, typed=f"{VALUE}\n{VALUE}\n")
    assert status == 0 and VALUE not in screen, screen
    entry = bureau.store.read(SecretId("web1", "linux", "ops"))
    assert entry.current is not None and entry.current.value == VALUE


@pytest.fixture
def glass(bureau: Bureau) -> Bureau:
    (bureau.folder / "bureau" / "hosts.yml").write_text(
        f"{HOSTS.rstrip()[:-1]}, accounts_break_glass: [ops]}}\n".replace(
            "web2: {accounts_passwords: [{account: app, max_age_days: 30}]}", "web2: {accounts_break_glass: []}"
        )
    )
    bureau.keep("web1", "ops", "2999-01-05T03:00:00Z")
    return bureau


def test_real_terminal_prints_envelopes_for_the_owner_alone_and_records_it_first(glass: Bureau, tmp_path: Path) -> None:
    out, records = tmp_path / "sheet.html", tmp_path / "records"
    words = ("envelope", "--out", str(out), "--records", str(records))
    status, screen = glass.at_terminal(*words, typed="季度换封\ny\n")
    assert status == 0 and VALUE not in screen, screen
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    page = out.read_text()
    assert "Xy-c" in page and "信封编号：v1" in page
    (path,) = list_runs(records, "bureau", "secret_envelope")
    assert verify_run(path) == [] and VALUE not in (path / "run.jsonl").read_text()
    (row,) = read_run(path).rotations
    assert (row.event, row.account, row.version, row.detail) == ("printed", "ops", "v1", "季度换封")
    status, screen = glass.at_terminal(*words, typed="再来\ny\n")
    assert status == 2 and "PS-E7256" in screen and out.read_text() == page


def test_real_terminal_prints_nothing_without_a_yes_or_into_records(glass: Bureau, tmp_path: Path) -> None:
    out, records = tmp_path / "sheet.html", tmp_path / "records"
    status, _ = glass.at_terminal("envelope", "--out", str(out), "--records", str(records), typed="看看\nn\n")
    assert status != 0 and not out.exists() and not records.exists()
    inside = str(records / "sheet.html")
    status, screen = glass.at_terminal("envelope", "--out", inside, "--records", str(records), typed="")
    assert status == 2 and "PS-E7256" in screen and not records.exists()


def test_envelope_needs_a_terminal_an_account_and_a_password_that_is_sealed(glass: Bureau, tmp_path: Path) -> None:
    words = ("envelope", "--out", str(tmp_path / "sheet.html"), "--records", str(tmp_path / "records"))

    def refused(*more: str) -> str:
        done = glass(*words, *more, typed="季度换封\ny\n")
        (line,) = done.stderr.strip().splitlines()
        assert done.returncode == 2 and VALUE not in done.stdout + line
        return line

    assert "PS-E7255" in refused() and "PS-E7253" in refused("--limit", "web2")
    entry = glass.store.read(SecretId("web1", "linux", "ops"))
    assert entry.current is not None
    with glass.store.hold("web1"):
        glass.store.write(replace(entry, watch=Watch("v1", "2999-01-05T03:01:00Z", "2999-01-06T03:00:00Z")))
    assert "PS-E7254" in refused() and "使用" in refused()
    shown = glass("status", "--limit", "web1")
    assert shown.returncode == 1 and "应急已使用" in shown.stdout
    glass.keep("web1", "old", "2026-01-05T03:00:00Z")
    hosts = glass.folder / "bureau" / "hosts.yml"
    hosts.write_text("all: {hosts: {web1: {accounts_passwords: [old], accounts_break_glass: [old]}}}")
    assert "已到期" in refused()
    assert list(tmp_path.glob("sheet*")) == [] and not (tmp_path / "records").exists()
