"""Unit states: the running state and the state at boot, from three systemctl answers."""

from __future__ import annotations

import pytest

from panshi.facts import FactMissing, Facts
from panshi.facts.systemd import first_running, parse_show, parse_unit_files, parse_units, unit

UNITS = """\
  UNIT                     LOAD      ACTIVE   SUB     DESCRIPTION
  auditd.service           loaded    active   running Security Auditing Service
● nginx.service            loaded    failed   failed  A web server
  systemd-journald.service loaded    active   running Journal Service
  rescue.service           loaded    inactive dead    Rescue Shell
● ypbind.service           not-found inactive dead    ypbind.service

LOAD   = Reflects whether the unit definition was properly loaded.
5 loaded units listed.
"""
UNIT_FILES = """\
UNIT FILE                STATE    PRESET
auditd.service           enabled  enabled
nginx.service            disabled enabled
systemd-journald.service static   -
rescue.service           static   -
telnet.socket            masked   enabled

5 unit files listed.
"""
SHOW = """\
Id=auditd.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
RefuseManualStop=yes
ExecStart={ path=/sbin/auditd ; argv[]=/sbin/auditd ; status=0/0 }

Id=ntp.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
"""


def host(**items: str) -> Facts:
    texts = {"systemd.units": UNITS, "systemd.unit_files": UNIT_FILES, "systemd.show": SHOW, **items}
    return Facts({"items": {key: {"cmd": key, "out": text} for key, text in texts.items()}})


def test_parsed_lists_ignore_legend_and_bullets() -> None:
    assert sorted(parse_units(UNITS)) == [
        "auditd.service",
        "nginx.service",
        "rescue.service",
        "systemd-journald.service",
        "ypbind.service",
    ]
    assert parse_units(UNITS)["nginx.service"].active == "failed"
    assert parse_unit_files(UNIT_FILES)["telnet.socket"] == "masked"
    assert set(parse_show(SHOW)) == {"auditd.service", "ntp.service"}


@pytest.mark.parametrize(
    ("name", "exists", "running", "at_boot"),
    [
        ("auditd", True, True, True),
        ("nginx", True, False, False),
        ("systemd-journald", True, True, True),
        ("rescue", True, False, False),  # static and idle: nothing pulls it in at boot
        ("ypbind", False, False, False),
        ("telnet.socket", True, False, False),
        ("ntp", False, False, False),
        ("nowhere", False, False, False),
    ],
)
def test_parsed_state_of_a_unit(name: str, exists: bool, running: bool, at_boot: bool) -> None:
    found = unit(host(), name)
    assert (found.exists, found.running, found.at_boot) == (exists, running, at_boot)


def test_parsed_show_gives_the_properties() -> None:
    assert unit(host(), "auditd").properties["RefuseManualStop"] == "yes"


def test_parsed_first_running_prefers_what_runs() -> None:
    assert (found := first_running(host(), ["nginx", "auditd"])) and found.name == "auditd.service"
    assert (found := first_running(host(), ["ntp", "nginx"])) and found.name == "nginx.service"
    assert first_running(host(), ["ntp", "ypbind"]) is None


def test_parsed_host_without_systemd_is_not_judged() -> None:
    facts = Facts({"items": {"systemd.units": {"cmd": "systemctl", "rc": 127, "err": "not found"}}})
    with pytest.raises(FactMissing):
        unit(facts, "auditd")
