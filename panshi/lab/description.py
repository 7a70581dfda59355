"""What the lab consists of, read from one file: inventories/lab/lab.yml."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from panshi.lab.errors import LabError
from panshi.network.config.rulebook import platforms

# A host name is part of the tap interface's name "panshi-<host>", which the kernel limits to 15 characters.
_HOST_NAME = re.compile(r"[a-z][a-z0-9]{1,7}")
_LAB_NAME = re.compile(r"panshi-lab(-[a-z0-9]+)?")
# The group of the network devices, and of routers that are hosts.
NETWORK = "network"
_LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")


@dataclass(frozen=True)
class Image:
    """A root file system built from a Debian suite.

    Attributes:
        name: the image's name, also the name of its optional recipe directory below panshi/lab/recipes/.
        suite: Debian code name.
        packages: packages beyond the base ones, as Debian names them.
        updates: whether updates and security fixes are installed at build time; without them the host is what
            the installation medium gave, with real fixes pending.
        disk: a bootable disk with its own kernel instead of a container image.
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    updates: bool
    disk: bool


@dataclass(frozen=True)
class Host:
    """One lab host; ``emulated`` tells that it imitates a distribution that is not really there.

    ``user`` is who logs in: a host that shuts out who works every day has another one. ``platform`` is that of a
    router's own command line, as ``ansible_network_os`` names it; empty for other hosts.
    """

    name: str
    kind: Literal["container", "vm"]
    image: Image
    address: ipaddress.IPv4Address
    groups: tuple[str, ...]
    emulated: bool
    purpose: str
    user: str = "ops"
    platform: str = ""


@dataclass(frozen=True)
class Device:
    """One network device, always emulated: a process of this machine.

    Attributes:
        platform: its network operating system, as ``ansible_network_os`` names it.
        address: on the loopback interface, its own.
        port: of SSH.
    """

    name: str
    platform: str
    address: ipaddress.IPv4Address
    port: int
    purpose: str


@dataclass(frozen=True)
class Lab:
    """The whole lab. ``name`` is the podman network's name and the prefix of every container."""

    name: str
    subnet: ipaddress.IPv4Network
    gateway: ipaddress.IPv4Address
    hosts: tuple[Host, ...]
    devices: tuple[Device, ...] = ()

    def select(self, names: list[str]) -> tuple[Host, ...]:
        """Return the hosts of these names, all of them for an empty list.

        Raises:
            LabError: PS-E2010 for a name that is not in the description.
        """
        self._check(names)
        return tuple(host for host in self.hosts if not names or host.name in names)

    def select_devices(self, names: list[str]) -> tuple[Device, ...]:
        """Return the network devices of these names, as :meth:`select`."""
        self._check(names)
        return tuple(device for device in self.devices if not names or device.name in names)

    def _check(self, names: list[str]) -> None:
        known = {host.name for host in self.hosts} | {device.name for device in self.devices}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise LabError(
                "PS-E2010", f"试验环境里没有主机 {'、'.join(unknown)}", f"可用的主机：{'、'.join(sorted(known))}"
            )


def load(path: Path) -> Lab:
    """Read and check a lab description.

    Args:
        path: the YAML file.

    Raises:
        LabError: PS-E2009 if the file cannot be read or does not describe a lab.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return parse(data)
    except OSError as error:
        reason = error.strerror or "无法读取"
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = f"第 {mark.line + 1} 行不是合法的 YAML" if mark else "不是合法的 YAML"
    except KeyError as error:
        reason = f"缺少键 {error.args[0]}"
    except (TypeError, ValueError, AttributeError) as error:
        reason = str(error)
    raise LabError("PS-E2009", f"试验环境描述 {path} 有误：{reason}", "按 docs/lab.md 的字段说明改正后重试")


def parse(data: Mapping[str, Any]) -> Lab:
    """Turn the parsed YAML into a Lab.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: the data is not a lab; ``load`` gives them a code.
    """
    name = str(data["name"])
    if not _LAB_NAME.fullmatch(name):
        raise ValueError(f"name {name} 必须是 panshi-lab 或 panshi-lab-<小写字母数字>")
    images = {key: _image(str(key), value) for key, value in data["images"].items()}
    subnet = ipaddress.IPv4Network(data["subnet"])
    hosts = tuple(_host(str(key), value, images, subnet) for key, value in data["hosts"].items())
    gateway = subnet[1]
    addresses = [host.address for host in hosts]
    if len({*addresses, gateway}) != len(addresses) + 1:
        raise ValueError(f"主机地址重复，或占用了网关地址 {gateway}")
    devices = tuple(_device(str(key), value) for key, value in data.get("devices", {}).items())
    if twice := {host.name for host in hosts} & {device.name for device in devices}:
        raise ValueError(f"{'、'.join(sorted(twice))} 既是主机又是网络设备")
    if len({(device.address, device.port) for device in devices}) != len(devices):
        raise ValueError("网络设备的地址与端口重复")
    return Lab(name, subnet, gateway, hosts, devices)


def _image(name: str, data: Mapping[str, Any]) -> Image:
    return Image(
        name=name,
        suite=str(data["suite"]),
        packages=tuple(data.get("packages", ())),
        updates=bool(data.get("updates", True)),
        disk=bool(data.get("disk", False)),
    )


def _host(name: str, data: Mapping[str, Any], images: Mapping[str, Image], subnet: ipaddress.IPv4Network) -> Host:
    if not _HOST_NAME.fullmatch(name):
        raise ValueError(f"主机名 {name} 必须是 2 到 8 个小写字母或数字，以字母开头")
    kind = data["kind"]
    if kind not in ("container", "vm"):
        raise ValueError(f"主机 {name} 的 kind 必须是 container 或 vm")
    image = images.get(data["image"])
    if image is None:
        raise ValueError(f"主机 {name} 的镜像 {data['image']} 没有描述")
    if image.disk != (kind == "vm"):
        raise ValueError(f"主机 {name} 的 kind 与镜像 {image.name} 的 disk 不一致")
    address = ipaddress.IPv4Address(data["address"])
    if address not in subnet:
        raise ValueError(f"主机 {name} 的地址 {address} 不在网段 {subnet} 内")
    platform = str(data.get("platform", ""))
    if (NETWORK in data["groups"]) != (platform in platforms()):
        raise ValueError(f"主机 {name} 在组 {NETWORK} 里才有 platform，应为其中之一：{'、'.join(platforms())}")
    return Host(
        name=name,
        kind=kind,
        image=image,
        address=address,
        groups=tuple(data["groups"]),
        emulated=bool(data["emulated"]),
        purpose=str(data["purpose"]),
        user=str(data.get("user", "ops")),
        platform=platform,
    )


def _device(name: str, data: Mapping[str, Any]) -> Device:
    if not _HOST_NAME.fullmatch(name):
        raise ValueError(f"设备名 {name} 必须是 2 到 8 个小写字母或数字，以字母开头")
    if data["platform"] not in platforms():
        raise ValueError(f"设备 {name} 的 platform 应为其中之一：{'、'.join(platforms())}")
    address = ipaddress.IPv4Address(data["address"])
    if address not in _LOOPBACK:
        raise ValueError(f"设备 {name} 是仿真的，地址 {address} 应在 {_LOOPBACK} 内")
    port = data["port"]
    if not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError(f"设备 {name} 的 port 不是端口号")
    return Device(name, str(data["platform"]), address, port, str(data["purpose"]))
