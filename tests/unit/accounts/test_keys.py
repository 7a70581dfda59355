"""Lines of authorized_keys: told apart as sshd tells them, and made so that they end."""

from __future__ import annotations

import base64
import subprocess
from datetime import date
from pathlib import Path

import pytest

from panshi.accounts.keys import key_of, line_of, weakness

from .seen import KEY, OTHER


@pytest.mark.parametrize(
    ("line", "options", "comment"),
    [
        (KEY, "", ""),
        (f"{KEY} chen@bureau.example", "", "chen@bureau.example"),
        (
            f'  command="/bin/echo ssh-rsa AAAA",no-pty {KEY} two words ',
            'command="/bin/echo ssh-rsa AAAA",no-pty',
            "two words",
        ),
        (f'expiry-time="202706302359" {KEY} a', 'expiry-time="202706302359"', "a"),
    ],
    ids=["bare", "comment", "options with a blank and a type inside", "ours"],
)
def test_parsed_key_of_a_line(line: str, options: str, comment: str) -> None:
    key = key_of(line)
    assert key is not None
    assert (f"{key.type} {key.blob}", key.options, key.comment) == (KEY, options, comment)


@pytest.mark.parametrize(
    "line",
    ["", f"# {KEY}", "ssh-ed25519 AAAA", KEY.replace("ssh-ed25519", "ssh-rsa"), "-----BEGIN OPENSSH PRIVATE KEY-----"],
    ids=["empty", "comment", "cut off", "another type than inside", "private"],
)
def test_parsed_no_key(line: str) -> None:
    assert key_of(line) is None


def test_real_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    path = tmp_path / "key.pub"
    path.write_text(KEY + " a\n")
    told = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], capture_output=True, text=True, check=True).stdout
    key = key_of(KEY)
    assert key is not None and key.fingerprint == told.split()[1]


def test_parsed_key_ends_with_its_last_day() -> None:
    key = key_of(KEY + " a")
    assert key is not None
    assert line_of(key, date(2027, 6, 30)) == f'expiry-time="202706302359" {KEY} a'
    again = key_of(line_of(key, date(2027, 6, 30)))
    assert again is not None and again.fingerprint == key.fingerprint


def _rsa(bits: int) -> str:
    fields = [b"ssh-rsa", b"\x01\x00\x01", b"\x00" + (1 << (bits - 1)).to_bytes(bits // 8, "big")]
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return "ssh-rsa " + base64.b64encode(blob).decode()


@pytest.mark.parametrize(("line", "weak"), [(_rsa(1024), True), (_rsa(2048), False), (OTHER, False)])
def test_constructed_weak_keys_are_not_accepted(line: str, weak: bool) -> None:
    key = key_of(line)
    assert key is not None and bool(weakness(key)) is weak
