"""Modes as the kernel enforces them, tried by somebody without rights."""

from __future__ import annotations

from testinfra.host import Host


def test_real_nobody_reads_secrets_and_jobs(host: Host) -> None:
    for path in ("/etc/shadow", "/etc/gshadow", "/etc/crontab", "/home/ops"):
        if host.file(path).exists:
            command = "ls" if host.file(path).is_directory else "cat"
            assert host.run(f"runuser -u nobody -- {command} {path}").rc != 0, path


def test_real_everybody_still_reads_names(host: Host) -> None:
    assert host.run("runuser -u nobody -- getent passwd root").rc == 0
