"""8.1.4.1, 8.1.4.4 c): who is asked at which login line, how long a silent session lives, from where one may come."""

from __future__ import annotations

from panshi.checks.devices import device_check
from panshi.controls.params import Params
from panshi.facts import FactMissing
from panshi.facts.network import Device
from panshi.facts.network.model import NAMED, Line, Rule
from panshi.verdict import Verdict, failed, judge, partial, passed


def login_lines(device: Device) -> list[Line]:
    """Return the lines of a device; one without any cannot have been read whole."""
    found = device.lines()
    if not found:
        raise FactMissing("运行配置中没有任何登录线路（console、vty）")
    return found


def _vtys(device: Device) -> list[Line]:
    """Return the lines of the network; a device that was read by one has some."""
    found = [line for line in login_lines(device) if line.kind == "vty"]
    if not found:
        raise FactMissing("运行配置中没有 VTY 线路")
    return found


def _authenticated(lines: list[Line]) -> Verdict:
    wrong = [line for line in lines if line.auth.value not in NAMED]
    observed = "；".join(f"{line.name} {line.auth.value}" for line in lines)
    return judge(not wrong, observed, "；".join(f"{line.name}：{line.auth.where}" for line in wrong))


@device_check("net-user-auth")
def user_auth(device: Device, params: Params) -> Verdict:
    """Every line asks for a name and a password: by AAA or a local user, not by one password for all."""
    return _authenticated(login_lines(device))


@device_check("net-console-auth")
def console_auth(device: Device, params: Params) -> Verdict:
    """The console and the auxiliary port ask, too."""
    local = [line for line in login_lines(device) if line.kind != "vty"]
    if not local:
        raise FactMissing("运行配置中没有控制台线路")
    return _authenticated(local)


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
    server = device.telnet()
    if server.answer is False:
        return passed("Telnet 服务关闭", server.where)
    lines = _vtys(device)
    letting = [line for line in lines if "telnet" in line.protocols.value]
    if not letting:
        return passed("没有线路接受 Telnet", "；".join(f"{line.name}：{line.protocols.where}" for line in lines))
    reason = "；".join(f"{line.name}：{line.protocols.where}" for line in letting)
    return judge(not server.value, "线路接受 Telnet", f"{reason}；{server.where}")


@device_check("net-ssh-limits")
def ssh_limits(device: Device, params: Params) -> Verdict:
    """One SSH connection has few attempts and little time."""
    tries, seconds = device.ssh_tries(), device.ssh_seconds()
    wrong = []
    if not params.accepts("ssh_max_auth_tries", tries.value):
        wrong.append(f"尝试次数：{tries.where}")
    if not params.accepts("ssh_login_grace_seconds", seconds.value):
        wrong.append(f"登录时限：{seconds.where}")
    return judge(not wrong, f"尝试 {tries.value} 次，时限 {seconds.value} 秒", "；".join(wrong))


@device_check("net-ssh-on")
def ssh_on(device: Device, params: Params) -> Verdict:
    """SSH is on, speaks version 2 alone, and has a key and algorithms of today."""
    server, old = device.ssh(), device.ssh_old()
    if not server.value:
        return failed("SSH 未启用", server.where)
    if old.value:
        return failed("SSH 仍接受协议版本 1", old.where)
    session = device.session()
    if not session:
        return partial("SSHv2 已启用", "不是经 SSH 采集，没有看到主机密钥与算法")
    kind, _, bits = session.get("host_key", "").partition(" ")
    words = "、".join(filter(None, (session.get(key, "") for key in ("kex_hash", "cipher", "mac"))))
    observed = f"SSHv2，主机密钥 {kind} {bits} 位，{words}"
    if kind == "ssh-dss" or (kind == "ssh-rsa" and not params.accepts("net_rsa_bits", int(bits or 0))):
        return failed(observed, f"主机密钥 {kind} {bits} 位过弱")
    agreed = (("ssh_ciphers", "cipher"), ("ssh_macs", "mac"), ("net_kex_hashes", "kex_hash"))
    used = [(name, session[key]) for name, key in agreed if session.get(key)]
    weak = [algorithm for name, algorithm in used if not params.accepts(name, [algorithm])]
    if weak:
        return failed(observed, f"只能以旧算法连接：{'、'.join(weak)}")
    return passed(observed)


@device_check("net-vty-acl")
def vty_acl(device: Device, params: Params) -> Verdict:
    """Logins over the network come from named sources only."""
    lines = [line for line in _vtys(device) if line.open]
    if not lines:
        return passed("没有可登录的 VTY")
    shared = device.ssh_acl() if all(line.protocols.answer == frozenset({"ssh"}) for line in lines) else ""
    bare = [line.name for line in lines if not (line.acl or shared)]
    if bare:
        return failed(f"{'、'.join(bare)} 没有 ACL", "任何地址都能尝试登录")
    names = sorted({line.acl or shared for line in lines})
    if empty := [acl for acl in names if not device.sources(acl)]:
        return failed(f"管理来源由 ACL {'、'.join(names)} 限制", f"没有规则的 ACL 不限制任何地址：{'、'.join(empty)}")
    observed = f"管理来源由 ACL {'、'.join(names)} 限制"
    permits = [(f"ACL {acl}：{rule.line}", rule) for acl in names for rule in device.sources(acl) if rule.permit]
    if wide := [said for said, rule in permits if _too_wide(rule, params)]:
        return failed(observed, f"来源太宽：{'；'.join(wide)}")
    if unclear := [said for said, rule in permits if rule.source is None]:
        return partial(observed, f"规则本身看不出是哪些地址，须人工核对：{'；'.join(unclear)}")
    return passed(observed, "；".join(said for said, _ in permits))


def _too_wide(rule: Rule, params: Params) -> bool:
    if rule.source is None:
        return "source" not in rule.named
    return not params.accepts(f"management_source_prefix_ipv{rule.source.version}", rule.source.prefixlen)
