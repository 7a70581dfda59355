"""What sudo grants and what the account database says."""

from __future__ import annotations

from testinfra.host import Host


def test_real_default_accounts_cannot_log_in(host: Host) -> None:
    for name in ("games", "lp", "news"):
        entry = host.run(f"getent passwd {name}").stdout.strip()
        if entry:
            assert entry.endswith(("nologin", "false")), entry
            assert host.run(f"getent shadow {name}").stdout.split(":")[1].startswith(("!", "*"))


def test_real_sudoers_are_valid_and_the_operator_keeps_sudo(host: Host) -> None:
    assert host.run("visudo -c").rc == 0
    assert host.run("su - ops -c 'sudo -n id -u'").stdout.strip() == "0"
