"""Inbound packets and management sources (8.1.4.4 c), and what they could reach (8.1.4.4 b)."""

from __future__ import annotations

from fnmatch import fnmatchcase

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import FactMissing, Facts, sockets, sshd
from panshi.facts.firewall import addresses_by_interface, ruleset
from panshi.facts.packet_filter import Packet, Reach, Ruleset, ports
from panshi.facts.ssh_sources import Door, doors
from panshi.facts.systemd import units
from panshi.verdict import Verdict, failed, not_applicable, partial, passed


def _limited(reach: Reach, params: Params) -> bool:
    """Return whether the sources are few enough to count as a limit (no network wider than the catalogue accepts)."""
    name = f"management_source_prefix_ipv{reach.sources.version}"
    return not reach.sources or params.accepts(name, reach.sources.widest_prefix())


def _outside(facts: Facts, params: Params) -> dict[str, tuple[str, ...]]:
    """Return addresses by interface, without interfaces that only lead to containers on the same host."""
    internal = params.value("firewall_internal_interfaces")
    found = addresses_by_interface(facts.out("net.addresses"))
    return {name: own for name, own in found.items() if not any(fnmatchcase(name, glob) for glob in internal)}


def _open_by_default(rules: Ruleset, interfaces: dict[str, tuple[str, ...]], version: int, params: Params) -> list[str]:
    """Return the interfaces on which a packet that no rule names gets in from too many sources."""
    port = rules.unlisted_port()
    found = []
    for name, own in interfaces.items():
        if not any((":" in address) == (version == 6) for address in own):
            continue
        reaches = [rules.reach(Packet(version, proto, port, name, own)) for proto in ("tcp", "udp")]
        if not all(_limited(reach, params) for reach in reaches):
            found.append(name)
    return found


@check("linux-host-firewall")
def host_firewall(facts: Facts, params: Params) -> Verdict:
    """Inbound packets that no rule names are refused, for both IP versions, now and after a reboot."""
    rules = ruleset(facts)
    interfaces = _outside(facts, params)
    wide = {version: _open_by_default(rules, interfaces, version, params) for version in (4, 6)}
    chains = [f"{table.family} {table.name} {chain.name}" for table, chain in rules.base_chains(4)]
    if wide[4]:
        seen = "未被规则提及的入站报文默认放行" if chains else "没有任何 IPv4 入站过滤规则"
        return failed(seen, f"接口 {'、'.join(wide[4])}；已检查的链：{'、'.join(chains) or '无'}")
    if wide[6]:
        return partial(
            "IPv4 默认拒绝入站，IPv6 默认放行", f"接口 {'、'.join(wide[6])} 有 IPv6 地址，而规则没有覆盖 IPv6"
        )
    if 6 in rules.unread and any(":" in address for own in interfaces.values() for address in own):
        return partial("IPv4 默认拒绝入站", "IPv6 规则未采集，须用 ip6tables-save 人工核对")
    services = params.value("firewall_services")
    at_boot = [name for name, unit in units(facts).items() if name in services and unit.at_boot]
    seen = f"IPv4、IPv6 入站默认拒绝（{'、'.join(chains)}）"
    if not at_boot:
        return partial(seen, f"规则在内核中生效，但没有开机加载它的服务（{'、'.join(services)} 均未启用），重启后失效")
    return passed(f"{seen}，由 {'、'.join(at_boot)} 开机加载")


def _address_matches(facts: Facts) -> list[str]:
    """Return the places where a Match block on addresses changes who may log in: they are left to a person."""
    deciding = ("denyusers", "allowusers", "denygroups", "allowgroups", "authenticationmethods", "forcecommand")
    found = [s for keyword in deciding for s in sshd.match_overrides(facts, keyword)]
    return [setting.place for setting in found if "address" in setting.match.lower()]


def _described(door: Door) -> str:
    return f"{door.port}/tcp（IPv{door.version}，{door.interface}）：{door.reach.text}"


@check("linux-ssh-source-limit")
def ssh_source_limit(facts: Facts, params: Params) -> Verdict:
    """Every way to sshd is open to a few addresses only, whichever of the three layers limits it."""
    found = doors(facts)
    if not found:
        return not_applicable("SSH 服务没有监听在其他主机可达的地址", "没有可从网络到达的 SSH 端口，无需限制来源")
    wide = [door for door in found if not _limited(door.reach, params)]
    if not wide:
        layers = sorted({name for door in found for name in door.limiting})
        seen = "；".join(_described(door) for door in found)
        labels = sorted({label for door in found for label in door.reach.labels})
        if labels:
            return partial(seen, f"来源由 {'、'.join(labels)} 限定，其成员未采集，须人工核对")
        return passed(seen, f"由 {'、'.join(layers)} 限制")
    seen = "；".join(_described(door) for door in wide)
    matches = _address_matches(facts)
    if matches:
        return partial(
            seen, f"防火墙未限制来源；sshd 的 Match Address 块（{'、'.join(matches)}）是否限制登录，须人工核对"
        )
    return failed(seen, "防火墙、sshd 的 AllowUsers 用户@地址与 hosts.allow/hosts.deny 都没有把来源限制到管理网段")


def _listed(endpoint: str, entries: list[str]) -> bool:
    """Return whether ``23/tcp`` is in a list of ports and ranges such as ``5900-5909/tcp``."""
    port, _, proto = endpoint.partition("/")
    for entry in entries:
        numbers, _, wanted = entry.partition("/")
        span = ports(numbers)
        if wanted == proto and span is not None and span[0] <= int(port) <= span[1]:
            return True
    return False


def _reaches(facts: Facts, params: Params, socket: sockets.Socket) -> list[Reach]:
    """Return what the packet filter lets through to a socket on every interface that it can be addressed by."""
    try:
        rules = ruleset(facts)
        interfaces = _outside(facts, params)
    except FactMissing:
        return []
    found = []
    for name, own in interfaces.items():
        for version in (4, 6):
            mine = [address for address in own if (":" in address) == (version == 6)]
            bound = socket.wildcard and (socket.address in ("*", "") or (":" in socket.address) == (version == 6))
            if mine and (bound or socket.address in mine):
                found.append(rules.reach(Packet(version, socket.proto, socket.port, name, own)))
    return found


@check("linux-high-risk-ports")
def high_risk_ports(facts: Facts, params: Params) -> Verdict:
    """No port that attackers love listens for other hosts, unless the owner has approved it."""
    risky, approved = params.value("high_risk_ports"), params.value("approved_ports")
    found = [
        socket
        for socket in sockets.reachable(facts)
        if _listed(socket.endpoint, risky) and not _listed(socket.endpoint, approved)
    ]
    if not found:
        return passed("没有高危端口对外监听")
    # without readable rules or addresses nothing proves a limit
    wide = [
        s for s in found if not (reaches := _reaches(facts, params, s)) or not all(_limited(r, params) for r in reaches)
    ]
    seen = "、".join(socket.text for socket in found)
    if wide:
        return failed(seen, f"{'、'.join(sorted({s.endpoint for s in wide}))} 可从任意来源访问，防火墙未限制")
    return partial(seen, "服务仍在监听，仅由主机防火墙限制来源；不需要的服务应停用")
