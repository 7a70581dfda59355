"""Users of Redis and of nginx on a real host: rotated for good, by hashes, side by side, killed, and left alone."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from file_targets import CACHE_USER, DEFAULT_USER, HOST, KEEPER_USER, NGINX, Users, users

pytestmark = [pytest.mark.lab]
SHOP, KEEPER, DEFAULT = ("cache", "redis/shop"), (HOST, "redis/keeper"), (HOST, "redis/default")
DEPLOYER = (HOST, "htpasswd/deployer")
ALL = (SHOP, KEEPER, DEFAULT, DEPLOYER)
RESTART = "systemctl restart redis-server redis-server@cache"


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    with users(tmp_path_factory.mktemp("files")) as made:
        made.declare(KEEPER_USER, DEFAULT_USER, CACHE_USER, NGINX)
        done = made.rotate()
        assert done.status == 0, done.out[-3000:]
        yield made


def test_real_second_rotation_is_proven_for_good_and_told_by_hashes_only(rotated: Users) -> None:
    old = {one: rotated.value(*one) for one in ALL}
    others = rotated.sh("grep -v ^deployer: /etc/nginx/users")
    watching = "redis-cli --user keeper MONITOR </dev/null >/root/monitored 2>&1"
    rotated.sh(f"REDISCLI_AUTH='{old[KEEPER]}' timeout 300 {watching} & sleep 1")
    done = rotated.rotate(ticket="CHG-2026-102")
    assert done.status == 0, done.out[-3000:]
    rows = rotated.rows()
    for scope, account in ALL:
        kind, _, name = account.partition("/")
        events = [row.event for row in rows if (row.host, row.target, row.account) == (scope, kind, name)]
        retired = ["retired"] if kind == "redis" else []
        assert events == ["pending", "set", "proved", *retired, "refused", "promoted"]
    # Who changes the others of its server goes after them.
    assert [row.account for row in rows if row.event == "set"] == ["default", "shop", "deployer", "keeper"]
    rotated.sh(RESTART)
    time.sleep(1)
    for one in ALL:
        rotated.whole(*one)
        assert rotated.value(*one) != old[one]
    assert rotated.sh("grep -v ^deployer: /etc/nginx/users") == others
    assert rotated.sh("stat -c %a%G /etc/nginx/users").strip() == "640www-data"
    seen = rotated.sh("cat /root/monitored")
    assert '"AUTH" "(redacted)"' in seen, seen
    values = [*old.values(), *(rotated.value(*one) for one in ALL)]
    log = rotated.sh("journalctl --no-pager; cat /var/log/redis/* /var/log/nginx/*")
    clear = rotated.value(*DEFAULT)
    assert all(value not in seen and value not in log for value in values)
    folders = "/etc /home /root /run /tmp /var /dev/shm"
    for value in values:
        found = rotated.copies.sh(HOST, f"grep -rlF -D skip -e '{value}' {folders} 2>/dev/null", check=False).split()
        # The server itself keeps what requirepass set in clear; nothing else does, and not the old one.
        assert found == (["/etc/redis/redis.conf"] if value == clear else [])


def test_real_old_and_new_password_work_side_by_side_until_the_old_one_is_retired(rotated: Users) -> None:
    rotated.declare(CACHE_USER)
    old = rotated.value(*SHOP)
    assert rotated.accident(12, "kill") == "before retire"
    new = rotated.entry(*SHOP).known()["pending"]
    assert rotated.let_in(*SHOP, old) and rotated.let_in(*SHOP, new)
    rotated.sh(RESTART)
    time.sleep(1)
    assert rotated.let_in(*SHOP, old) and rotated.let_in(*SHOP, new)
    done = rotated.rotate()
    assert done.status == 0, done.out[-3000:]
    assert [row.event for row in rotated.rows()] == ["resolved", "proved", "retired", "refused", "promoted"]
    assert rotated.value(*SHOP) == new
    rotated.whole(*SHOP)


SITE = "/etc/nginx/sites-enabled/default; nginx -s reload; sleep 1"


@pytest.mark.parametrize(
    ("broken", "mended", "said"),
    [
        # A password that would be gone with the next restart is not set at all.
        ("chmod 500 /etc/redis", "chmod 2770 /etc/redis", "PS-E7130.*重启后密码会丢失"),
        (
            "sed -i s/^deployer/some/ /etc/nginx/users",
            "sed -i s/^some/deployer/ /etc/nginx/users",
            "PS-E7131.*没有这个",
        ),
        pytest.param(
            f"sed -i s/auth_/#/g {SITE}",
            f"sed -i s/#/auth_/g {SITE}",
            "PS-E7131.*没有要求 HTTP Basic 口令",
            marks=pytest.mark.long,
        ),
    ],
    ids=["not kept", "no such user", "no password asked for"],
)
def test_real_account_that_cannot_be_rotated_is_left_alone(rotated: Users, broken: str, mended: str, said: str) -> None:
    redis = "PS-E7130" in said
    rotated.declare(CACHE_USER if redis else NGINX)
    one = SHOP if redis else DEPLOYER
    old = rotated.value(*one)
    rotated.sh(broken)
    try:
        done = rotated.rotate()
    finally:
        rotated.sh(mended)
    assert done.status != 0 and re.search(said, done.out), done.out[-3000:]
    assert rotated.entry(*one).pending is None and rotated.value(*one) == old
    rotated.whole(*one)
