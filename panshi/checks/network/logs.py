"""8.1.4.3: what a device writes down, with which time, and where it goes."""

from __future__ import annotations

from panshi.checks.devices import device_check
from panshi.controls.params import Params
from panshi.facts.network import Device
from panshi.verdict import Verdict, failed, passed


@device_check("net-loghost")
def loghost(device: Device, params: Params) -> Verdict:
    """Logs leave the device."""
    hosts = device.loghosts()
    if not hosts.value:
        return failed("没有日志服务器", hosts.where)
    return passed(f"日志服务器：{'、'.join(hosts.value)}", hosts.where)
