"""Emulated devices of the lab: processes that outlive the command, come back as they were, and are made once."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from emulators.network import until

from panshi.lab import ssh
from panshi.lab.daemon import Daemon
from panshi.lab.description import Device, Lab
from panshi.lab.devices import Devices, bring_up, spec
from panshi.lab.inventory import render_inventory
from panshi.lab.passwords import first_passwords
from panshi.lab.state import State
from panshi.network.session import Device as Reached
from panshi.network.session import open_device
from panshi.secret.model import SecretId
from panshi.secret.rotate import imported
from panshi.secret.vault_file import VaultFiles, configured_secrets

PASSWORD = "Emulated-1"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.64.9", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def device() -> Device:
    return Device("sw9", "huawei_vrp", ipaddress.IPv4Address("127.0.64.9"), free_port(), "a switch")


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[Devices]:
    state = State(tmp_path / "state")
    state.prepare()
    found = Devices(state)
    yield found
    for name in found.found():
        found.remove(name)


class Asked:
    """Hands passwords out, and knows how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, wanted: Iterable[Device]) -> dict[str, str]:
        self.times += 1
        return {device.name: PASSWORD for device in wanted}


def silent(name: str, text: str) -> None:
    pass


def pid(devices: Devices, device: Device) -> int:
    found = Daemon(devices.state.device(device.name) / "process").pid()
    assert found is not None
    return found


def test_emulated_a_device_is_made_once_comes_back_after_a_kill_and_is_made_anew_on_request(
    devices: Devices, device: Device, lab: Lab
) -> None:
    asked = Asked()
    assert bring_up([device], devices, asked, silent) == (["sw9"], [])
    assert devices.greets(device)
    ssh.write_known_hosts(devices.state, replace(lab, devices=(device,)))
    where = Reached(
        "sw9", "huawei_vrp", str(device.address), "ops", port=device.port, known_hosts=devices.state.known_hosts
    )
    with open_device(where, PASSWORD) as session:
        session.push(["vlan batch 77"])
        session.save()
        session.push(["vlan batch 78"])  # not saved
        assert "EMULATED" not in session.running()  # it says so before the first prompt, not in its configuration
    first = pid(devices, device)
    assert bring_up([device], devices, asked, silent) == ([], [])
    assert pid(devices, device) == first

    os.kill(first, signal.SIGKILL)
    until(lambda: not devices.found()["sw9"].running)
    assert not devices.greets(device)
    assert bring_up([device], devices, asked, silent) == (["sw9"], [])
    with open_device(where, PASSWORD) as session:  # the same host key
        assert "vlan batch 77\n" in session.running()
    assert asked.times == 1

    assert bring_up([device], devices, asked, silent, fresh=True) == (["sw9"], [])
    assert asked.times == 2
    devices.remove("sw9")
    assert not devices.greets(device)
    assert devices.found() == {}


def test_emulated_a_device_that_is_described_otherwise_is_made_anew(devices: Devices, device: Device) -> None:
    bring_up([device], devices, Asked(), silent)
    other = replace(device, platform="cisco_ios")
    assert spec(other) != spec(device)
    assert bring_up([other], devices, Asked(), silent) == (["sw9"], [])
    assert devices.found()["sw9"].spec == spec(other)


def test_emulated_a_device_whose_address_is_taken_is_said_and_not_half_there(devices: Devices, device: Device) -> None:
    with socket.socket() as other:
        other.bind((str(device.address), device.port))
        other.listen()
        _, (error,) = bring_up([device], devices, Asked(), silent)
    assert "PS-E2016" in str(error)
    assert "address already in use" in str(error)
    assert not devices.found()["sw9"].running
    assert bring_up([device], devices, Asked(), silent) == (["sw9"], [])


def test_parsed_a_password_is_made_once_and_what_the_store_has_is_taken(
    tmp_path: Path, lab: Lab, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE", raising=False)
    other = replace(device, name="sw8")
    (tmp_path / "hosts.yml").write_text(render_inventory(replace(lab, devices=(device, other))), encoding="utf-8")
    first = first_passwords(tmp_path, [device])
    assert first == first_passwords(tmp_path, [device])
    assert (tmp_path / ".vault-password").stat().st_mode & 0o777 == 0o600
    store = VaultFiles(tmp_path / "secrets", "x", configured_secrets())
    secret = SecretId("sw8", "network", "ops")
    with store.hold("sw8"):
        store.write(replace(store.read(secret), current=imported("Known-1", "")))
    assert first_passwords(tmp_path, [device, other]) == {**first, "sw8": "Known-1"}


def test_parsed_a_device_is_a_target_of_its_own_kind_and_no_host_of_the_jobs(lab: Lab, device: Device) -> None:
    data = yaml.safe_load(render_inventory(replace(lab, devices=(device,))))["all"]
    assert data["children"]["network"]["hosts"] == {"sw9": {}}
    assert [name for name, group in data["children"].items() if "sw9" in group["hosts"]] == ["network"]
    assert data["hosts"]["sw9"] | {"ansible_port": 0} == {
        "ansible_host": "127.0.64.9",
        "ansible_port": 0,
        "ansible_network_os": "huawei_vrp",
        "ansible_ssh_private_key_file": "",
        "lab_emulated": True,
        "lab_purpose": "a switch",
        "panshi_targets": ["network_device"],
    }
