"""8.1.4.1, 8.1.4.4 c): who is asked at which login line, how long a silent session lives, from where one may come."""

from __future__ import annotations

from panshi.checks.devices import device_check
from panshi.controls.params import Params
from panshi.facts import FactMissing
from panshi.facts.network import Device
from panshi.facts.network.model import Line
from panshi.verdict import Verdict, judge, passed


def login_lines(device: Device) -> list[Line]:
    """Return the lines of a device; one without any cannot have been read whole."""
    found = device.lines()
    if not found:
        raise FactMissing("运行配置中没有任何登录线路（console、vty）")
    return found


@device_check("net-idle-timeout")
def idle_timeout(device: Device, params: Params) -> Verdict:
    """A silent session ends on every line; 0 means never."""
    open_ = [line for line in login_lines(device) if line.open]
    wrong = [line for line in open_ if not params.accepts("session_idle_seconds", line.idle.value)]
    observed = "；".join(f"{line.name} {line.idle.value} 秒" for line in open_) or "没有可登录的线路"
    return judge(not wrong, observed, "；".join(f"{line.name}：{line.idle.where}" for line in wrong))


@device_check("net-telnet-off")
def telnet_off(device: Device, params: Params) -> Verdict:
    """No telnet: the server is off, or no line takes one."""
    lines = [line for line in login_lines(device) if line.kind == "vty"]
    server = device.telnet()
    if server.answer is False:
        return passed("Telnet 服务关闭", server.where)
    letting = [line for line in lines if "telnet" in line.protocols.value]
    if not letting:
        return passed("没有线路接受 Telnet", "；".join(f"{line.name}：{line.protocols.where}" for line in lines))
    reason = "；".join(f"{line.name}：{line.protocols.where}" for line in letting)
    return judge(not server.value, "线路接受 Telnet", f"{reason}；{server.where}")
