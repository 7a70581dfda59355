"""Each thing that is wrong with the machine is one error with its own code."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from panshi.lab import preflight
from panshi.lab.description import Lab
from panshi.lab.errors import LabError, LabErrors
from panshi.lab.preflight import Findings, problems

GOOD = Findings(missing=(), free_gib=100, tun=True, routes=(), addresses=())
REPOSITORY = Path(__file__).parents[3]


def codes(findings: Findings, lab: Lab, interface: str | None = None) -> list[str]:
    return [error.code for error in problems(findings, lab, interface, lab.hosts)]


def test_a_good_machine_has_no_problem(lab: Lab) -> None:
    assert codes(GOOD, lab) == []


def test_missing_packages_are_all_named() -> None:
    with pytest.raises(LabError, match="mmdebstrap podman") as caught:
        preflight.require_packages(replace(GOOD, missing=("mmdebstrap", "podman")))
    assert caught.value.code == "PS-E2002"


def test_space_is_counted_for_hosts_that_have_to_be_made(lab: Lab) -> None:
    small = replace(GOOD, free_gib=4.5)
    assert codes(small, lab) == ["PS-E2003"]
    assert problems(small, lab, None, lab.select(["web"])) == []


@pytest.mark.parametrize("taken", ["192.0.2.0/24", "192.0.2.128/25", "192.0.0.0/16"])
def test_a_route_into_the_range_is_a_conflict(lab: Lab, taken: str) -> None:
    assert codes(replace(GOOD, routes=((IPv4Network(taken), "eth0"),)), lab) == ["PS-E2004"]


def test_the_lab_s_own_bridge_is_no_conflict(lab: Lab) -> None:
    own = replace(GOOD, routes=((IPv4Network("192.0.2.0/24"), "bridge9"),))
    assert codes(own, lab, "bridge9") == []


def test_a_name_server_in_the_range_is_a_conflict(lab: Lab) -> None:
    assert codes(replace(GOOD, addresses=(IPv4Address("192.0.2.53"),)), lab) == ["PS-E2004"]


def test_all_problems_are_said_at_once(lab: Lab) -> None:
    bad = replace(GOOD, free_gib=0, tun=False)
    with pytest.raises(LabErrors) as caught:
        preflight.require(bad, lab, None, lab.hosts)
    assert [error.code for error in caught.value.errors] == ["PS-E2003", "PS-E2005"]


def test_anybody_but_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.os, "geteuid", lambda: 1000)
    with pytest.raises(LabError) as caught:
        preflight.require_root()
    assert caught.value.code == "PS-E2001"


def test_programs_that_are_not_there_are_found_missing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(preflight.shutil, "which", lambda command, path: None if command == "podman" else command)
    assert "podman" in preflight.look(lab.hosts, tmp_path).missing


def test_the_set_up_script_installs_what_preflight_asks_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(preflight.shutil, "which", lambda command, path: None)
    monkeypatch.setattr(preflight, "_NETWORK_PLUGINS", ())
    monkeypatch.setattr(preflight, "_DEBIAN_KEYRING", "/nonexistent")
    asked = set(preflight.look(lab.hosts, tmp_path).missing) - {"apt"}
    script = (REPOSITORY / "scripts" / "system-packages").read_text(encoding="utf-8")
    assert asked <= set(re.findall(r"^([a-z0-9-]+)\|", script, re.MULTILINE))
