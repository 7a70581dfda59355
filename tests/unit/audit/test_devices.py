"""``panshi audit`` on an estate of hosts and emulated network devices: one run, one record, one report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from ansible.parsing.vault import VaultSecret
from cryptography.fernet import Fernet
from emulators.network import Device, emulated, until
from openpyxl import load_workbook

from panshi.collect.client import Collected, Failed, Limits, Started
from panshi.collect.estate import collect_estate
from panshi.errors import PanshiError
from panshi.facts.network import PLATFORMS
from panshi.inventory import load_estate
from panshi.network.archive import Archive
from panshi.network.backup import read
from panshi.network.estate import TARGET, login_of
from panshi.record import Run, read_run, utc_now, verify_run
from panshi.report.write import write_tables
from panshi.secret.model import Entry, SecretId, Version
from panshi.secret.vault_file import VaultFiles
from panshi.verdict import Status

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "Emulated-1"
CHECKS = 34
LIMITS = Limits(forks=8, timeout=20, connect_timeout=5)


def network(platform: str) -> dict[str, Any]:
    """Return the variables by which a host of an inventory is a device."""
    return {"panshi_targets": ["network_device"], "ansible_network_os": platform, "ansible_user": "ops"}


def inventory(folder: Path, *devices: Device, hosts: dict[str, Any] | None = None, **shared: Any) -> Path:
    """Write an estate of devices, their host keys known, and of other hosts."""
    (folder / "known_hosts").write_text("".join(f"{one.known_hosts}\n" for one in devices if one.host_key))
    described = {
        one.name: {"ansible_host": one.host, "ansible_port": one.port, **network(one.platform), **shared}
        for one in devices
    }
    variables = {
        "ansible_password": PASSWORD,
        "panshi_net_known_hosts": str(folder / "known_hosts"),
        "panshi_net_timeout": 5,
    }
    emulation = {"lab_emulated": True}
    data = {
        "all": {
            "vars": variables,
            "children": {"network": {"hosts": described, "vars": emulation}, "others": {"hosts": hosts or {}}},
        }
    }
    path = folder / "hosts.yml"
    path.write_text(yaml.safe_dump(data))
    return path


def good(platform: str) -> str:
    """Return the configuration of the scenarios in which all is well."""
    return (ROOT / "tests" / "scenarios" / "devices" / f"{platform}-good" / "net.running.txt").read_text()


def keep(folder: Path, device: str) -> None:
    """Put the password of a device's user into the estate's store, which opens with the file ``vault``."""
    (folder / "vault").write_text("of-the-estate")
    store = VaultFiles(folder / "secrets", folder.name, [("default", VaultSecret(b"of-the-estate"))])
    with store.hold(device):
        store.write(Entry(SecretId(device, TARGET, "ops"), Version("1", PASSWORD, "2026-11-22T00:00:00Z")))


def run(*command: str, vault: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PYTHONPATH": str(ROOT)}
    if vault:
        env["ANSIBLE_VAULT_PASSWORD_FILE"] = str(vault)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


def audit(folder: Path) -> tuple[int, Run]:
    where = ("-i", str(folder / "hosts.yml"), "--records", str(folder / "r"))
    done = run(sys.executable, "-m", "panshi", "audit", *where)
    assert PASSWORD not in done.stdout + done.stderr
    (path,) = (folder / "r" / folder.name / "audit").iterdir()
    return done.returncode, read_run(path)


def outcomes(path: Path, limits: Limits = LIMITS) -> list[Collected | Failed]:
    events = collect_estate(load_estate(path).hosts, limits)
    return [event for event in events if not isinstance(event, Started)]


def shown(folder: Path) -> dict[str, str]:
    """Return the texts of a run's reports, by format."""
    told = {}
    for file in folder.iterdir():
        if file.suffix == ".html":
            told["html"] = file.read_text()
        else:
            with ZipFile(file) as parts:
                names = [name for name in parts.namelist() if name.endswith(".xml")]
                told[file.suffix.lstrip(".")] = "".join(parts.read(name).decode() for name in names)
    assert set(told) == {"html", "xlsx", "docx"}
    return told


def test_emulated_devices_and_hosts_in_one_run(tmp_path: Path) -> None:
    devices = [Device(f"sw{n}", platform, config=good(platform)) for n, platform in enumerate(PLATFORMS, 1)]
    devices.append(Device("bare", "huawei_vrp"))
    stranger = Device("stranger", "huawei_vrp", faults={"auth_fail": 99})
    down = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    with emulated(*devices, stranger):
        inventory(tmp_path, *devices, stranger, hosts={"web1": down, "sw9": down | network("cisco_ios")})
        status, found = audit(tmp_path)
    assert status == 3  # not everything could be read
    assert not verify_run(found.path)
    states = {row.host: (row.state, row.code, row.emulated) for row in found.hosts}
    assert states.pop("web1") == ("unreachable", "PS-E3001", False)
    assert states.pop("sw9") == ("unreachable", "PS-E8030", False)
    assert states.pop("stranger") == ("refused", "PS-E8031", True)
    assert set(states.values()) == {("collected", "", True)}
    systems = {row.host: row.os for row in found.hosts}
    assert systems["bare"].startswith("华为 VRP5")
    rows = {row.host: {one.check: one for one in found.verdicts if one.host == row.host} for row in found.hosts}
    for device in devices:
        judged = rows[device.name]
        assert {row.target for row in judged.values()} == {"network_device"}
        assert sum(row.mode == "auto" for row in judged.values()) == CHECKS
        assert judged["net-loghost"].status is (Status.FAIL if device.name == "bare" else Status.PASS)
        assert judged["net-loghost"].evidence == ["net.running"]
    unread = {(row.host, row.check) for row in found.verdicts if row.status is Status.ERROR and row.host[:2] == "sw"}
    assert unread - {("sw9", row.check) for row in found.verdicts} == {("sw4", "net-http-off")}  # show service
    for name in ("sw9", "stranger", "web1"):
        assert {row.status for row in rows[name].values()} == {Status.ERROR}
    assert {row.target for row in rows["web1"].values()} == {"linux"}
    sheets = {sheet.title: list(sheet.values) for sheet in load_workbook(write_tables(found.path, out=tmp_path))}
    assert list(sheets) == ["说明", "网络设备账户表", "网络设备服务表"]  # the one host was not read
    accounts = {(row[0], row[1]): row for row in sheets["网络设备账户表"][1:]}
    assert accounts["sw1", "ops"][3:5] == ("审计", "散列")
    services = {(row[0], row[1]): row for row in sheets["网络设备服务表"][1:]}
    assert services["sw5", "HTTP（不加密）"][2:4] == ("否", "no ip http server")
    told = shown(found.path / "report")
    assert {kind: [name for name in rows if name not in text] for kind, text in told.items()} == dict.fromkeys(told, [])
    assert found.facts("sw1")["items"]["net.running"]["cmd"] == "display current-configuration"


def test_emulated_the_playbook_takes_the_password_from_the_store(tmp_path: Path) -> None:
    device = Device("sw1", "hp_comware")
    with emulated(device):
        inventory(tmp_path, device, ansible_password=None)
        keep(tmp_path, "sw1")
        variables = {
            "panshi_audit_records": str(tmp_path / "r"),
            "panshi_audit_report": False,
            "panshi_audit_controls": ["net-loghost"],
        }
        play = (
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            str(tmp_path / "hosts.yml"),
            str(ROOT / "playbooks" / "audit.yml"),
        )
        done = run(*play, "-e", json.dumps(variables), vault=tmp_path / "vault")
    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    (row,) = read_run(next((tmp_path / "r").glob("*/audit/*"))).hosts
    assert (row.host, row.state) == ("sw1", "collected")


def test_emulated_a_device_without_a_password_or_a_platform_is_a_row(tmp_path: Path) -> None:
    device = Device("sw1", "hp_comware")
    device.host, device.port = "127.0.0.1", 1
    for variables, code in (({"ansible_password": None}, "PS-E70"), ({"ansible_user": ""}, "PS-E8050")):
        (event,) = outcomes(inventory(tmp_path, device, **variables))
        assert isinstance(event, Failed)
        assert event.error.code.startswith(code)
        assert event.state == "refused"


def test_emulated_a_silent_device_costs_the_others_nothing(tmp_path: Path) -> None:
    good = Device("good", "huawei_vrp")
    silent = Device("silent", "huawei_vrp", faults={"hang_on": "display current-configuration"})
    with emulated(good, silent):
        events = outcomes(inventory(tmp_path, good, silent), Limits(forks=2, timeout=5, connect_timeout=5))
    by_host = {event.host: event for event in events}
    assert isinstance(by_host["good"], Collected)
    failed = by_host["silent"]
    assert isinstance(failed, Failed)
    assert (failed.state, failed.error.code) == ("failed", "PS-E8039")
    assert failed.seconds < 30


def test_emulated_an_interruption_does_not_wait_for_a_silent_device(tmp_path: Path) -> None:
    silent = Device("silent", "huawei_vrp", faults={"hang_on": "display current-configuration"})
    with emulated(silent):
        path = inventory(tmp_path, silent, panshi_net_timeout=60)
        command = [sys.executable, "-m", "panshi", "audit", "-i", str(path), "--records", str(tmp_path / "r")]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen([*command, "--timeout", "60"], cwd=ROOT, env=env, stderr=subprocess.DEVNULL) as process:
            until(lambda: any(entry.line == "display current-configuration" for entry in silent.journal), 60)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 130


def test_emulated_the_history_of_backups_is_part_of_the_facts(tmp_path: Path) -> None:
    state = tmp_path / "state"
    devices = [Device("sw1", "cisco_ios"), Device("sw2", "cisco_ios"), Device("sw3", "cisco_ios")]

    def told(path: Path) -> dict[str, str | None]:
        events = {event.host: event for event in outcomes(path)}
        items = {name: event.document["items"] for name, event in events.items() if isinstance(event, Collected)}
        return {name: one["net.backup"]["out"] if "net.backup" in one else None for name, one in sorted(items.items())}

    with emulated(*devices):
        path = inventory(tmp_path, *devices, panshi_net_state=str(state))
        assert told(path) == {"sw1": None, "sw2": None, "sw3": None}
        archive = Archive(state, Fernet.generate_key().decode())
        logins = [login_of(host.device, lambda value: value) for host in load_estate(path).hosts[:2]]
        copies = {login.device.name: read(login).copy for login in logins}
        with archive.open():
            archive.keep("sw1", copies["sw1"])
            archive.keep("sw2", replace(copies["sw2"], running=copies["sw2"].running.replace("sw2", "before")))
            archive.note(dict.fromkeys(copies, utc_now() - timedelta(days=3, hours=1)))
        assert told(path) == {"sw1": "3 same\n", "sw2": "3 other\n", "sw3": ""}


def test_a_device_is_not_a_host_besides(tmp_path: Path) -> None:
    with pytest.raises(PanshiError, match=r"PS-E1006.*sw1.*network_device"):
        load_estate(inventory(tmp_path, hosts={"sw1": {"panshi_targets": ["linux", "network_device"]}}))


def test_the_password_of_a_device_is_not_in_what_is_printed(tmp_path: Path) -> None:
    estate = load_estate(inventory(tmp_path, hosts={"sw1": network("cisco_ios") | {"ansible_password": PASSWORD}}))
    assert PASSWORD not in repr(estate)
    assert estate.hosts[0].device["ansible_password"] == PASSWORD
