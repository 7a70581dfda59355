"""A release as somebody without rights meets it."""

from __future__ import annotations

from testinfra.host import Host


def test_real_release_runs_from_the_link_and_nobody_can_change_it(host: Host) -> None:
    assert host.run("runuser -u nobody -- /opt/shop/current/bin/run.sh").stdout.strip() == "1.0"
    for path in ("bin/run.sh", "conf/app.conf", "version"):
        assert host.run(f"runuser -u nobody -- test -w /opt/shop/current/{path}").rc != 0, path


def test_real_shared_paths_are_outside_of_the_release(host: Host) -> None:
    assert host.run("readlink -f /opt/shop/current/conf").stdout.strip() == "/opt/shop/shared/conf"
    assert host.run("runuser -u nobody -- touch /opt/shop/current/logs/x").rc == 0
    assert host.file("/opt/shop/shared/logs/x").exists


def test_real_nothing_is_left_half_done(host: Host) -> None:
    assert host.run("ls -A /opt/shop").stdout.split() == ["current", "releases", "shared"]
    assert host.run("ls -A /opt/shop/releases").stdout.split() == ["1.0"]
