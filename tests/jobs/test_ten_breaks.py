"""Ten things are really broken on a real host: the audit names exactly these ten; repaired, it turns green again."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from panshi.record import read_run

pytestmark = pytest.mark.lab

HOST = "deb12"
DROP_IN = "/etc/ssh/sshd_config.d/00-broken.conf"
GETTY = "/etc/systemd/system/getty@tty1.service.d"

# check that must name it: (how it is broken, how it is repaired)
BREAKS = {
    "linux-no-empty-password": (
        "useradd -M -s /bin/bash blank && passwd -d blank",
        "! id blank 2>/dev/null || userdel blank",
    ),
    "linux-no-rhosts": ("echo '+ +' > /root/.rhosts", "rm -f /root/.rhosts"),
    "linux-ssh-empty-passwords": (f"echo 'PermitEmptyPasswords yes' >> {DROP_IN}", f"rm -f {DROP_IN}"),
    "linux-ssh-login-grace": (f"echo 'LoginGraceTime 0' >> {DROP_IN}", f"rm -f {DROP_IN}"),
    "linux-world-writable": ("touch /opt/open && chmod 666 /opt/open", "rm -f /opt/open"),
    "linux-suid-sgid": (
        "cp /bin/cat /usr/local/bin/peek && chmod 4755 /usr/local/bin/peek",
        "rm -f /usr/local/bin/peek",
    ),
    "linux-perm-account-files": ("chmod 644 /etc/shadow", "chmod 640 /etc/shadow"),
    "linux-sudo-pty": ("echo 'Defaults !use_pty' > /etc/sudoers.d/zz-broken", "rm -f /etc/sudoers.d/zz-broken"),
    "linux-no-autologin": (
        f"mkdir -p {GETTY} && printf '[Service]\\nExecStart=\\nExecStart=-/sbin/agetty --autologin root %%I\\n'"
        f" > {GETTY}/autologin.conf && systemctl daemon-reload",
        f"rm -rf {GETTY} && systemctl daemon-reload",
    ),
    "linux-root-path": ("echo 'PATH=.:$PATH' > /etc/profile.d/zz-broken.sh", "rm -f /etc/profile.d/zz-broken.sh"),
}


def panshi(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "panshi", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def on_host(command: str) -> None:
    told = panshi("lab", "ssh", HOST, f"sudo sh -ec {shlex.quote(command)}")
    assert told.returncode == 0, told.stderr


def audit(records: Path) -> dict[str, str]:
    """Return the status of every check on the host."""
    told = panshi("audit", "-i", "inventories/lab", "--limit", HOST, "--records", str(records), "--no-report")
    assert told.returncode in (0, 1), told.stdout + told.stderr
    run = read_run(max((records / "lab" / "audit").iterdir()))
    return {row.check: str(row.status) for row in run.verdicts}


def repair() -> None:
    """Undo every break, newest first: tools copy a wrong mode to the backups they write (/etc/shadow-)."""
    on_host("\n".join(undo for _, undo in reversed(BREAKS.values())))


@pytest.fixture
def repaired() -> Iterator[None]:
    yield
    repair()


def test_real_ten_broken_things_are_named_and_no_other(tmp_path: Path, repaired: None) -> None:
    before = audit(tmp_path / "before")
    assert {check: before[check] for check in BREAKS} == dict.fromkeys(BREAKS, "pass")
    on_host("\n".join(breaking for breaking, _ in BREAKS.values()))
    broken = audit(tmp_path / "broken")
    assert sorted(check for check in broken if broken[check] != before[check]) == sorted(BREAKS)
    assert {check: broken[check] for check in BREAKS} == dict.fromkeys(BREAKS, "fail")
    repair()
    assert audit(tmp_path / "after") == before
