"""sysctl in effect, modules and core limits."""

from __future__ import annotations

from typing import Any

import pytest

from panshi.facts import FactMissing, Facts, kernel

ACCEPT = "net.ipv4.conf.*.accept_redirects"


def conf(name: str, every: int, own: int, forwarding: int = 0, family: str = "ipv4") -> dict[str, str]:
    head = f"net.{family}.conf"
    return {
        f"{head}.all.{name}": str(every),
        f"{head}.eth0.{name}": str(own),
        f"{head}.eth0.forwarding": str(forwarding),
    }


@pytest.mark.parametrize(
    ("key", "every", "own", "forwarding", "value"),
    [
        # ip-sysctl: on a host one of both is enough, on a router both must be set
        ("net.ipv4.conf.*.accept_redirects", 1, 0, 0, "1"),
        ("net.ipv4.conf.*.accept_redirects", 0, 1, 0, "1"),
        ("net.ipv4.conf.*.accept_redirects", 0, 0, 0, "0"),
        ("net.ipv4.conf.*.accept_redirects", 0, 1, 1, "0"),
        ("net.ipv4.conf.*.accept_redirects", 1, 1, 1, "1"),
        ("net.ipv4.conf.*.send_redirects", 0, 1, 1, "1"),
        ("net.ipv4.conf.*.log_martians", 1, 0, 0, "1"),
        ("net.ipv4.conf.*.accept_source_route", 0, 1, 0, "0"),
        ("net.ipv4.conf.*.accept_source_route", 1, 1, 0, "1"),
        ("net.ipv4.conf.*.rp_filter", 0, 1, 0, "1"),
        ("net.ipv4.conf.*.rp_filter", 2, 1, 0, "2"),
        # IPv6: all does not count, a router never accepts
        ("net.ipv6.conf.*.accept_redirects", 0, 1, 0, "1"),
        ("net.ipv6.conf.*.accept_redirects", 1, 0, 0, "0"),
        ("net.ipv6.conf.*.accept_redirects", 1, 1, 1, "0"),
        ("net.ipv6.conf.*.accept_source_route", 0, 1, 0, "0"),
    ],
)
def test_effective_value_of_an_interface(key: str, every: int, own: int, forwarding: int, value: str) -> None:
    values = conf(key.rpartition(".")[2], every, own, forwarding, key.split(".")[1])
    assert kernel.effective(values, key) == {"eth0": value}


def test_loopback_and_interfaces_without_ipv6_are_left_out() -> None:
    values = {
        "net.ipv6.conf.lo.accept_redirects": "1",
        "net.ipv6.conf.eth0.accept_redirects": "1",
        "net.ipv6.conf.eth0.disable_ipv6": "1",
        "net.ipv6.conf.eth1/100.accept_redirects": "1",
    }
    assert kernel.effective(values, "net.ipv6.conf.*.accept_redirects") == {"eth1/100": "1"}


def test_a_key_that_this_kernel_lacks_has_no_effect() -> None:
    assert kernel.effective({}, "kernel.yama.ptrace_scope") == {}


def test_requirement_names_the_interfaces_that_break_it() -> None:
    values = conf("rp_filter", 0, 0) | {"net.ipv4.conf.default.rp_filter": "0", "net.ipv4.conf.eth1.rp_filter": "1"}
    requirement = kernel.Requirement.parse("net.ipv4.conf.*.rp_filter=1")
    assert requirement.violations(values) == ["net.ipv4.conf.*.rp_filter=0（eth0、新接口）"]
    assert kernel.Requirement.parse("kernel.sysrq=0|176").violations({"kernel.sysrq": "176"}) == []
    assert kernel.Requirement.parse("kernel.sysrq=0|176").violations({"kernel.sysrq": "1"}) == ["kernel.sysrq=1"]


def modprobe(out: str = "", err: str = "", rc: int = 0, loaded: str = "", conf_text: str = "") -> kernel.Module:
    items: dict[str, Any] = {
        "kernel.modprobe": {"cmd": "modprobe -n -v usb-storage", "out": out, "err": err, "rc": rc},
        "kernel.modules": {"cmd": "lsmod", "out": loaded},
        "file:/etc/modprobe.d/x.conf": {"cmd": "cat", "out": conf_text},
    }
    return kernel.module(Facts({"items": items}), "usb-storage")


def test_parsed_modprobe_answers() -> None:
    insmod = "insmod /lib/modules/6.1.0/kernel/drivers/usb/storage/usb-storage.ko \n"
    assert modprobe(insmod).state == "loadable"
    assert modprobe("install /bin/false \n").state == "blocked"
    assert modprobe("install /sbin/modprobe --ignore-install usb-storage\n").state == "loadable"
    assert (
        modprobe("", "modprobe: FATAL: Module usb-storage not found in directory /lib/modules/x", 1).state == "absent"
    )
    assert modprobe(insmod, loaded="ext4\nusb_storage\n").loaded


def test_parsed_modprobe_configuration_in_both_spellings() -> None:
    found = modprobe(
        "install /bin/true\n",
        conf_text="# blacklist usb-storage\nblacklist usb_storage\ninstall usb-storage /bin/true\n",
    )
    assert (found.blacklisted, found.place) == (True, "/etc/modprobe.d/x.conf 第 3 行")
    assert not modprobe(conf_text="blacklist usb-storage-extra\nblacklist uas\n").blacklisted


def test_modprobe_that_does_not_exist_is_missing() -> None:
    with pytest.raises(FactMissing):
        modprobe(rc=127, err="没有这个程序")


def test_the_last_hard_limit_of_a_domain_decides() -> None:
    items = {
        "file:/etc/security/limits.conf": {"cmd": "", "out": "* hard core 0\n#* hard core 5\n@dba soft core 9\n"},
        "file:/etc/security/limits.d/10.conf": {"cmd": "", "out": "* soft core 0\n* - core unlimited # dumps\n"},
    }
    limits = kernel.core_limits(Facts({"items": items}))
    found = kernel.hard_core_limit(limits)
    assert found is not None
    assert (found.value, found.place) == ("unlimited", "/etc/security/limits.d/10.conf 第 2 行")
    assert kernel.hard_core_limit(limits, "root") is None
