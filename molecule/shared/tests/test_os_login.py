"""Real accounts and real su, asked as a person would meet them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

GOOD = "Correct-Horse-7-Staple"
PERSON = f"""
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


def test_real_new_accounts_get_ageing(host: Host, person: None) -> None:
    fields = host.run("getent shadow person").stdout.split(":")
    assert 1 <= int(fields[4]) <= 90


def test_real_only_members_may_use_su(host: Host, person: None) -> None:
    host.run("usermod -s /bin/bash person")
    done = host.run(f"printf '%s\\n' '{GOOD}' | runuser -u person -- su -c id")
    assert "uid=0" not in done.stdout
    assert done.rc != 0
