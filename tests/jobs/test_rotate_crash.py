"""The controller killed, and the network cut, at every boundary of a rotation, on every kind of host."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from rotation import HOSTS, Rotation, rotation

pytestmark = [pytest.mark.lab, pytest.mark.long]
# From the first question to the target, to the record that is not written any more: see rotate/sitecustomize.py.
POINTS = range(21)


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotation]:
    # Not the network of the hosts that other long tests keep until the end.
    with rotation(tmp_path_factory.mktemp("crash"), "203.0.113.128/27") as made:
        made.copies.variables(accounts_passwords=["ops"])
        done = made.rotate()
        assert done.status == 0, done.out[-3000:]
        yield made


def mended(rotated: Rotation, name: str, host: str) -> None:
    assert name
    assert rotated.known(host, "ops"), name
    done = rotated.rotate("--limit", host)
    assert done.status == 0, (name, done.out[-3000:])
    rotated.whole(host, "ops")


@pytest.mark.parametrize("host", HOSTS)
def test_real_kill_of_the_controller_at_every_boundary_loses_no_password(rotated: Rotation, host: str) -> None:
    names = []
    for point in POINTS:
        name = rotated.accident(point, "kill", "--limit", host)
        mended(rotated, name, host)
        names.append(name)
    assert len(set(names)) > 12 and names[-1] == "end", names


@pytest.mark.parametrize("host", HOSTS)
def test_real_cut_of_the_network_at_every_boundary_loses_no_password(rotated: Rotation, host: str) -> None:
    container = f"{rotated.copies.lab}-{host}"
    pid = rotated.copies.podman("inspect", "--format", "{{.State.Pid}}", container).strip()
    link = f"nsenter --target {pid} --net ip link set eth0"
    for point in POINTS:
        name = rotated.accident(point, f"{link} down", "--limit", host)
        rotated.copies.in_network_of(host, "ip", "link", "set", "eth0", "up")
        time.sleep(1)
        mended(rotated, name, host)
