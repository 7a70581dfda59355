"""Real accounts, real su and real passwd, asked as a person would meet them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from testinfra.host import Host

GOOD, NEW, WEAK = "Correct-Horse-7-Staple", "Battery*Staple_9_Horse", "password1"
TERMINAL = (Path(__file__).parents[1] / "files" / "change_password.py").read_text(encoding="utf-8")
# The history remembers the passwords of a name, also when the account has been removed in between.
PERSON = f"""
set -e
test ! -e /etc/security/opasswd || sed -i '/^person:/d' /etc/security/opasswd
id person >/dev/null 2>&1 || useradd -m -s /bin/bash person
echo 'person:{GOOD}' | chpasswd
chage -d "$(date -d '10 days ago' +%F)" person
"""


@pytest.fixture
def person(host: Host) -> Iterator[None]:
    done = host.run(PERSON)
    assert done.rc == 0, done.stderr
    yield
    host.run("userdel -r person")


def change(host: Host, *answers: str) -> str:
    """Answer passwd as the person, and return what it said."""
    said: str = host.run(shlex.join(["python3", "-c", TERMINAL, "person", *answers])).stdout
    return said


def test_real_weak_password_is_refused(host: Host, person: None) -> None:
    before = host.run("getent shadow person").stdout
    said = change(host, GOOD, WEAK, WEAK)
    assert "BAD PASSWORD" in said and "status 0" not in said
    assert host.run("getent shadow person").stdout == before


def test_real_strong_password_is_taken(host: Host, person: None) -> None:
    assert "status 0" in change(host, GOOD, NEW, NEW)


def test_real_new_accounts_get_ageing(host: Host, person: None) -> None:
    fields = host.run("getent shadow person").stdout.split(":")
    assert 1 <= int(fields[4]) <= 90


def test_real_only_members_may_use_su(host: Host, person: None) -> None:
    host.run("usermod -s /bin/bash person")
    done = host.run(f"printf '%s\\n' '{GOOD}' | runuser -u person -- su -c id")
    assert "uid=0" not in done.stdout
    assert done.rc != 0
