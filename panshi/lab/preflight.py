"""What must be true of this machine before the lab can come up; each problem is one line."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from panshi.lab.description import Host, Lab
from panshi.lab.errors import LabError, LabErrors
from panshi.lab.process import CommandError, run

# Measured: see docs/lab.md. Room for building an image is counted in, also for the first ones.
_GIB_PER_CONTAINER, _GIB_PER_VM = 1, 3
_COMMON_COMMANDS = {
    "podman": "podman",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "apt-get": "apt",
}
_CONTAINER_COMMANDS = {"iptables": "iptables", "nsenter": "util-linux", "openssl": "openssl"}
_VM_COMMANDS = {"qemu-system-x86_64": "qemu-system-x86", "mkfs.ext4": "e2fsprogs", "debugfs": "e2fsprogs"}
_NETWORK_PLUGINS = (
    "/usr/lib/cni/bridge",
    "/opt/cni/bin/bridge",
    "/usr/libexec/cni/bridge",
    "/usr/lib/podman/netavark",
    "/usr/libexec/podman/netavark",
)
_DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Findings:
    """What was found out about this machine.

    Attributes:
        missing: names of Debian packages that are not installed.
        free_gib: free space below the state directory, in GiB.
        tun: /dev/net/tun is there.
        routes: networks that this machine reaches otherwise than by its default route, with the interface of each.
        addresses: addresses that this machine needs: name servers and those in /etc/hosts.
    """

    missing: tuple[str, ...]
    free_gib: float
    tun: bool
    routes: tuple[tuple[ipaddress.IPv4Network, str], ...]
    addresses: tuple[ipaddress.IPv4Address, ...]


def look(hosts: Iterable[Host], state_directory: Path) -> Findings:
    """Find out what ``problems`` judges; changes nothing."""
    kinds = {host.kind for host in hosts}
    commands = dict(_COMMON_COMMANDS)
    if "container" in kinds:
        commands |= _CONTAINER_COMMANDS
    if "vm" in kinds:
        commands |= _VM_COMMANDS
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    missing = {package for command, package in commands.items() if not shutil.which(command, path=path)}
    if not any(shutil.which(runtime, path=path) for runtime in ("runc", "crun")):
        missing.add("runc")
    if not any(Path(plugin).exists() for plugin in _NETWORK_PLUGINS):
        missing.add("containernetworking-plugins")
    if not Path(_DEBIAN_KEYRING).exists():
        missing.add("debian-archive-keyring")
    existing = next(path for path in (state_directory, *state_directory.parents) if path.is_dir())
    return Findings(
        missing=tuple(sorted(missing)),
        free_gib=shutil.disk_usage(existing).free / 2**30,
        tun="vm" not in kinds or Path("/dev/net/tun").exists(),
        routes=_routes(),
        addresses=_needed_addresses(),
    )


def require_root() -> None:
    """Refuse anybody but root.

    Raises:
        LabError: PS-E2001.
    """
    if os.geteuid() != 0:
        raise LabError("PS-E2001", "试验环境要管理网桥与虚拟机，必须以 root 运行", "用 sudo 重新运行同一条命令")


def require_packages(findings: Findings) -> None:
    """Refuse to start without the programs that everything else needs.

    Raises:
        LabError: PS-E2002, naming all missing packages.
    """
    if findings.missing:
        packages = " ".join(findings.missing)
        raise LabError("PS-E2002", f"缺少软件包 {packages}", "以 root 运行 scripts/system-packages 安装")


def require(findings: Findings, lab: Lab, interface: str | None, fresh: Iterable[Host]) -> None:
    """Refuse to start on a machine that cannot hold the lab.

    Raises:
        LabErrors: all problems of ``problems``.
    """
    if found := problems(findings, lab, interface, fresh):
        raise LabErrors(found)


def problems(findings: Findings, lab: Lab, interface: str | None, fresh: Iterable[Host]) -> list[LabError]:
    """Judge the findings.

    Args:
        findings: what ``look`` found.
        lab: the lab that shall come up.
        interface: the lab's own bridge if it is there already; its route is no conflict.
        fresh: the hosts that have to be made, for the space that they take.

    Returns:
        One error per problem, none if the lab can come up.
    """
    found = []
    needed = sum(_GIB_PER_VM if host.kind == "vm" else _GIB_PER_CONTAINER for host in fresh)
    if findings.free_gib < needed:
        found.append(
            LabError(
                "PS-E2003",
                f"磁盘剩余 {findings.free_gib:.1f} GiB，试验环境还需要 {needed} GiB",
                "清理磁盘，或用环境变量 PANSHI_LAB_DIR 换一个目录",
            )
        )
    others = [f"路由 {net} dev {dev}" for net, dev in findings.routes if net.overlaps(lab.subnet) and dev != interface]
    others += [f"本机所用的地址 {address}" for address in findings.addresses if address in lab.subnet]
    if others:
        found.append(
            LabError(
                "PS-E2004",
                f"网段 {lab.subnet} 已被占用（{others[0]}）",
                "在 lab.yml 里换一个空闲网段，并相应改各主机的 address",
            )
        )
    if not findings.tun:
        found.append(LabError("PS-E2005", "没有 /dev/net/tun，虚拟机无法接入网络", "运行 modprobe tun 后重试"))
    return found


def _routes() -> tuple[tuple[ipaddress.IPv4Network, str], ...]:
    try:
        routes = json.loads(run(["ip", "-4", "-j", "route", "show", "table", "main"], timeout=10))
    except CommandError:
        return ()
    return tuple(
        (ipaddress.IPv4Network(route["dst"], strict=False), str(route.get("dev", "")))
        for route in routes
        if route["dst"] != "default"
    )


def _needed_addresses() -> tuple[ipaddress.IPv4Address, ...]:
    words = []
    for name, column in (("/etc/resolv.conf", 1), ("/etc/hosts", 0)):
        if Path(name).is_file():
            lines = Path(name).read_text(encoding="utf-8", errors="replace").splitlines()
            words += [line.split()[column] for line in lines if len(line.split()) > column]
    found = []
    for word in words:
        try:
            found.append(ipaddress.IPv4Address(word))
        except ValueError:
            continue
    return tuple(found)
