"""A host that had no Python has one that Ansible can use."""

from __future__ import annotations

from testinfra.host import Host


def test_real_python_is_new_enough_and_whole(host: Host) -> None:
    done = host.run("python3 -c 'import sys, json, ssl, subprocess; print(sys.version_info >= (3, 8))'")
    assert (done.rc, done.stdout) == (0, "True\n")
