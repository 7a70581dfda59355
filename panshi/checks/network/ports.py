"""8.1.3.1 b): ports that nobody uses, and what stands behind the others."""

from __future__ import annotations

from panshi.checks.devices import device_check
from panshi.controls.params import Params
from panshi.facts.network import Device
from panshi.facts.network.ports import ports
from panshi.verdict import Verdict, failed, not_applicable, partial, passed

_NAMED_MOST = 8


def _some(names: list[str]) -> str:
    return "、".join(names[:_NAMED_MOST]) + (f" 等 {len(names)} 个" if len(names) > _NAMED_MOST else "")


@device_check("net-unused-ports")
def unused_ports(device: Device, params: Params) -> Verdict:
    """A port without a link is shut down, unless the estate keeps it for something."""
    found = ports(device)
    kept = set(params.value("net_spare_ports"))
    idle = [port for port in found if port.enabled and not port.up and port.name not in kept]
    nameless = [port.name for port in idle if not port.description]
    observed = f"{len(found)} 个物理端口，开启而未连接 {len(idle)} 个"
    if nameless:
        return failed(observed, f"未关闭：{_some(nameless)}")
    if idle:
        return partial(observed, f"有描述，须确认是否备用：{_some([port.name for port in idle])}")
    return passed(observed)


@device_check("net-nac")
def nac(device: Device, params: Params) -> Verdict:
    """Who plugs into an access port is asked, or at least counted."""
    found = device.access_ports()
    if not found:
        return not_applicable("没有接入端口", "没有开启的 access 端口，不是接入层设备")
    bare = [port.name for port in found if not port.nac]
    return _share(bare, len(found), "准入控制（802.1X、端口安全、MAC 限制）")


@device_check("net-ip-mac-bind")
def ip_mac_bind(device: Device, params: Params) -> Verdict:
    """Addresses are watched where they are given out and held against that."""
    found = device.access_ports()
    if not found:
        return not_applicable("没有接入端口", "没有开启的 access 端口，不是接入层设备")
    bare = [port.name for port in found if not (port.arp and port.snooping)]
    half = [port for port in found if port.arp or port.snooping]
    verdict = _share(bare, len(found), "DHCP Snooping 与 ARP 检测或绑定")
    return partial(verdict.observed, verdict.reason) if bare and half else verdict


def _share(bare: list[str], whole: int, what: str) -> Verdict:
    observed = f"{whole} 个接入端口，{what}缺失 {len(bare)} 个"
    if not bare:
        return passed(observed)
    return (failed if len(bare) == whole else partial)(observed, f"缺失：{_some(bare)}")
