"""8.1.4.3: what a device writes down, with which time, and where it goes."""

from __future__ import annotations

from panshi.checks.devices import device_check
from panshi.controls.params import Params
from panshi.facts.network import Device
from panshi.facts.network.display import synchronised
from panshi.verdict import Verdict, failed, judge, partial, passed


@device_check("net-log-on")
def log_on(device: Device, params: Params) -> Verdict:
    """Something is logged: with a buffer on the device, logins of both kinds, commands."""
    on = device.logging()
    if not on.value:
        return failed("日志关闭", on.where)
    missing = device.unrecorded()
    if missing:
        return partial("日志开启", f"没有记录：{'、'.join(missing)}")
    return passed("日志开启，记录登录与操作命令", on.where)


@device_check("net-cmd-accounting")
def command_accounting(device: Device, params: Params) -> Verdict:
    """Every command of an operator is reported while it is typed: to an AAA server, else to the log hosts."""
    accounted = device.command_accounting()
    if accounted.value:
        return passed("命令逐条上送 AAA 服务器", accounted.where)
    if device.commands_in_syslog().value and device.logging().value and device.loghosts().value:
        return partial("命令只经日志上送", f"{accounted.where}；日志可能丢失，且没有 AAA 服务器的记录")
    return failed("没有命令记账", accounted.where)


@device_check("net-timestamps")
def timestamps(device: Device, params: Params) -> Verdict:
    """Log lines have a date and a time of day."""
    found = device.dated()
    return judge(found.value, "日志带日期与时间" if found.value else "日志没有日期", found.where)


@device_check("net-ntp")
def ntp(device: Device, params: Params) -> Verdict:
    """The clock follows a time server, in the time zone of the site."""
    servers = device.ntp_servers()
    if not servers.value:
        return failed("没有时间服务器", servers.where)
    follows = synchronised(device.facts)
    observed = f"时间服务器：{'、'.join(servers.value)}"
    if not follows.value:
        return failed(f"{observed}；未同步", follows.where)
    zone = device.timezone()
    if not params.accepts("net_timezone_minutes", zone.value):
        return partial(f"{observed}；已同步，时区 UTC{zone.value / 60:+g}", f"不是东八区：{zone.where}")
    proof = "已启用认证" if device.ntp_proof() else "没有启用 NTP 认证，宜启用"
    return passed(f"{observed}；已同步", proof)


@device_check("net-loghost")
def loghost(device: Device, params: Params) -> Verdict:
    """Logs leave the device, with everything that matters."""
    hosts = device.loghosts()
    if not hosts.value:
        return failed("没有日志服务器", hosts.where)
    level = device.log_level()
    observed = f"日志服务器：{'、'.join(hosts.value)}，级别 {level.value}"
    return judge(params.accepts("net_log_level", level.value), observed, level.where)
