"""The controller killed, and the network cut, at every boundary of a rotation, on every kind of host.

    pytest tests/jobs/rotate_crash.py -v        # half an hour; its lines are the table

Each line is one accident at one boundary, the re-run, and what is true then: exactly one password works, and it is the
store's current one. The line of a boundary that is not met, or that loses a password, fails.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from rotation import HOSTS, Rotation, rotation

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.crash]
_WRITE = ("before _temporary", "after _temporary", "before _sync_folder", "after _sync_folder")
# From the first question to the target, to the record that is not written any more: see rotate/sitecustomize.py.
POINTS = (
    *("start", "before which", "after which", *_WRITE),
    *("before set", "during set", "after set", "before prove", "after prove"),
    *("before refused", "before prove", "after prove", "after refused", *_WRITE, "end"),
)


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotation]:
    # Not the network of the hosts that other long tests keep until the end.
    with rotation(tmp_path_factory.mktemp("crash"), "203.0.113.128/27", "panshi-lab-gls") as made:
        made.copies.variables(accounts_passwords=["ops"])
        done = made.rotate()
        assert done.status == 0, done.out[-3000:]
        yield made


def mended(rotated: Rotation, host: str) -> None:
    assert rotated.known(host, "ops")
    done = rotated.rotate("--limit", host)
    assert done.status == 0, done.out[-3000:]
    rotated.whole(host, "ops")


@pytest.fixture(autouse=True)
def begun(rotated: Rotation, request: pytest.FixtureRequest) -> None:
    """What one accident has broken is not told again by the next one."""
    host = request.getfixturevalue("host")
    if rotated.entry(host, "ops").pending is not None:
        rotated.rotate("--limit", host)


def every_boundary(accident: str) -> pytest.MarkDecorator:
    ids = [f"{accident} {number:02d} {name}" for number, name in enumerate(POINTS)]
    return pytest.mark.parametrize(("point", "name"), list(enumerate(POINTS)), ids=ids)


@pytest.mark.parametrize("host", HOSTS)
@every_boundary("kill")
def test_real_kill_of_the_controller_loses_no_password(rotated: Rotation, host: str, point: int, name: str) -> None:
    assert rotated.accident(point, "kill", "--limit", host) == name
    mended(rotated, host)


@pytest.mark.parametrize("host", HOSTS)
@every_boundary("cut")
def test_real_cut_of_the_network_loses_no_password(rotated: Rotation, host: str, point: int, name: str) -> None:
    container = f"{rotated.copies.lab}-{host}"
    pid = rotated.copies.podman("inspect", "--format", "{{.State.Pid}}", container).strip()
    link = f"nsenter --target {pid} --net ip link set eth0"
    met = rotated.accident(point, f"{link} down", "--limit", host)
    rotated.copies.in_network_of(host, "ip", "link", "set", "eth0", "up")
    time.sleep(1)
    assert met == name
    mended(rotated, host)


@pytest.mark.parametrize("host", HOSTS)
def test_real_rotation_has_no_boundary_after_the_last(rotated: Rotation, host: str) -> None:
    assert rotated.accident(len(POINTS), "kill", "--limit", host) == ""
    rotated.whole(host, "ops")
