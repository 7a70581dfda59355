"""The description of the lab is read and every mistake in it has one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from panshi.lab.description import Lab, load, parse
from panshi.lab.errors import LabError

from .conftest import description

REPOSITORY = Path(__file__).parents[3]
DEVICE = {"platform": "huawei_vrp", "address": "127.0.64.9", "port": 2222, "purpose": "a switch"}


def test_the_committed_description_is_valid() -> None:
    lab = load(REPOSITORY / "inventories" / "lab" / "lab.yml")
    assert {host.name for host in lab.hosts} >= {"deb11", "deb12", "deb13", "nopy12", "kylin10", "vm12"}
    assert [host.name for host in lab.hosts if host.emulated] == ["kylin10"]


def test_gateway_is_the_first_address(lab: Lab) -> None:
    assert str(lab.gateway) == "192.0.2.1"


def test_selecting_nothing_selects_all(lab: Lab) -> None:
    assert lab.select([]) == lab.hosts


def test_selecting_keeps_the_order_of_the_description(lab: Lab) -> None:
    assert [host.name for host in lab.select(["kernel", "web"])] == ["web", "kernel"]


def test_hosts_and_devices_are_selected_by_the_same_names() -> None:
    lab = parse(description() | {"devices": {"sw9": DEVICE}})
    assert [host.name for host in lab.select(["web", "sw9"])] == ["web"]
    assert [device.name for device in lab.select_devices(["web", "sw9"])] == ["sw9"]
    assert lab.select_devices([]) == lab.devices
    with pytest.raises(LabError, match="nope"):
        lab.select_devices(["nope"])


def test_an_unknown_host_is_named(lab: Lab) -> None:
    with pytest.raises(LabError) as caught:
        lab.select(["web", "nope"])
    assert caught.value.code == "PS-E2010"
    assert "nope" in caught.value.message
    assert "web" in caught.value.hint


@pytest.mark.parametrize(
    ("where", "value", "expected"),
    [
        (("name",), "other", "name other"),
        (("hosts", "web", "kind"), "pod", "kind"),
        (("hosts", "web", "image"), "nope", "镜像 nope"),
        (("hosts", "web", "image"), "disk12", "不一致"),
        (("hosts", "web", "address"), "198.51.100.1", "不在网段"),
        (("hosts", "web", "address"), "192.0.2.1", "网关"),
        (("hosts", "web", "address"), "192.0.2.12", "重复"),
        (("hosts", "web", "address"), "not an address", "not an address"),
        (("hosts",), ["web"], "list"),
        (("hosts", "web", "platform"), "frr", "network"),
        (("hosts", "web", "groups"), ["network"], "platform"),
        (("devices", "sw9", "platform"), "junos", "platform"),
        (("devices", "sw9", "address"), "192.0.2.9", "127.0.0.0/8"),
        (("devices", "sw9", "port"), "ssh", "port"),
        (("devices", "sw9", "port"), 0, "port"),
        (("devices", "web"), DEVICE | {"port": 23}, "既是主机又是网络设备"),
        (("devices", "sw8"), DEVICE, "重复"),
        (("devices", "SW"), DEVICE, "设备名"),
    ],
)
def test_a_mistake_is_said_in_one_line(tmp_path: Path, where: tuple[str, ...], value: object, expected: str) -> None:
    data = description()
    data["devices"] = {"sw9": dict(DEVICE)}
    place = data
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    file = tmp_path / "lab.yml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(LabError) as caught:
        load(file)
    assert caught.value.code == "PS-E2009"
    assert expected in caught.value.message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["Web", "1web", "waytoolongname", "w"])
def test_a_host_name_fits_the_names_made_from_it(tmp_path: Path, name: str) -> None:
    data = description()
    data["hosts"][name] = data["hosts"].pop("web")
    file = tmp_path / "lab.yml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(LabError, match="主机名"):
        load(file)


@pytest.mark.parametrize("key", ["name", "subnet", "images", "hosts"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    data = description()
    del data[key]
    file = tmp_path / "lab.yml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(LabError, match=f"缺少键 {key}"):
        load(file)


def test_broken_yaml_is_said_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "lab.yml"
    file.write_text("name: x\nhosts: [\n", encoding="utf-8")
    with pytest.raises(LabError, match="第 3 行"):
        load(file)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"nowhere\.yml"):
        load(tmp_path / "nowhere.yml")
