"""The controller killed, and the network cut, at every boundary of the rotation of a database account in use."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from database import PRIMARY, SCOPE, Databases, databases, declare, declared

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.crash]
# See rotate/sitecustomize.py; of several boundaries with one name the first, which is where the pending one is stored.
POINTS = (
    "before ready",
    "after ready",
    "before which",
    "after which",
    "before _temporary",
    "after _sync_folder",
    "before set",
    "during set",
    "after set",
    "before prove",
    "after prove",
    "before update",
    "during update",
    "after update",
    "before retire",
    "after retire",
    "before refused",
    "after refused",
    "end",
)


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    with databases(tmp_path_factory.mktemp("crash")) as made:
        done = made.rotate("--limit", PRIMARY)
        assert done.status == 0, done.out[-3000:]
        yield made


def suffer(rotated: Databases, account: str, point: str, accident: str) -> str:
    """Make an accident and go on after it; return a line of the table."""
    failed = rotated.written("failed")
    assert rotated.accident(point, accident, "--limit", PRIMARY) == point
    if accident != "kill":
        rotated.copies.in_network_of(PRIMARY, "ip", "link", "set", "eth0", "up")
        time.sleep(3)
    assert rotated.known(SCOPE, account), point
    pending = "pending" if rotated.entry(SCOPE, account).pending else "no pending"
    done = rotated.rotate("--limit", PRIMARY)
    assert done.status == 0, (point, done.out[-3000:])
    rotated.whole(SCOPE, account)
    what = "kill" if accident == "kill" else "cut"
    return f"{account} | {what} | {point} | {pending} | {rotated.written('failed') - failed} failed"


@pytest.mark.parametrize("account", ["app", "repl"])
def test_real_kill_of_the_controller_at_every_boundary_loses_no_password(rotated: Databases, account: str) -> None:
    with declare(rotated.copies, [one for one in declared() if one["account"] == account]):
        for point in POINTS:
            print(suffer(rotated, account, point, "kill"), flush=True)


@pytest.mark.parametrize("account", ["app", "repl"])
def test_real_cut_of_the_network_at_every_boundary_loses_no_password(rotated: Databases, account: str) -> None:
    container = f"{rotated.copies.lab}-{PRIMARY}"
    pid = rotated.copies.podman("inspect", "--format", "{{.State.Pid}}", container).strip()
    cut = f"nsenter --target {pid} --net ip link set eth0 down"
    with declare(rotated.copies, [one for one in declared() if one["account"] == account]):
        for point in POINTS:
            print(suffer(rotated, account, point, cut), flush=True)
