"""The filters of the roles: pure data in, pure data out."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "filter_plugins"


def load(name: str) -> ModuleType:
    """Return a file of filter_plugins/ as Ansible loads it: by path, not as part of a package."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sysctl, ports, units, files, match = (load(f"panshi_{name}") for name in ("sysctl", "ports", "units", "files", "match"))

SS = """\
udp UNCONN 0 0 0.0.0.0:68 0.0.0.0:* users:(("dhclient",pid=1,fd=3))
udp UNCONN 0 0 0.0.0.0:41234 0.0.0.0:* users:(("rsyslogd",pid=1,fd=3))
tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=87,fd=3))
tcp LISTEN 0 128 [::]:22 [::]:* users:(("sshd",pid=87,fd=4))
tcp LISTEN 0 128 127.0.0.1:25 0.0.0.0:* users:(("exim4",pid=9,fd=4))
tcp LISTEN 0 128 *:9100 *:* users:(("node_exporter",pid=10,fd=4))
tcp LISTEN 0 128 *:445 *:* users:(("smbd",pid=11,fd=4))
"""


def test_parsed_sysctl_values_cover_every_interface_and_begin_with_forwarding() -> None:
    """The kernel resets what interfaces accept when forwarding changes, so it has to be the first."""
    given = ["net.ipv4.ip_forward=0", "net.ipv4.conf.*.rp_filter=1|2"]
    values = sysctl.sysctl_values(given, ["eth1", "eth0.100"])
    assert list(values.items()) == [
        ("net.ipv4.ip_forward", "0"),
        ("net.ipv4.conf.all.rp_filter", "1"),
        ("net.ipv4.conf.default.rp_filter", "1"),
        ("net.ipv4.conf.eth0/100.rp_filter", "1"),
        ("net.ipv4.conf.eth1.rp_filter", "1"),
    ]


def test_parsed_sysctl_lines_replace_the_glob_of_the_distribution() -> None:
    """Debian 13 sets rp_filter to 2 by a glob line, which wins on interfaces unless the same line is given again."""
    lines = sysctl.sysctl_lines(["net.ipv4.conf.*.rp_filter=1", "kernel.sysrq=0|176"], ["eth0"])
    assert lines == [
        "-net.ipv4.conf.*.rp_filter = 1",
        "net.ipv4.conf.all.rp_filter = 1",
        "net.ipv4.conf.default.rp_filter = 1",
        "net.ipv4.conf.eth0.rp_filter = 1",
        "kernel.sysrq = 0",
    ]


@pytest.mark.parametrize(
    ("address", "sources", "inside"),
    [
        ("198.51.100.7", ["198.51.100.0/28"], True),
        ("198.51.100.17", ["198.51.100.0/28"], False),
        ("::ffff:198.51.100.7", ["198.51.100.7"], True),
        ("2001:db8::7", ["198.51.100.0/24", "2001:db8::/64"], True),
        ("fe80::1%eth0", ["2001:db8::/64"], False),
        ("198.51.100.7", [], False),
    ],
)
def test_parsed_client_is_covered_by_the_management_sources(address: str, sources: list[str], inside: bool) -> None:
    """Networks of the other IP version say nothing; an IPv4 address may come in mapped into IPv6."""
    assert ports.covered(address, sources) is inside


def test_parsed_listening_leaves_out_loopback_and_clients() -> None:
    """What a firewall would cut off is what others can reach, not the sockets of clients."""
    found = ports.listening(SS)
    assert [one["endpoint"] for one in found] == ["22/tcp", "445/tcp", "9100/tcp"]
    assert found[0]["owners"] == ["sshd"]
    allowed = ports.endpoints([{"port": "9000-9200", "proto": "tcp"}, {"proto": "vrrp"}])
    assert [one["endpoint"] for one in ports.not_in_ports(found, allowed)] == ["22/tcp", "445/tcp"]
    assert [one["endpoint"] for one in ports.in_ports(found, ["445/tcp", "9100/udp"])] == ["445/tcp"]


UNITS = {
    "telnet.socket": {"enabled": "enabled", "active": True},
    "cups.service": {"enabled": "enabled", "active": True},
    "cups.socket": {"enabled": "disabled", "active": True},
    "rpcbind.service": {"enabled": "disabled", "active": False},
    "avahi-daemon.service": {"enabled": "masked", "active": False},
    "nfs-server.service": {"enabled": "enabled", "active": False},
    "printing.service": {"enabled": "static", "active": True},
}
GROUPS = [
    {"title": "明文管理", "units": ["telnet.socket"], "checks": ["linux-telnet-absent"]},
    {
        "title": "多余的服务",
        "units": ["telnet.socket", "cups.*", "rpcbind.*", "avahi-daemon.*", "nfs-server.service"],
        "checks": ["linux-unneeded-services"],
    },
]


def test_parsed_units_that_live_are_surplus() -> None:
    """A masked or idle unit needs nothing, an approved one stays, a doubly named one has the checks of both groups."""
    found = units.surplus(UNITS, GROUPS, ["nfs-*"])
    assert list(found) == ["cups.service", "cups.socket", "telnet.socket"]
    assert found["telnet.socket"] == {
        "title": "明文管理",
        "checks": ["linux-telnet-absent", "linux-unneeded-services"],
    }


def test_parsed_steps_stop_services_then_sockets_and_mask_last() -> None:
    """Backwards, as an undo goes, the socket starts before its service, and both are unmasked before."""
    found = units.surplus(UNITS, GROUPS, ["nfs-*"])
    shown = "Id=telnet.socket\nFragmentPath=/etc/systemd/system/telnet.socket\n\nId=cups.socket\nFragmentPath=/lib/x\n"
    assert [step["unit"] for step in units.stop_steps(found, shown, [])] == [
        {"name": "cups.service", "state": "stopped"},
        {"name": "cups.socket", "state": "stopped"},
        {"name": "telnet.socket", "state": "stopped"},
        {"name": "cups.service", "state": "stopped", "masked": True},
        {"name": "cups.socket", "state": "stopped", "masked": True},
        {"name": "telnet.socket", "state": "stopped", "enabled": False},
    ]
    assert not units.stop_steps(found, shown, list(found))


def test_parsed_running_dependents_are_named() -> None:
    """Units that are stopped as well, or do not run, are no reason to keep one."""
    shown = (
        "Id=cups.service\nRequiredBy=printing.service rpcbind.service\nBoundBy=\nRequisiteOf=\n\n"
        "Id=cups.socket\nRequiredBy=cups.service\nBoundBy=\nRequisiteOf=\n"
    )
    assert units.dependents(shown, UNITS, ["cups.service", "cups.socket"]) == {"cups.service": ["printing.service"]}


def test_parsed_scan_sorts_paths_by_the_kinds_of_the_audit() -> None:
    """A path with spaces stays whole; a sticky directory is fine."""
    text = (
        "f 4755 /usr/bin/su\nf 666 /srv/up load\nd 777 /srv/drop\nf 664 /etc/app.conf\n"
        "cron oracle\nat root\nhome web /home/we b\nhome ops /home/ops\n"
    )
    assert files.homes(text, ["ops"]) == ["/home/we b"]
    assert files.scanned(text) == {
        "suid": ["/usr/bin/su"],
        "ww_file": ["/srv/up load"],
        "ww_dir": ["/srv/drop"],
        "etc_wide": ["/etc/app.conf"],
        "cron": ["oracle"],
        "at": ["root"],
    }


def test_parsed_limits_take_the_first_group_that_the_host_has() -> None:
    """Rpm systems have no group shadow or crontab."""
    lines = ["/etc/shadow 0640 root:shadow,root"]
    with_group, without = (
        files.limit_steps(lines, groups, "账户文件权限", "linux-perm-account-files")[0]["attributes"]
        for groups in (["shadow"], [])
    )
    assert with_group == {"paths": ["/etc/shadow"], "max_mode": "0640", "owner": "root", "group": "shadow"}
    assert without["group"] == "root"


def test_parsed_set_id_programs_outside_the_baseline() -> None:
    """/bin/su is the baseline's /usr/bin/su on hosts without a merged /usr."""
    assert files.outside(["/bin/su", "/opt/a[1]/probe"], ["/usr/bin/su"]) == ["/opt/a[1]/probe"]
    assert files.literal(["/opt/a[1]/probe"]) == ["/opt/a[[]1]/probe"]


def test_parsed_names_match_any_glob() -> None:
    """The order of the names is kept."""
    assert match.matching(["docker0", "eth0", "veth1"], ["veth*", "docker*"]) == ["docker0", "veth1"]
    assert match.not_matching(["docker0", "eth0"], ["docker*"]) == ["eth0"]
