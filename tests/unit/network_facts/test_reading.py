"""A device is read into facts: what it says, what it refuses, and nothing that is secret."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from emulators.network import Device as Emulated
from emulators.network import Faults, emulated

import panshi.checks.network  # noqa: F401 - fills the register
from panshi.checks import CHECKS
from panshi.collect.device import commands, communities, read_device
from panshi.controls import Params, load_catalogue
from panshi.errors import PanshiError
from panshi.facts import FactMissing, Facts
from panshi.facts.network import PLATFORMS
from panshi.network.session import Device, open_device
from panshi.verdict import Status, Verdict

PASSWORD = "Emulated-1"
BIG = 16 * 1024 * 1024


def document(folder: Path, device: Emulated, budget: float = 30, most: int = BIG, **options: Any) -> dict[str, Any]:
    with emulated(device):
        known = folder / "known_hosts"
        known.write_text(f"{device.known_hosts}\n", encoding="ascii")
        way = Device(
            name=device.name,
            platform=device.platform,
            address=device.host,
            port=device.port,
            user="ops",
            known_hosts=known,
            timeout=5.0,
            **options,
        )
        with open_device(way, PASSWORD, enable=device.enable) as session:
            return read_device(session, budget, most)


@cache
def params() -> Params:
    return Params(load_catalogue().parameters())


def judged(check: str, facts: dict[str, Any]) -> Verdict:
    return CHECKS[check](Facts(facts), params())


@pytest.mark.parametrize("platform", PLATFORMS)
def test_emulated_a_device_is_read_and_judged(platform: str, tmp_path: Path) -> None:
    found = document(tmp_path, Emulated("sw1", platform))
    assert (found["hostname"], found["platform"], found["skipped"]) == ("sw1", platform, [])
    assert set(found["items"]) >= {"net.running", "net.session", "net.unsaved", *commands()[platform]}
    assert judged("net-ssh-on", found).status is not Status.ERROR
    assert judged("net-loghost", found).status is Status.FAIL


def test_emulated_what_a_device_refuses_is_an_item_that_failed(tmp_path: Path) -> None:
    found = document(tmp_path, Emulated("sw1", "huawei_vrp"))
    refused = found["items"]["net.patch"]
    assert refused["rc"] == 1
    assert "Error" in refused["err"]


def test_emulated_a_display_that_is_known_is_kept_with_its_time(tmp_path: Path) -> None:
    shown = "2026-11-22 09:00:00"
    found = document(tmp_path, Emulated("sw1", "huawei_vrp", shows={"display clock": shown}))
    item = found["items"]["net.clock"]
    assert (item["cmd"], item["out"].strip(), item["rc"]) == ("display clock", shown, 0)
    assert item["at"].endswith("Z")


def test_emulated_an_unsaved_change_is_told(tmp_path: Path) -> None:
    device = Emulated("sw1", "cisco_ios", factory=True)
    found = document(tmp_path, device)
    assert "+hostname sw1" in found["items"]["net.unsaved"]["out"]
    assert judged("net-config-backup", found).status is Status.FAIL


def test_emulated_no_secret_is_in_the_facts(tmp_path: Path) -> None:
    config = "snmp-server community Sesam-1 RO\nsnmp-server community public RO\nline vty 0 4\n password 0 Sesam-2\n"
    shows = {"show users": "  vty 0 ops\nsnmp-server community Sesam-3 ro"}
    text = json.dumps(document(tmp_path, Emulated("sw1", "cisco_ios", config, shows=shows)))
    assert [word for word in ("Sesam", PASSWORD, "$9$") if word in text] == []
    assert '"1 other\\n2 known\\n"' in text


def test_emulated_a_device_that_breaks_off_is_not_half_read(tmp_path: Path) -> None:
    device = Emulated("sw1", "huawei_vrp", faults=Faults(drop_on="display current-configuration"))
    with pytest.raises(PanshiError, match="PS-E80"):
        document(tmp_path, device)


def test_emulated_what_there_was_no_time_for_is_named(tmp_path: Path) -> None:
    found = document(tmp_path, Emulated("sw1", "huawei_vrp"), budget=0)
    assert {skip["why"] for skip in found["skipped"]} == {"时间用尽"}
    assert "net.running" in found["items"]
    with pytest.raises(FactMissing, match="时间用尽"):
        judged("net-unused-ports", found)


def test_emulated_a_platform_without_readers_is_refused_in_one_line(tmp_path: Path) -> None:
    device = Emulated("r1", "cisco_ios")
    with emulated(device):
        known = tmp_path / "known_hosts"
        known.write_text(f"{device.known_hosts}\n", encoding="ascii")
        way = Device("r1", "frr", device.host, "ops", device.port, known, timeout=5.0)
        with open_device(way, PASSWORD) as session, pytest.raises(PanshiError, match=r"PS-E8131.*frr"):
            read_device(session, 30, BIG)


def test_emulated_old_algorithms_are_a_finding(tmp_path: Path) -> None:
    found = document(tmp_path, Emulated("sw1", "hp_comware", legacy_ssh=True), legacy_ssh=True)
    verdict = judged("net-ssh-on", found)
    assert verdict.status is Status.FAIL
    assert "sha1" in f"{verdict.observed}{verdict.reason}"


def test_parsed_communities_are_told_apart_without_their_words() -> None:
    text = (
        "snmp-agent community read cipher %^%#abc%^%#\nsnmp-agent community write simple Private\n"
        "snmp-server community public RO 10\n snmp-agent community read other1 acl 2000\n"
    )
    assert communities(text) == "1 hidden\n2 known\n3 known\n4 other\n"
