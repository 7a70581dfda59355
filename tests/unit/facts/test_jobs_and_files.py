"""Schedules, AIDE's selection, temporary files, products and sources of SSH."""

from __future__ import annotations

from typing import Any

import pytest

from panshi.facts import Facts, aide, processes, schedule, ssh_sources, tmpfiles


def facts(items: dict[str, Any], globs: tuple[str, ...] = ("/etc/*",)) -> Facts:
    full = {key: {"cmd": key, **({"out": value} if isinstance(value, str) else value)} for key, value in items.items()}
    return Facts({"globs": list(globs), "items": full})


@pytest.mark.parametrize(
    ("when", "days"),
    [
        ("15 2 * * *", 1),
        ("*/5 * * * *", 1 / 1440 * 60),
        ("0 */6 * * *", 0.25),
        ("0 3 * * 0", 7),
        ("0 3 * * 1,4", 4),
        ("0 3 1 * *", 31),
        ("0 3 */2 * *", 2),
        ("0 3 1 1 *", 366),
        ("@daily", 1),
        ("@reboot", None),
    ],
)
def test_parsed_cron_pause(when: str, days: float | None) -> None:
    (job,) = schedule.parse_cron(f"/etc/cron.d/x:{when} root /usr/bin/restic backup\n")
    assert job.days == pytest.approx(days) if days is not None else job.days is None
    assert schedule.matching([job], ["restic"]) == [job]
    assert schedule.matching([job], ["rest", "res"]) == []


def test_parsed_cron_folders_anacron_and_assignments() -> None:
    text = "/etc/crontab:PATH=/usr/bin\n/etc/cron.weekly/scan:@weekly\n/etc/anacrontab:7 10 weekly nice run-parts /x\n"
    assert [(job.command, job.days) for job in schedule.parse_cron(text)] == [
        ("/etc/cron.weekly/scan", 7),
        ("nice run-parts /x", 7.0),
    ]


def test_parsed_timers() -> None:
    text = (
        "Sun 2026-11-22 00:00:00 UTC 20h left Sat 2026-11-21 00:00:00 UTC 3h ago a.timer a.service\n"
        "Sun 2026-11-22 00:00:00 CST 20h left - - b.timer b.service\n"
        "n/a n/a Sat 2026-11-21 08:00:00 CST 3h ago c.timer c.service\n"
    )
    a, b, c = schedule.parse_timers(text)
    assert (a.command, a.place, a.days) == ("a.service", "a.timer", 1.0)
    assert (b.days, b.last) == (None, None)
    assert c.days is None
    assert c.last == a.last


def test_parsed_aide_selection_through_includes() -> None:
    found, unread = aide.selections(
        facts(
            {
                "file:/etc/aide/aide.conf": "@@define ETC /etc\n"
                "@@x_include /etc/aide/aide.conf.d ^[0-9]\n@@include /opt/x\n"
                "database_in=file:/x\n@@{ETC}/pam\\.d Full\n!/etc/pam\\.d/[[:lower:]]+\\.old$\n=/boot$ p\n",
                "file:/etc/aide/aide.conf.d/10_x": "/etc/(passwd|shadow)$ f Full\n",
                "file:/etc/aide/aide.conf.d/x.bak": "/usr Full\n",
            }
        )
    )
    assert unread == ["/opt/x"]
    watched = {
        p: aide.covered(found, p)
        for p in ("/etc/passwd", "/etc/pam.d/login", "/etc/pam.d/su.old", "/boot", "/boot/x", "/usr")
    }
    assert watched == {
        "/etc/passwd": True,
        "/etc/pam.d/login": True,
        "/etc/pam.d/su.old": False,
        "/boot": True,
        "/boot/x": False,
        "/usr": False,
    }


def test_parsed_tmpfiles_host_file_hides_the_shipped_one() -> None:
    shipped = {"file:/usr/lib/tmpfiles.d/tmp.conf": "q /tmp 1777 root root 10d\nq /var/tmp 1777 root root 30d\n"}
    assert tmpfiles.age(facts(shipped), "/tmp") == tmpfiles.Age(10.0, False, "/usr/lib/tmpfiles.d/tmp.conf 第 1 行")
    own = facts({**shipped, "file:/etc/tmpfiles.d/tmp.conf": "D! /tmp 1777 root root 1w12h\n"})
    assert tmpfiles.age(own, "/tmp") == tmpfiles.Age(7.5, True, "/etc/tmpfiles.d/tmp.conf 第 1 行")
    assert tmpfiles.age(own, "/var/tmp") is None


def test_products_are_recognised_by_running_processes_only() -> None:
    running = facts(
        {"proc.list": "root\t0\t0\t9\t1\twazuh-logcollec\twazuh-logcollector\t\nroot\t0\t0\t8\t1\tbash\tbash\t\n"}
    )
    assert processes.products(running, ["Wazuh=wazuh-agentd,wazuh-logcollector", "ClamAV=clamd"]) == {
        "Wazuh": ["wazuh-logcollector"]
    }


def ssh(items: dict[str, Any]) -> dict[int, str]:
    base = {
        "fw.nft": "",
        "fw.iptables": {"rc": 127},
        "net.addresses": "2: eth0    inet 192.0.2.10/24 scope global eth0\n"
        "2: eth0    inet6 2001:db8::10/64 scope global \n",
        "net.listen": 'tcp LISTEN 0 0 *:22 *:* users:(("sshd",pid=1,fd=3))\n',
        "sshd.effective": "port 22\n",
        "pkg.dpkg": "libwrap0\t7.6\tamd64\tinstall ok installed\ttcp-wrappers\t7.6\n",
    }
    return {door.version: door.reach.text for door in ssh_sources.doors(facts(base | items))}


def test_parsed_ssh_is_open_when_no_layer_limits_it() -> None:
    assert ssh({}) == {4: "任意地址", 6: "任意地址"}


def test_parsed_allow_users_limits_only_when_every_pattern_names_a_host() -> None:
    assert ssh({"sshd.effective": "port 22\nallowusers ops@198.51.100.0/24\nallowusers adm@2001:db8:1::/48\n"}) == {
        4: "198.51.100.0/24",
        6: "2001:db8:1::/48",
    }
    assert ssh({"sshd.effective": "port 22\nallowusers ops@198.51.100.* bob\n"})[4] == "任意地址"
    assert ssh({"sshd.effective": "port 22\nallowusers ops@bastion.example\n"})[4] == "sshd 中的 bastion.example"


def test_parsed_tcp_wrappers_count_where_sshd_asks_them() -> None:
    wrappers = {
        "file:/etc/hosts.allow": "# all\nsshd : 198.51.100. [2001:db8:2::]/64 : allow\nvsftpd: ALL\n",
        "file:/etc/hosts.deny": "ALL: ALL\n",
    }
    assert ssh(wrappers) == {4: "198.51.100.0/24", 6: "2001:db8:2::/64"}
    assert ssh({**wrappers, "file:/etc/hosts.deny": "vsftpd: ALL\n"})[4] == "任意地址"
    assert ssh({**wrappers, "pkg.dpkg": "bash\t5\tamd64\tinstall ok installed\tbash\t5\n"})[4] == "任意地址"
    assert ssh({**wrappers, "sshd.effective": "port 22\nallowusers ops@198.51.100.7\n"})[4] == "198.51.100.7/32"


def test_parsed_loopback_and_link_local_are_no_doors() -> None:
    assert ssh({"net.listen": "tcp LISTEN 0 0 127.0.0.1:22 0.0.0.0:*\n"}) == {}
    link = "2: eth0    inet6 fe80::1/64 scope link \n"
    assert ssh({"net.addresses": link}) == {}
