"""The controller killed, and the network cut, at every boundary of the rotation of users of Redis, nginx and Tomcat.

    pytest tests/jobs/test_rotate_files_crash.py -v        # its lines are the table

Each line is one accident at one boundary, the re-run, and what is true then: exactly one password works, and it is the
store's current one. The line of a boundary that is not met, or that loses a password, fails.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from file_targets import CACHE_ADMIN, DEFAULT_USER, HOST, MANAGED, NGINX, TOMCAT, Users, users

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.crash]
_WRITE = ("before _temporary", "after _temporary", "before _sync_folder", "after _sync_folder")
_BEGIN = ("start", "before which", "after which", *_WRITE, "before set", "during set", "after set")
_PROVE = ("before prove", "after prove")
# From the first question to the target, to the record that is not written any more: see rotate/sitecustomize.py.
FILE = (*_BEGIN, *_PROVE, "before refused", "after refused", *_WRITE, "end")
REDIS = (
    *(*_BEGIN, *_PROVE, "before retire", "after retire"),
    *("before refused", *_PROVE, "after refused", *_WRITE, "end"),
)
# A user whose password stands in clear too, one who changes itself and the others, and the two formats of files.
KINDS: dict[str, tuple[dict[str, Any], tuple[str, str], tuple[str, ...]]] = {
    "requirepass": (DEFAULT_USER, (HOST, "redis/default"), REDIS),
    "aclfile": (CACHE_ADMIN, ("cache", "redis/default"), REDIS),
    "htpasswd": (NGINX, (HOST, "htpasswd/deployer"), FILE),
    "tomcat": (MANAGED, (HOST, "tomcat/deployer"), FILE),
}
LINES = [
    pytest.param(kind, accident, point, name, id=f"{kind} {accident} {point:02d} {name}")
    for kind, (_, _, points) in KINDS.items()
    for accident in ("kill", "cut")
    for point, name in enumerate(points)
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    with users(tmp_path_factory.mktemp("crash")) as made:
        # A host whose network was cut has lost its way out, and installs nothing any more.
        made.install(TOMCAT)
        yield made


@pytest.fixture(scope="module")
def kind(made: Users, request: pytest.FixtureRequest) -> str:
    made.declare(KINDS[request.param][0])
    done = made.rotate()
    assert done.status == 0, done.out[-3000:]
    return str(request.param)


@pytest.mark.parametrize(("kind", "accident", "point", "name"), LINES, indirect=["kind"])
def test_real_accident_loses_no_password(made: Users, kind: str, accident: str, point: int, name: str) -> None:
    one = KINDS[kind][1]
    if made.entry(*one).pending is not None:
        # What one accident has broken is not told again by the next one.
        made.rotate()
    command = "kill"
    if accident == "cut":
        pid = made.copies.podman("inspect", "--format", "{{.State.Pid}}", f"{made.copies.lab}-{HOST}").strip()
        command = f"nsenter --target {pid} --net ip link set eth0 down"
    met = made.accident(point, command)
    if accident == "cut":
        made.copies.in_network_of(HOST, "ip", "link", "set", "eth0", "up")
        time.sleep(1)
    assert met == name
    assert made.known(*one)
    done = made.rotate()
    assert done.status == 0, done.out[-3000:]
    made.whole(*one)


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_real_rotation_has_no_boundary_after_the_last(made: Users, kind: str) -> None:
    _, one, points = KINDS[kind]
    assert made.accident(len(points), "kill") == ""
    made.whole(*one)
