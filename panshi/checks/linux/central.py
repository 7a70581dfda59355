"""What ties a host to the management centre: monitoring and package sources (8.1.5.4 c, e)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import Facts, repos, systemd
from panshi.verdict import Verdict, failed, judge, passed

_LOCAL_SCHEMES = ("file", "cdrom", "copy")


@check("linux-monitoring-agent")
def monitoring_agent(facts: Facts, params: Params) -> Verdict:
    """An agent that reports load, memory and disks runs and comes up at boot."""
    known = set(params.value("monitoring_agents"))
    running = [u for name, u in systemd.units(facts).items() if u.running and name.rpartition(".")[0] in known]
    if running:
        at_boot = [u for u in running if u.at_boot]
        reason = "本机只能证明代理在运行；是否在线、有无阈值告警须在监控平台上核对"
        return judge(bool(at_boot), "、".join(u.text for u in running), reason if at_boot else "没有设为开机启动")
    commands = {word for line in facts.item("proc.list").lines() for word in line.split("\t")[5:7]}
    if loose := sorted(commands & known):
        return passed(f"进程 {'、'.join(loose)} 在运行", "不由 systemd 管理，重启后能否恢复须核对")
    return failed(
        "没有发现监控代理", "没有参数 monitoring_agents 所列的服务或进程；用其他代理的，把它的服务名加入该参数"
    )


@check("linux-patch-source")
def patch_source(facts: Facts, params: Params) -> Verdict:
    """Packages and fixes come from a source that the organisation manages."""
    found = {source.uri: source.place for source in repos.sources(facts)}
    if not found:
        return failed("没有启用的软件源", "主机没有配置任何软件源，补丁无从集中管理")
    outside = [uri for uri in found if not _internal(uri, params.value("patch_source_internal"))]
    hosts = "、".join(dict.fromkeys(_host(uri) or uri for uri in found))
    if outside:
        name = _host(outside[0]) or "镜像列表"
        reason = (
            f"{found[outside[0]]} 的 {name} 不是本单位登记的内部源；确属内部管理的，登记进参数 patch_source_internal"
        )
        return failed(f"软件源 {hosts}", reason)
    return passed(f"软件源 {hosts}", "均为内部地址、内部域名或本地介质")


def _host(uri: str) -> str:
    return urlsplit(uri).hostname or ""


def _under(host: str, domains: Iterable[str]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _internal(uri: str, domains: Iterable[str]) -> bool:
    """Return whether a source is local media, a private address, a bare host name, or under a declared domain."""
    host = _host(uri)
    if urlsplit(uri).scheme in _LOCAL_SCHEMES:
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return bool(host) and ("." not in host or _under(host, domains))
