"""What must be true of a device, written as data: after a change, or whenever it is asked."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from panshi.errors import PanshiError
from panshi.network.change import Probe
from panshi.network.look import only_reads
from panshi.network.session import Session

# The kind of a probe is the key that it has, with those that may stand beside it.
_KEYS: Mapping[str, set[str]] = {"command": {"match"}, "ping": set(), "tcp": {"host"}}
_TCP_SECONDS = 5.0
# Three packets: the first one may be lost while the neighbour is looked up. [D: command references of "ping"]
_HUAWEI = "ping{} -c 3 {}"
_PING: Mapping[str, str] = {
    "huawei_vrp": _HUAWEI,
    "huawei_vrpv8": _HUAWEI,
    "hp_comware": _HUAWEI,
    "ruijie_os": "ping{} {} ntimes 3",
    "cisco_ios": "ping{} {} repeat 3",
}
_ANSWERED = re.compile(r"([1-9]\d*) packets?(?:\(s\))? received|Success rate is [1-9]\d* percent")


def probes_of(said: Iterable[Mapping[str, Any]]) -> list[Probe]:
    """Return probes.

    Args:
        said: each with perhaps ``title`` (Chinese), and either ``command`` (one that only reads) and ``match`` (regular
            expression that its output must contain), or ``ping`` (address that the device must reach), or ``tcp`` (port
            that must take a connection from here) and perhaps ``host`` (address; else the device's own).

    Raises:
        PanshiError: PS-E8073 one is not written well.
    """
    return [_probe(one) for one in said]


def _probe(said: Mapping[str, Any]) -> Probe:
    kind = next((kind for kind in _KEYS if kind in said), "")
    if not kind or not set(said) <= {"title", kind} | _KEYS[kind]:
        raise _wrong(f"{dict(said)} 应为 {{title, command, match}}、{{title, ping}} 或 {{title, tcp, host}}")
    title, failing = _KINDS[kind](said)
    return Probe(str(said.get("title") or title), failing)


def _command(said: Mapping[str, Any]) -> tuple[str, Callable[[Session], str]]:
    command, match = str(said["command"]), str(said.get("match", ""))
    if not match:
        raise _wrong(f"“{command[:60]}”没有 match")
    if not only_reads(command):
        raise _wrong(f"“{command[:60]}”不是只读命令")
    try:
        pattern = re.compile(match, re.MULTILINE)
    except re.error as error:
        raise _wrong(f"{match} 不是正则表达式：{error}") from error

    def failing(session: Session) -> str:
        return "" if pattern.search(session.read(command)) else f"“{command}”的输出里没有 {match}"

    return command, failing


def _ping(said: Mapping[str, Any]) -> tuple[str, Callable[[Session], str]]:
    try:
        address = ipaddress.ip_address(str(said["ping"]))
    except ValueError:
        raise _wrong(f"ping 的 {said['ping']!r} 不是 IP 地址") from None

    def failing(session: Session) -> str:
        if session.device.platform not in _PING:
            return f"平台 {session.device.platform} 上没有能自己结束的 ping"
        command = _PING[session.device.platform].format(" ipv6" if address.version == 6 else "", address)
        return "" if _ANSWERED.search(session.read(command)) else f"设备 ping 不通 {address}"

    return f"从设备 ping {address}", failing


def _tcp(said: Mapping[str, Any]) -> tuple[str, Callable[[Session], str]]:
    port, host = said["tcp"], str(said.get("host", ""))
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
        raise _wrong(f"tcp 的 {port!r} 不是端口号")

    def failing(session: Session) -> str:
        try:
            with socket.create_connection((host or session.device.address, port), _TCP_SECONDS):
                return ""
        except OSError as error:
            return f"连不上 {host or session.device.address}:{port}：{error.strerror or type(error).__name__}"

    return f"TCP {host or '设备'}:{port}", failing


_KINDS = {"command": _command, "ping": _ping, "tcp": _tcp}


def _wrong(text: str) -> PanshiError:
    return PanshiError("PS-E8073", f"探测的写法不对：{text}", "写法见 docs/network-config.md；没有连接设备")
