"""Passwords of databases, Redis and user files, rotated as loudly as can be: they are where the product keeps them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from canaries import Search
from database import PRIMARY, REPLICA, databases
from file_targets import CACHE_ADMIN, CACHE_USER, DEFAULT_USER, HOST, KEEPER_USER, MANAGED, NGINX, TOMCAT, users
from rotation import Rotation

pytestmark = [pytest.mark.lab, pytest.mark.long]


def rotated_twice(made: Rotation, *hosts: str, limit: str) -> tuple[Search, set[str], set[str]]:
    """Rotate what is declared twice; return the search, the passwords of now and those of before."""
    search = Search(
        made.copies, hosts, [made.operator.records, made.copies.folder, Path("/dev/shm")], made.copies.folder
    )
    folder = made.operator.records / "tmp"
    folder.mkdir()
    environment = {"ANSIBLE_LOG_PATH": str(made.operator.records / "ansible.log")}
    environment |= {"TMPDIR": str(folder), "ANSIBLE_LOCAL_TEMP": str(folder)}
    for _ in range(2):
        with search.watching():
            done = made.rotate("-vvv", "--limit", limit, environment=environment)
        assert done.status == 0, done.out[-3000:]
        search.outputs.append(done.out)
    search.commit()
    entries = [made.store.read(secret) for secret in made.store.names()]
    now = {entry.current.value for entry in entries if entry.current is not None}
    return search, now, {entry.previous[0].value for entry in entries}


def test_real_databases(tmp_path: Path) -> None:
    with databases(tmp_path) as made:
        search, now, before = rotated_twice(made, PRIMARY, REPLICA, limit=PRIMARY)
        assert len(now) == len(before) == 3
        assert search.leaks(before) == set()
        assert search.leaks(now) == {"file there"}
        # What the program reads, and what a MariaDB replica itself writes down to log in by.
        assert search.files_there(now) == {(REPLICA, "/etc/shop/shop.conf"), (REPLICA, "/var/lib/mysql/master.info")}


def test_real_redis_and_user_files(tmp_path: Path) -> None:
    with users(tmp_path) as made:
        made.install(TOMCAT)
        made.declare(KEEPER_USER, DEFAULT_USER, CACHE_ADMIN, CACHE_USER, NGINX, MANAGED)
        search, now, before = rotated_twice(made, HOST, limit=HOST)
        assert len(now) == len(before) == 6
        assert search.leaks(before) == set()
        assert search.leaks(now) == {"file there"}
        # Both hold one password in the clear, as they did before: requirepass, and a file that has no digests.
        clear = {(HOST, "/etc/redis/redis.conf"), (HOST, "/etc/tomcat10/tomcat-users.xml")}
        assert search.files_there(now) == clear
