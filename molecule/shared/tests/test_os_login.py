"""Real passwd, real su and real faillock counters, asked as a person would meet them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

GOOD, WEAK = "Correct-Horse-7-Staple", "password1"
PERSON = f"""
id person >/dev/null 2>&1 || useradd -m -s /bin/bash person
echo 'person:{GOOD}' | chpasswd
chage -d "$(date -d '10 days ago' +%F)" person
"""
CHANGE = "printf '%s\\n' '{0}' '{1}' '{1}' | LC_ALL=C runuser -u person -- passwd"


@pytest.fixture
def person(host: Host) -> Iterator[None]:
    done = host.run(PERSON)
    assert done.rc == 0, done.stderr
    yield
    host.run("userdel -r person")


def test_real_weak_password_is_refused(host: Host, person: None) -> None:
    before = host.run("getent shadow person").stdout
    done = host.run(CHANGE.format(GOOD, WEAK))
    assert done.rc != 0
    assert "BAD PASSWORD" in done.stdout + done.stderr
    assert host.run("getent shadow person").stdout == before


def test_real_strong_password_is_taken(host: Host, person: None) -> None:
    assert host.run(CHANGE.format(GOOD, "Battery*Staple_9_Horse")).rc == 0


def test_real_new_accounts_get_ageing(host: Host, person: None) -> None:
    fields = host.run("getent shadow person").stdout.split(":")
    assert 1 <= int(fields[4]) <= 90


def test_real_only_members_may_use_su(host: Host, person: None) -> None:
    host.run("usermod -s /bin/bash person")
    done = host.run(f"printf '%s\\n' '{GOOD}' | runuser -u person -- su -c id")
    assert "uid=0" not in done.stdout
    assert done.rc != 0
