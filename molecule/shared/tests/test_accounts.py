"""Who can do what, as the host's own programs say: id, sudo, chage, crontab, ps."""

from __future__ import annotations

import pytest
from testinfra.host import Host

WANG = "AAAAC3NzaC1lZDI1NTE5AAAAIAXLSM/DOKYUAJ6XfJ40BZk8dU2Z7KgsvHPW7t4poDmD"


def test_real_declared_people_have_their_groups_keys_and_last_day(host: Host) -> None:
    assert set(host.run("id -Gn chenxt").stdout.split()) == {"chenxt", "web", "sysadm"}
    assert "Account expires\t\t\t\t\t\t: Jan 01, 2100" in host.run("LC_ALL=C chage -l chenxt").stdout
    keys = host.file("/home/chenxt/.ssh/authorized_keys")
    assert 'expiry-time="209912312359" ssh-ed25519' in keys.content_string and WANG not in keys.content_string
    assert keys.mode == 0o600 and keys.user == "chenxt"


def test_real_three_roles_may_do_what_they_are_for_and_nothing_else(host: Host) -> None:
    assert host.run("visudo -c").rc == 0
    told = {name: host.run(f"LC_ALL=C sudo -l -U {name} | cat").stdout for name in ("chenxt", "liuaq", "zhaosj")}
    assert (
        "systemctl --no-pager --failed" in told["chenxt"]
        and "sshd -T" in told["liuaq"]
        and "auditctl -s" in told["zhaosj"]
    )
    assert "(root) /usr/bin/systemctl restart cron.service" in told["chenxt"]
    assert all("(ALL" not in text and "NOPASSWD: ALL" not in text for text in told.values())
    assert host.run("runuser -u liuaq -- sudo -n /usr/sbin/sshd -T").rc == 0
    # broken on purpose: what was not granted, a free argument, somebody else's command
    for command in ("id", "/usr/sbin/sshd -T -f /etc/shadow", "/usr/bin/systemctl daemon-reload"):
        assert host.run(f"runuser -u liuaq -- sudo -n {command}").rc != 0


def test_real_service_account_has_no_shell_and_no_sudo(host: Host) -> None:
    assert host.run("getent passwd appsvc").stdout.strip().endswith(":/usr/sbin/nologin")
    assert "not allowed" in host.run("LC_ALL=C sudo -l -U appsvc").stdout


def test_real_nothing_is_left_of_who_has_left(host: Host) -> None:
    assert host.run("id -Gn wanglei").stdout.split() == ["wanglei"]
    fields = host.run("getent shadow wanglei").stdout.strip().split(":")
    assert fields[1].startswith("!") and fields[7] == "1"
    assert host.run("ps -o pid= -u wanglei").stdout.strip() == ""
    assert host.run("crontab -u wanglei -l").rc != 0
    assert not host.file("/home/wanglei/.ssh/authorized_keys").exists and host.file("/home/wanglei").exists


@pytest.mark.parametrize("name", ["ops", "rescue"])
def test_real_the_ways_in_are_open(host: Host, name: str) -> None:
    assert host.run(f"runuser -u {name} -- sudo -n id -u").stdout.strip() == "0"


def test_real_undeclared_account_is_closed(host: Host) -> None:
    fields = host.run("getent shadow stray").stdout.strip().split(":")
    assert fields[1].startswith("!") and fields[7] == "1"
