"""How administrators reach the host: encrypted channels, no direct root login (8.1.2.2 b, 8.1.4.1 c, 8.1.4.2 b)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import Facts, firewall, packages, sockets, sshd, systemd
from panshi.facts.address import Sources
from panshi.facts.packet_filter import Packet, Reach
from panshi.facts.sockets import Socket
from panshi.verdict import Verdict, failed, judge, not_applicable, partial, passed

_NO_SSHD = "主机上没有 sshd，是否需要由 linux-ssh-enabled 判定"
# Debian names the unit ssh, the RPM family sshd; socket activation is a choice of the administrator in both.
_SSH_UNITS = ("ssh.service", "sshd.service", "ssh.socket", "sshd.socket")


def matching(found: Iterable[Socket], entries: Iterable[str]) -> dict[str, list[Socket]]:
    """Return the sockets that fall under each entry of a port list of the catalogue.

    Args:
        found: listening sockets.
        entries: ``23/tcp``, or ``514/tcp=xinetd|in.rshd`` when only these owners make it that service, or
            ``*/tcp=vsftpd`` for a program on any port. A socket of unknown owner counts for a numbered port.
    """
    result: dict[str, list[Socket]] = {}
    sockets_ = list(found)
    for entry in entries:
        endpoint, _, names = entry.partition("=")
        port, _, proto = endpoint.partition("/")
        owners = set(names.split("|")) if names else set()
        hits = [
            s
            for s in sockets_
            if s.proto == proto
            and port in ("*", str(s.port))
            and (not owners or owners & set(s.owners) or (not s.owners and port != "*"))
        ]
        if hits:
            result[entry] = hits
    return result


def _forbidden(facts: Facts, params: Params, *names: str) -> list[Socket]:
    """Return the reachable sockets that the given port parameters do not accept, each once."""
    reachable = sockets.reachable(facts)
    hits: list[Socket] = []
    for name in names:
        seen = matching(reachable, params[name].accept["none_of"])
        if not params.accepts(name, list(seen)):
            hits += [s for group in seen.values() for s in group]
    return sorted(dict.fromkeys(hits), key=lambda s: (s.port, s.proto, s.address))


def _texts(found: Iterable[Socket]) -> str:
    return "、".join(dict.fromkeys(s.text for s in found))


def _live_units(facts: Facts, names: Iterable[str]) -> list[systemd.Unit]:
    """Return the units that run now or come up at boot."""
    known = systemd.units(facts)
    return [known[name] for name in names if name in known and (known[name].running or known[name].at_boot)]


@check("linux-mgmt-encrypted")
def mgmt_encrypted(facts: Facts, params: Params) -> Verdict:
    """No clear-text management protocol answers from outside the host."""
    hits = _forbidden(facts, params, "telnet_ports", "remote_desktop_ports")
    if hits:
        return failed(f"明文管理端口可从外部访问：{_texts(hits)}", "net.listen 中这些套接字不在回环地址上")
    ssh = [s for s in sockets.reachable(facts) if "sshd" in s.owners]
    return passed(f"没有明文管理端口；SSH：{_texts(ssh) or '未监听'}")


@check("linux-telnet-absent")
def telnet_absent(facts: Facts, params: Params) -> Verdict:
    """No telnet or r-service listens or would start at boot; an idle package alone is no open door."""
    hits = _forbidden(facts, params, "telnet_ports")
    live = _live_units(facts, params.value("telnet_units"))
    if hits or live:
        seen = [*(s.text for s in hits), *(u.text for u in live)]
        return failed("、".join(seen), "telnet/rsh 类服务正在监听，或会随系统启动")
    idle = set(packages.installed(facts)) & set(params.value("telnet_packages"))
    if idle:
        return passed(f"端口未监听；已安装但未启用：{'、'.join(sorted(idle))}", "建议卸载")
    return passed("未安装 telnet/rsh 服务端，相关端口未监听")


@check("linux-ssh-enabled")
def ssh_enabled(facts: Facts, params: Params) -> Verdict:
    """Sshd runs, starts at boot and speaks protocol 2 only."""
    if not sshd.installed(facts):
        return failed("未安装 sshd", "远程管理没有加密通道")
    # sshd -T stopped printing the protocol when OpenSSH 7.4 removed version 1 from the server
    protocol = sshd.value(facts, "protocol")
    if protocol and not params.accepts("ssh_protocol", protocol):
        return failed(f"Protocol {protocol}", f"{sshd.origin(facts, 'protocol')} 允许 SSH 协议 1")
    known = [u for name in _SSH_UNITS if (u := systemd.unit(facts, name)).exists]
    running = next((u for u in known if u.running), None)
    boot = next((u for u in known if u.at_boot), None)
    seen = "；".join(u.text for u in known if u.running or u.at_boot) or "sshd 未运行，也不随系统启动"
    if running is None:
        return failed(seen, "没有正在运行的 ssh/sshd 单元")
    return judge(boot is not None, seen, "" if boot else f"{running.name} 不随系统启动，重启后将失去加密的远程管理")


def _weak(facts: Facts, params: Params, pairs: Iterable[tuple[str, str]]) -> Verdict:
    """Judge effective algorithm lists: pairs of sshd keyword and parameter."""
    if not sshd.installed(facts):
        return not_applicable("未安装 sshd", _NO_SSHD)
    seen, why = [], []
    for keyword, parameter in pairs:
        names = sshd.algorithms(facts, keyword)
        weak = [name for name in names if not params.accepts(parameter, [name])]
        seen.append(f"{keyword}：{('弱 ' + '、'.join(weak)) if weak else f'{len(names)} 种，无弱算法'}")
        if weak:
            why.append(f"{keyword} 由 {sshd.origin(facts, keyword)} 决定")
    return judge(not why, "；".join(seen), "；".join(why))


@check("linux-ssh-ciphers")
def ssh_ciphers(facts: Facts, params: Params) -> Verdict:
    """Effective ciphers hold no weak one."""
    return _weak(facts, params, [("ciphers", "ssh_ciphers")])


@check("linux-ssh-macs-kex")
def ssh_macs_kex(facts: Facts, params: Params) -> Verdict:
    """Effective MACs, key exchange and host key algorithms hold no weak one."""
    return _weak(
        facts,
        params,
        [("macs", "ssh_macs"), ("kexalgorithms", "ssh_kex"), ("hostkeyalgorithms", "ssh_hostkey_algorithms")],
    )


def _directives(text: str) -> dict[str, str]:
    """Return ``key=value`` or ``Key value`` lines with lower-case keys and values, the last one wins."""
    rows = (re.split(r"\s*=\s*|\s+", line.strip(), maxsplit=1) for line in text.splitlines() if line.strip()[:1] != "#")
    return {row[0].lower(): row[1].strip().strip('"').lower() for row in rows if len(row) == 2}


def _vsftpd_encrypted(facts: Facts) -> str | None:
    """Return the file that forces TLS for local users, else None (vsftpd.conf(5): force_* default to YES)."""
    for item in [*facts.glob("/etc/vsftpd.conf"), *facts.glob("/etc/vsftpd/*.conf")]:
        has = _directives(item.out)
        forced = all(has.get(f"force_local_{part}_ssl", "yes") == "yes" for part in ("logins", "data"))
        if has.get("ssl_enable", "no") == "yes" and forced:
            return item.id[5:]
    return None


def _proftpd_encrypted(facts: Facts) -> str | None:
    """Return the file that requires TLS for control and data, else None."""
    for item in facts.glob("/etc/proftpd/*.conf"):
        has = _directives(item.out)
        if has.get("tlsengine") == "on" and has.get("tlsrequired") in ("on", "ctrl+data"):
            return item.id[5:]
    return None


@check("linux-ftp-plain-absent")
def ftp_plain_absent(facts: Facts, params: Params) -> Verdict:
    """No FTP or TFTP service, or FTP that refuses to work without TLS."""
    hits = _forbidden(facts, params, "cleartext_transfer_ports")
    live = _live_units(facts, params.value("cleartext_transfer_units"))
    programs = {owner for s in hits for owner in s.owners} | {u.name.partition(".")[0] for u in live}
    seen = "、".join([*(s.text for s in hits), *(u.text for u in live)])
    if not hits and not live:
        return passed("没有 FTP/TFTP 服务在监听或随系统启动")
    encrypted = {"vsftpd": _vsftpd_encrypted, "proftpd": _proftpd_encrypted}
    forced = {name: path for name in programs if name in encrypted and (path := encrypted[name](facts))}
    if programs and programs == set(forced):
        return passed(seen, f"已强制 TLS：{'、'.join(sorted(forced.values()))}")
    plain = sorted(programs - set(forced)) or ["未知程序"]
    return failed(seen, f"{'、'.join(plain)} 以明文传输口令与数据（没有强制 TLS 的配置）")


@check("linux-vnc-xdmcp-off")
def vnc_xdmcp_off(facts: Facts, params: Params) -> Verdict:
    """No clear-text remote desktop answers from outside."""
    hits = _forbidden(facts, params, "remote_desktop_ports")
    if hits:
        return failed(_texts(hits), "明文远程桌面未限制在回环地址")
    return passed("没有 VNC、XDMCP、X11 端口可从外部访问")


def _allowed_hosts(facts: Facts, version: int) -> Sources:
    """Return the sources that AllowUsers leaves; a pattern that is no address or network limits nothing."""
    entries = [w for line in sshd.effective(facts).get("allowusers", ()) for w in line.split()]
    hosts = [entry.partition("@")[2] for entry in entries]
    try:
        return Sources.of(version, hosts) if hosts and all(hosts) else Sources.every(version)
    except ValueError:
        return Sources.every(version)


def ssh_reach(facts: Facts) -> list[Reach]:
    """Return from where SSH logins can come, per listening address: packet filter and AllowUsers together.

    hosts.allow is not looked at: OpenSSH outside Debian ignores it.
    """
    own = firewall.addresses_by_interface(facts.out("net.addresses"))
    rules = firewall.ruleset(facts)
    ports = {int(port) for port in sshd.effective(facts).get("port", ())}
    found = []
    for socket in sockets.reachable(facts):
        if socket.proto != "tcp" or not (socket.port in ports or "sshd" in socket.owners):
            continue
        for interface, addresses in own.items():
            heard = [a for a in addresses if socket.wildcard or a == socket.address]
            for version in {ip_address(a).version for a in heard if _same_family(socket, a)}:
                reach = rules.reach(Packet(version, "tcp", socket.port, interface, addresses))
                found.append(Reach(reach.sources & _allowed_hosts(facts, version), reach.labels))
    return found


def _same_family(socket: Socket, address: str) -> bool:
    return socket.address in ("*", "") or (":" in socket.address) == (":" in address)


@check("linux-mfa-no-bypass")
def mfa_no_bypass(facts: Facts, params: Params) -> Verdict:
    """SSH logins can come from the registered bastion only, by packet filter or by AllowUsers."""
    if not sshd.installed(facts):
        return not_applicable("未安装 sshd", _NO_SSHD)
    reaches = [reach for reach in ssh_reach(facts) if reach]
    bastion = params.value("bastion_addresses")
    seen = f"SSH 登录来源：{'、'.join(dict.fromkeys(r.text for r in reaches)) or '无'}"
    beyond = [r for r in reaches if r.labels or r.sources - Sources.of(r.sources.version, bastion)]
    if not beyond:
        return passed(seen, "均为已登记的堡垒机地址" if reaches else "没有来源能到达 SSH")
    if any(r.sources.everything for r in beyond):
        return failed(seen, "防火墙与 AllowUsers 都没有限制来源，可以绕过堡垒机直接登录")
    if not bastion:
        return partial(seen, "来源已受限，但没有登记堡垒机地址（mlps_bastion_addresses），无法确认只能经双因素入口登录")
    return failed(seen, f"除堡垒机 {'、'.join(bastion)} 外还有其他来源可直接登录")


def _root_refused(facts: Facts) -> str:
    """Return the effective DenyUsers/AllowUsers line that keeps root out of SSH altogether, else ""."""
    values = sshd.effective(facts)
    denied = [w for line in values.get("denyusers", ()) for w in line.split()]
    allowed = [w for line in values.get("allowusers", ()) for w in line.split()]
    if "root" in denied:
        return f"DenyUsers root（{sshd.origin(facts, 'denyusers')}）"
    # a pattern such as r* or * may match root, only plain other names surely do not
    if allowed and not any(re.search(r"[*?!]", name.split("@")[0]) or name.split("@")[0] == "root" for name in allowed):
        return f"AllowUsers 不含 root（{sshd.origin(facts, 'allowusers')}）"
    return ""


@check("linux-ssh-root-login")
def ssh_root_login(facts: Facts, params: Params) -> Verdict:
    """Root cannot log in over SSH; keys only is half of it. Match blocks must not open what the global part closes."""
    if not sshd.installed(facts):
        return not_applicable("未安装 sshd", _NO_SSHD)
    current = sshd.value(facts, "permitrootlogin")
    seen = f"PermitRootLogin {current}"
    place = sshd.origin(facts, "permitrootlogin")
    if not params.accepts("ssh_permit_root_login", current):
        if refused := _root_refused(facts):
            return passed(f"{seen}；{refused}", "root 被用户名单拒绝")
        if current in params.value("ssh_permit_root_login_partial"):
            return partial(seen, f"{place}：口令登录已禁止，但仍可用密钥直接以 root 登录，操作无法落实到人")
        return failed(seen, f"由 {place} 决定，root 可直接远程登录")
    opened = [
        s
        for s in sshd.match_overrides(facts, "permitrootlogin")
        if not params.accepts("ssh_permit_root_login", sshd.normal(s.value))
    ]
    if opened:
        return partial(f"{seen}；例外 {opened[0].value}", f"{opened[0].place} 对部分来源放开了 root 登录")
    return passed(seen, f"由 {place} 决定")
