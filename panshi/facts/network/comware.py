"""H3C Comware V7: switches, routers, SecPath firewalls."""

from __future__ import annotations

import re
from collections.abc import Callable

from panshi.facts.model import FactMissing
from panshi.facts.network.display import comware_release
from panshi.facts.network.filters import rule_z
from panshi.facts.network.model import (
    AccessPort,
    Account,
    Auth,
    Filter,
    Known,
    Line,
    Lockout,
    Service,
    Stored,
)
from panshi.facts.network.section import Section
from panshi.facts.network.undo import UndoDevice, rules

_AUTH = {"scheme": Auth.AAA, "password": Auth.PASSWORD, "none": Auth.NONE}
_KINDS = {"con": "console", "console": "console", "aux": "aux", "vty": "vty"}
_ALL = frozenset({"telnet", "ssh"})
_LINE = r"(?:line|user-interface) (con|console|aux|vty) (\d+.*)$"
_CLASS = r"line class (console|aux|vty)$"
_STORED = {"hash": Stored.HASH, "cipher": Stored.REVERSIBLE, "simple": Stored.PLAIN}
# Not that for network users alone.
_CONTROL = r"password-control enable$"
_NAC = r"dot1x$|mac-authentication$|port-security port-mode|port-security max-mac-count|mac-address max-mac-count"


class Comware(UndoDevice):
    """Comware V7. A line obeys its own setting, else that of its line class, else the default."""

    platform = "hp_comware"
    title = "H3C Comware V7"
    vendor_words = ("h3c", "华三", "comware", "hpe", "secpath")

    def lines(self) -> list[Line]:
        """Return the login lines."""
        classes = {_KINDS[head[1]]: part for head, part in self.config.sections(_CLASS)}
        return [
            self._line(_KINDS[head[1]], f"{head[1]} {head[2]}", [part, classes.get(_KINDS[head[1]], Section())])
            for head, part in self.config.sections(_LINE)
        ]

    def _line(self, kind: str, name: str, parts: list[Section]) -> Line:
        acl = _first(parts, r"acl (?:ipv6 |mac )?(\S+) inbound")
        protocols = self._protocols(kind, parts)
        return Line(kind, name, self._auth(kind, parts), self._idle(parts), protocols, acl[1][1] if acl else "")

    def _auth(self, kind: str, parts: list[Section]) -> Known[Auth]:
        if found := _first(parts, r"authentication-mode (\S+)"):
            if found[1][1] == "scheme" and (nobody := self._unasked()):
                return Known(Auth.NONE, f"{found[0]}；{nobody}")
            return Known(_AUTH.get(found[1][1]), found[0])
        return self.default("vty_auth" if kind == "vty" else "console_auth").to(lambda name: Auth[name])

    def _unasked(self) -> str:
        """Return the line by which the domain of logins asks nobody, "" where it asks."""
        chosen = self.config.last(r"domain default enable (\S+)")
        name = re.escape(chosen[1] if chosen else "system")
        for head, part in self.config.sections(rf"domain (?:name )?{name}$"):
            said = part.last(r"authentication login .+") or part.last(r"authentication default .+")
            if said and "none" in said[0].split():
                return f"{head[0]}：{said[0]}"
        return ""

    def _idle(self, parts: list[Section]) -> Known[int]:
        if found := _first(parts, r"idle-timeout (\d+)(?: (\d+))?$"):
            return Known(int(found[1][1]) * 60 + int(found[1][2] or 0), found[0])
        return self.default("idle_seconds")

    def _protocols(self, kind: str, parts: list[Section]) -> Known[frozenset[str]]:
        if kind != "vty":
            return Known(frozenset(), "")
        if found := _first(parts, r"protocol inbound (\S+)"):
            return Known(_ALL if found[1][1] == "all" else frozenset({found[1][1]} & _ALL), found[0])
        return self.default("vty_protocols").to(frozenset)

    def central(self) -> str:
        """Return the first domain that asks RADIUS or HWTACACS for logins."""
        for head, part in self.config.sections(r"domain (?:name )?(\S+)"):
            if found := part.last(r"authentication (?:login|default) (?:radius|hwtacacs)-scheme"):
                return f"{head[0]}：{found[0]}"
        return ""

    def telnet(self) -> Known[bool]:
        """Return whether the telnet server runs."""
        return self.said(r"(undo )?telnet server enable", "telnet_server")

    def http(self) -> Known[bool]:
        """Return whether HTTP without encryption is served."""
        return self.http_said(r"(undo )?ip http enable")

    def ssh_server(self) -> Known[bool]:
        """Return whether the STelnet server runs."""
        return self.said(r"(undo )?ssh server enable", "ssh_server")

    def _rule(self, feature: str, pattern: str, question: str, worst: Callable[[list[int]], int]) -> Known[int]:
        """Return a password rule: off with password control, else of the user, group or system that is weakest."""
        if not self.config.has(_CONTROL):
            return Known(0, "没有 password-control enable")
        if off := self.config.last(rf"undo password-control {feature} enable"):
            return Known(0, off[0])
        outer = self.number(pattern, question)
        inner = [
            (int(found[1]), f"{part.line}：{found[0]}")
            for _, part in self.config.sections(r"(?:local-user|user-group) \S+")
            if (found := part.last(pattern))
        ]
        chosen = worst([outer.value, *(value for value, _ in inner)])
        return Known(chosen, next((where for value, where in inner if value == chosen), outer.where))

    def password_length(self) -> Known[int]:
        """Return the least length of a new password."""
        return self._rule("length", r"password-control length (\d+)", "password_length", min)

    def password_kinds(self) -> Known[int]:
        """Return how many kinds of characters."""
        return self._rule("composition", r"password-control composition type-number (\d+)", "password_kinds", min)

    def password_days(self) -> Known[int]:
        """Return the days until a password expires."""
        return self._rule("aging", r"password-control aging (\d+)", "password_days", max)

    def password_history(self) -> Known[int]:
        """Return how many old passwords are refused."""
        return self._rule("history", r"password-control history (\d+)", "password_history", min)

    def lockout(self) -> Known[Lockout]:
        """Return what wrong passwords lead to, for the account that is held least; off without password control."""
        if not self.config.has(_CONTROL):
            return Known(Lockout(0, 0), "没有 password-control enable")
        users = [part for _, part in self.config.sections(r"(?:local-user|user-group) \S+")]
        found = [lock for part in (self.config, *users) if (lock := self._lock(part))]
        if not self._lock(self.config):
            found.append(self.default("lockout").to(lambda pair: Lockout(*pair)))
        return min(found, key=lambda one: (one.value.failures > 0, -one.value.failures))

    def _lock(self, part: Section) -> Known[Lockout] | None:
        found = part.last(r"password-control login-attempt (\d+)(?: exceed (lock-time (\d+)|lock|unlock))?")
        if not found:
            return None
        where = f"{part.line}：{found[0]}" if part.line else found[0]
        if found[2] == "unlock":
            return Known(Lockout(0, 0), where)
        if found[2] == "lock":
            return Known(Lockout(int(found[1]), 0), where)
        seconds = int(found[3]) * 60 if found[3] else self.default("lockout").value[1]
        return Known(Lockout(int(found[1]), seconds), where)

    def accounts(self) -> list[Account]:
        """Return the local accounts that manage the device."""
        found = self.config.sections(r"local-user (\S+)(?: class (\S+))?")
        return [_account(head[1], part) for head, part in found if head[2] in (None, "manage")]

    def elevation(self) -> Known[Stored]:
        """Return how the password of ``super`` is kept."""
        found = self.config.last(r"super password(?: role \S+| level \d+)? (hash|cipher|simple)")
        return Known(_STORED[found[1]], found[0]) if found else Known(Stored.NONE, "没有 super password")

    def other_secrets(self) -> list[tuple[str, Stored]]:
        """Return the passwords of lines and line classes."""
        return [
            (part.line, _STORED[said[1]])
            for _, part in self.config.sections(r"line |user-interface ")
            if (said := part.last(r"set authentication password (hash|cipher|simple)"))
        ]

    def command_accounting(self) -> Known[bool]:
        """Return whether commands are accounted on every line where somebody can come in by the network."""
        classes = {_KINDS[head[1]]: part for head, part in self.config.sections(_CLASS)}
        vty = [part for head, part in self.config.sections(_LINE) if head[1] == "vty"]
        without = [
            part.line for part in vty if not _first([part, classes.get("vty", Section())], r"command accounting$")
        ]
        if without or not vty:
            return Known(False, f"{'、'.join(without) or '没有 VTY'}：没有 command accounting")
        return Known(True, "command accounting")

    def dated(self) -> Known[bool]:
        """Return whether log lines have date and time, for log hosts and for the rest."""
        if found := self.config.last(r"info-center timestamp (?:boot|none)$"):
            return Known(False, found[0])
        if found := self.config.last(r"info-center timestamp loghost (\S+)"):
            return Known(found[1] in ("date", "iso", "no-year-date"), found[0])
        return self.default("dated")

    def ntp_servers(self) -> Known[tuple[str, ...]]:
        """Return the time servers, none while the service is off."""
        if not self.config.has(r"ntp-service enable"):
            return Known((), "没有 ntp-service enable")
        return super().ntp_servers()

    def services(self) -> list[Service]:
        """Return FTP and TFTP servers, and proxies of ARP."""
        proxies = [head[1] for head, part in self.interfaces() if part.has(r"proxy-arp enable")]
        return [
            Service("FTP 服务器", self.said(r"(undo )?ftp server enable", "ftp_server")),
            Service("TFTP 服务器", Known(self.config.has(r"tftp-server enable"), "tftp-server enable")),
            Service("代理 ARP", Known(bool(proxies), "、".join(proxies)), grave=False),
        ]

    def banner(self) -> Known[str]:
        """Return what is shown before a login."""
        if found := self.config.last(r"(?s)header (?:legal|login|motd) (.+)"):
            return Known(found[1].strip()[1:-1].strip(), found[0].splitlines()[0][:40])
        return Known("", "没有 header legal、header login")

    def filters(self) -> list[Filter]:
        """Return the zone policy of a firewall and the packet filters on interfaces."""
        policies = [self._policy_of_zones(part) for _, part in self.config.sections(r"security-policy ip(?:v6)?$")]
        return [*policies, *self._lists()]

    def _policy_of_zones(self, part: Section) -> Filter:
        found = [rule for head, inner in part.sections(r"rule \d+ name (\S+)") if (rule := rule_z(head[1], inner))]
        return Filter(part.line, "区域间", tuple(found), self.default("zone_rest"), advanced=True)

    def _lists(self) -> list[Filter]:
        used: dict[str, list[str]] = {}
        pattern = r"packet-filter (?:ipv6 |mac )?(?:name )?(?!default)(\S+) (inbound|outbound)"
        for place, part in [("全局", self.config), *((head[1], one) for head, one in self.interfaces())]:
            for found in part.all(pattern):
                used.setdefault(found[1], []).append(f"{place} {found[2]}")
        known = self.acls()
        if lost := sorted(set(used) - set(known)):
            raise FactMissing(f"接口引用的 ACL {'、'.join(lost)} 不存在")
        closed = self.config.last(r"packet-filter default deny")
        rest = Known(False, closed[0]) if closed else self.default("list_rest")
        return [
            Filter(name, "、".join(places), tuple(rules(known[name][1])), rest, known[name][0])
            for name, places in used.items()
        ]

    def access_ports(self) -> list[AccessPort]:
        """Return the bridge ports in access VLANs; access is what a port in bridge mode is by default."""
        everywhere = self.config.has(r"dhcp snooping enable$")
        global_dot1x = self.config.has(r"dot1x$")
        vlans = {head[1]: part for head, part in self.config.sections(r"vlan (\d+)$")}
        found = []
        for head, part in self.interfaces():
            vlan = part.last(r"port access vlan (\d+)")
            bridged = part.has(r"port link-mode bridge") and not part.has(r"port link-type (?:trunk|hybrid)")
            if not (vlan or bridged or part.has(r"port link-type access")) or part.has(r"shutdown$"):
                continue
            view = vlans.get(vlan[1] if vlan else "1", Section())
            nac = [m[0] for m in part.all(_NAC) if m[0] != "dot1x" or global_dot1x]
            arp = view.has(r"arp detection enable") or part.has(r"ip verify source")
            snooping = everywhere or view.has(r"dhcp snooping enable")
            found.append(AccessPort(head[1], nac[0] if nac else "", snooping, arp))
        return found

    def release(self) -> str:
        """Return version and release, for example ``7.1.070, Release 6348P01``."""
        if found := comware_release(self.facts):
            return found
        raise FactMissing("display version 中没有软件版本")


def _first(parts: list[Section], pattern: str) -> tuple[str, re.Match[str]] | None:
    """Return the setting of the first section that has it, and where."""
    return next(((f"{part.line}：{m[0]}", m) for part in parts if (m := part.last(pattern))), None)


def _account(name: str, part: Section) -> Account:
    password = part.last(r"password (hash|cipher|simple)")
    roles = [m[1] for m in part.all(r"authorization-attribute user-role (\S+)")]
    services = {word for m in part.all(r"service-type (.+)") for word in m[1].split()}
    return Account(
        name=name,
        role="、".join(roles),
        rank=_rank(roles),
        stored=_STORED[password[1]] if password else Stored.NONE,
        services=frozenset(services),
    )


def _rank(roles: list[str]) -> str:
    """An account has the rights of all its roles; the highest one counts."""
    if {"network-admin", "mdc-admin", "context-admin", "level-15"} & set(roles):
        return "admin"
    if roles == ["security-audit"]:
        return "auditor"
    return "operator" if roles else "none"
