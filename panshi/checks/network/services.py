"""8.1.2.2, 8.1.4.1 c), 8.1.4.4, 8.1.4.9: services, SNMP, routing peers, release, banner, the saved configuration."""

from __future__ import annotations

from fnmatch import fnmatchcase

from panshi.checks.devices import device_check
from panshi.controls.params import Params
from panshi.facts.network import Device
from panshi.facts.network.model import Snmp
from panshi.verdict import Verdict, failed, judge, manual, not_applicable, partial, passed

_NAMED_MOST = 5


@device_check("net-http-off")
def http_off(device: Device, params: Params) -> Verdict:
    """No management by HTTP without encryption."""
    found = device.http()
    return judge(not found.value, "HTTP 管理开启" if found.value else "HTTP 管理关闭", found.where)


@device_check("net-services-off")
def services_off(device: Device, params: Params) -> Verdict:
    """Services that are rarely needed are off."""
    on = [service for service in device.services() if service.on.value]
    observed = f"开启：{'、'.join(service.name for service in on)}" if on else "多余服务均已关闭"
    reason = "；".join(f"{service.name}：{service.on.where}" for service in on)
    if any(service.grave for service in on):
        return failed(observed, reason)
    return partial(observed, f"须确认是否需要：{reason}") if on else passed(observed)


@device_check("net-snmp")
def snmp(device: Device, params: Params) -> Verdict:
    """SNMP is off, or v3 with authentication and encryption; v2c is tolerated for reading from named sources."""
    agent = device.snmp()
    if not agent.on:
        return passed("SNMP 关闭")
    observed = f"团体名 {len(agent.communities)} 个，v3 组 {agent.groups} 个，v1/v2c {'开启' if agent.old else '关闭'}"
    if wrong := _wrong(agent):
        return failed(observed, "；".join(wrong))
    if agent.old and agent.communities:
        return partial(observed, "v2c 明文传输，已限制来源，应改用 v3")
    return passed(observed)


def _wrong(agent: Snmp) -> list[str]:
    wrong = [f"v3 组 {name} 没有加密（privacy）" for name in agent.open_groups]
    if not agent.old:
        return wrong
    for one in agent.communities:
        if one.known:
            wrong.append(f"{one.name}是众所周知的（public、private）")
        if one.write:
            wrong.append(f"{one.name}可写")
        if not one.acl:
            wrong.append(f"{one.name}没有限制来源")
    return wrong


@device_check("net-routing-auth")
def routing_auth(device: Device, params: Params) -> Verdict:
    """Routing and redundancy peers prove who they are by a digest."""
    found = device.sessions()
    if not found:
        return not_applicable("没有 OSPF、BGP、VRRP", "不运行动态路由与冗余协议")
    bare = [f"{one.name}：{one.where}" for one in found if one.proof in ("none", "plain")]
    doubtful = [one.name for one in found if one.proof == "interface"]
    observed = "、".join(one.name for one in found[:_NAMED_MOST]) + (f" 等 {len(found)} 个" if found[5:] else "")
    if bare:
        return failed(observed, f"没有认证或为明文：{'；'.join(bare[:_NAMED_MOST])}")
    if doubtful:
        return partial(observed, f"只有部分接口写有认证，须核对每个邻居所在的接口：{'、'.join(doubtful[:_NAMED_MOST])}")
    return passed(observed, "均以摘要认证")


@device_check("net-version")
def version(device: Device, params: Params) -> Verdict:
    """The release is one that the estate has approved; those whose support is known to have ended are refused."""
    release = device.release()
    approved, ended = params.value("net_approved_releases"), params.value("net_ended_releases")
    if any(fnmatchcase(release, pattern) for pattern in approved):
        return passed(release, "在认可的版本清单（net_approved_releases）中")
    if old := next((pattern for pattern in ended if fnmatchcase(f"{device.platform} {release}", pattern)), None):
        return failed(release, f"厂商已停止支持（{old}）")
    return manual(release, "不在认可的版本清单（net_approved_releases）中，须对照厂商的支持公告与漏洞公告")


@device_check("net-banner")
def banner(device: Device, params: Params) -> Verdict:
    """Something warns before the login, and does not tell what the device is."""
    text = device.banner()
    if not text.value:
        return failed("没有登录警示语", text.where)
    words = [word for word in (*device.vendor_words, device.name()) if word and word.lower() in text.value.lower()]
    return judge(not words, f"警示语：{text.value[:40]}", f"泄露设备信息：{'、'.join(words)}" if words else "")


@device_check("net-config-backup")
def config_backup(device: Device, params: Params) -> Verdict:
    """What runs would also run after a restart, and a copy of it is elsewhere."""
    changed = device.facts.out("net.unsaved").strip()
    if changed:
        lines = [line for line in changed.splitlines() if line.startswith(("+", "-"))]
        return failed(f"运行配置与保存的配置不同（{len(lines)} 行）", "重启后会丢失未保存的修改，须核对后保存")
    if not device.facts.has("net.backup"):
        return partial("已保存", "没有离机备份的记录，须以配置备份作业（network_backup）备份")
    row = device.facts.out("net.backup").split()
    if not row:
        return failed("已保存，从未离机备份", "须以配置备份作业（network_backup）备份")
    ok = params.accepts("backup_max_days", int(row[0]))
    same = row[1:] == ["same"]
    observed = f"已保存，{row[0]} 天前离机备份"
    return judge(ok and same, observed, "" if ok and same else "备份过期" if same else "备份之后配置又有改动")
