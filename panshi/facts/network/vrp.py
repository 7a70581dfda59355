"""Huawei VRP5 (S, AR, USG) and VRPv8 (CE, NE)."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from panshi.facts.model import FactMissing
from panshi.facts.network.display import huawei_release, telnet_status
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

_AUTH = {"aaa": Auth.AAA, "password": Auth.PASSWORD, "none": Auth.NONE}
_KINDS = {"con": "console", "console": "console", "aux": "aux", "vty": "vty", "tty": "aux"}
_ALL = frozenset({"telnet", "ssh"})
# Of them there are so many, unless the configuration says otherwise [D].
_VTYS = 5
_STORED = {"irreversible-cipher": Stored.HASH, "cipher": Stored.REVERSIBLE, "simple": Stored.PLAIN}
# What an account can manage the device by; the other services let it into the network only.
_MANAGES = frozenset({"terminal", "telnet", "ssh", "ftp", "http", "web", "snmp", "api"})
_NAC = (
    r"dot1x enable|authentication (?:dot1x|mac-authen)|authentication-profile |port-security enable|mac-limit maximum"
)


class Vrp(UndoDevice):
    """VRP5."""

    platform = "huawei_vrp"
    title = "华为 VRP5"
    vendor_words: ClassVar[tuple[str, ...]] = ("huawei", "华为", "vrp", "quidway", "usg")

    @property
    def aaa(self) -> Section:
        """Return the section of accounts and password rules."""
        found = self.config.sections(r"aaa$")
        return found[-1][1] if found else Section()

    def lines(self) -> list[Line]:
        """Return the login lines; those that exist and are not shown have nothing but defaults."""
        found = self.config.sections(r"user-interface (con|console|aux|vty|tty) (\d+.*)$")
        lines = [self._line(_KINDS[head[1]], f"{head[1]} {head[2]}", part) for head, part in found]
        silent = self._silent([head[2] for head, _ in found if head[1] == "vty"])
        return [*lines, self._line("vty", f"vty {silent}（没有写明）", Section())] if lines and silent else lines

    def _silent(self, shown: list[str]) -> str:
        """Return the VTYs that may be used and that no section is about, "" for none."""
        most = self.config.last(r"user-interface maximum-vty (\d+)")
        spans = [[int(number) for number in span.split()] for span in shown]
        said = {number for span in spans for number in range(span[0], span[-1] + 1)}
        return " ".join(str(number) for number in range(int(most[1]) if most else _VTYS) if number not in said)

    def _line(self, kind: str, name: str, part: Section) -> Line:
        acl = part.last(r"acl (?:ipv6 )?(\S+) inbound")
        protocols = self._protocols(kind, part)
        return Line(kind, name, self._auth(kind, part), self._idle(part), protocols, acl[1] if acl else "")

    def _auth(self, kind: str, part: Section) -> Known[Auth]:
        if found := part.last(r"authentication-mode (\S+)"):
            if found[1] == "aaa" and (nobody := self._unasked()):
                return Known(Auth.NONE, f"{found[0]}；{nobody}")
            return Known(_AUTH.get(found[1]), found[0])
        return self.default("vty_auth" if kind == "vty" else "console_auth").to(lambda name: Auth[name])

    def _unasked(self) -> str:
        """Return the line by which the domain of administrators asks nobody, "" where it asks."""
        domains = self.aaa.sections(r"domain default_admin$")
        chosen = domains[-1][1].last(r"authentication-scheme (\S+)") if domains else None
        name = re.escape(chosen[1] if chosen else "default")
        for head, part in self.aaa.sections(rf"authentication-scheme {name}$"):
            said = part.last(r"authentication-mode .+")
            if said and "none" in said[0].split():
                return f"{head[0]}：{said[0]}"
        return ""

    def _idle(self, part: Section) -> Known[int]:
        if found := part.last(r"idle-timeout (\d+)(?: (\d+))?$"):
            return Known(int(found[1]) * 60 + int(found[2] or 0), found[0])
        return self.default("idle_seconds")

    def _protocols(self, kind: str, part: Section) -> Known[frozenset[str]]:
        if kind != "vty":
            return Known(frozenset(), "")
        if found := part.last(r"protocol inbound (\S+)"):
            return Known(_ALL if found[1] == "all" else frozenset({found[1]} & _ALL), found[0])
        return self.default("vty_protocols").to(frozenset)

    def central(self) -> str:
        """Return the first scheme that asks RADIUS or HWTACACS before the local users."""
        for head, part in self.aaa.sections(r"authentication-scheme (\S+)"):
            if found := part.last(r"authentication-mode (?:radius|hwtacacs)"):
                return f"{head[0]}：{found[0]}"
        return ""

    def telnet(self) -> Known[bool]:
        """Return whether a telnet server runs: configured, else as its status display says."""
        if found := self.config.all(r"(undo )?telnet (?:ipv6 )?server enable"):
            return Known(any(not m[1] for m in found), "；".join(m[0] for m in found))
        return telnet_status(self.facts) or self.default("telnet_server")

    def http(self) -> Known[bool]:
        """Return whether HTTP without encryption is served; a USG calls it the web manager."""
        if found := self.config.last(r"(undo )?web-manager enable"):
            return Known(not found[1], found[0])
        return self.http_said(r"(undo )?http server enable")

    def ssh_server(self) -> Known[bool]:
        """Return whether the STelnet server runs."""
        return self.said(r"(undo )?stelnet (?:ipv4 |ipv6 )?server enable", "ssh_server")

    def _modern(self, question: str) -> Known[Any]:
        """Return a default that holds since V200R; an older or unknown release proves nothing."""
        release = huawei_release(self.facts)
        if not release or release < "V200":
            return Known(None, f"没有写明 {question}，{release or '没有读到版本'}：只有 V200R 以后的默认值是已知的")
        return self.default(question)

    def password_length(self) -> Known[int]:
        """Return the least length of a new password."""
        for section in (self.config, self.aaa):
            if found := section.last(r"(?:set password min-length|user-password min-len|password min-length) (\d+)"):
                return Known(int(found[1]), found[0])
        return self._modern("password_length")

    def password_kinds(self) -> Known[int]:
        """Return how many kinds of characters; one switch turns the check on, for two kinds."""
        for section in (self.config, self.aaa):
            if found := section.last(r"(undo )?(?:user-password|password) complexity-check"):
                return Known(0 if found[1] else 2, found[0])
        return self._modern("password_kinds")

    def _policy(self) -> Section | None:
        found = self.aaa.sections(r"local-aaa-user password policy administrator")
        return found[-1][1] if found else None

    def password_days(self) -> Known[int]:
        """Return the days until a password expires; without the policy it never does."""
        return self._of_policy(r"password expire (\d+)", "password_days")

    def password_history(self) -> Known[int]:
        """Return how many old passwords are refused; without the policy none is."""
        return self._of_policy(r"password history record number (\d+)", "password_history")

    def _of_policy(self, pattern: str, question: str) -> Known[int]:
        policy = self._policy()
        if policy is None:
            return Known(0, "没有 local-aaa-user password policy administrator")
        if found := policy.last(pattern):
            return Known(int(found[1]), found[0])
        return self.default(question)

    def lockout(self) -> Known[Lockout]:
        """Return what wrong passwords of local accounts lead to."""
        pattern = r"local-aaa-user wrong-password retry-interval \d+ retry-time (\d+) block-time (\d+)"
        if off := self.aaa.last(r"undo local-aaa-user wrong-password"):
            return Known(Lockout(0, 0), off[0])
        if found := self.aaa.last(pattern):
            return Known(Lockout(int(found[1]), int(found[2]) * 60), found[0])
        return self._modern("lockout").to(lambda pair: Lockout(*pair))

    def accounts(self) -> list[Account]:
        """Return the local accounts that manage the device, a USG's managers among them."""
        names = dict.fromkeys(m[1] for m in self.aaa.all(r"local-user (\S+) (?:password|privilege|service-type)"))
        found = [self._account(name) for name in names]
        managers = [_manager(head[1], part) for head, part in self.aaa.sections(r"manager-user (\S+)")]
        return [one for one in found if one.services & _MANAGES or not one.services] + managers

    def _account(self, name: str) -> Account:
        start = rf"local-user {re.escape(name)} "
        password = self.aaa.last(start + r"password (\S+)")
        level = self.aaa.last(start + r"(?:privilege level|level) (\d+)")
        services = self.aaa.last(start + r"service-type (.+)")
        return Account(
            name=name,
            role=level[1] if level else "",
            rank=_rank(level[1] if level else "0"),
            stored=_STORED.get(password[1], Stored.PLAIN) if password else Stored.NONE,
            services=frozenset(services[1].split()) if services else frozenset(),
        )

    def elevation(self) -> Known[Stored]:
        """Return how the password of ``super`` is kept."""
        found = self.config.last(r"super password(?: level \d+)? (irreversible-cipher|cipher|simple)")
        if not found:
            return Known(Stored.NONE, "没有 super password")
        stored = {**_STORED, "cipher": Stored.UNCLEAR}[found[1]]
        return Known(stored, found[0])

    def other_secrets(self) -> list[tuple[str, Stored]]:
        """Return the passwords of lines."""
        found = []
        for _, part in self.config.sections(r"user-interface "):
            if said := part.last(r"set authentication password (cipher|simple|irreversible-cipher)"):
                found.append((part.line, {**_STORED, "cipher": Stored.UNCLEAR}[said[1]]))
        return found

    def command_accounting(self) -> Known[bool]:
        """Return whether commands are recorded by a scheme."""
        found = self.aaa.last(r"cmd recording-scheme \S+")
        return Known(bool(found), found[0] if found else "没有 cmd recording-scheme")

    def dated(self) -> Known[bool]:
        """Return whether log lines have date and time."""
        if found := self.config.last(r"info-center timestamp log (\S+)"):
            return Known("date" in found[1], found[0])
        return self.default("dated")

    def services(self) -> list[Service]:
        """Return FTP and TFTP servers, and proxies of ARP."""
        ftp = self.said(r"(undo )?(?i:ftp) (?:ipv6 )?server enable", "ftp_server")
        proxies = [head[1] for head, part in self.interfaces() if part.has(r"arp-proxy enable")]
        return [
            Service("FTP 服务器", ftp),
            Service("TFTP 服务器", Known(self.config.has(r"tftp(-| )server enable"), "tftp server enable")),
            Service("代理 ARP", Known(bool(proxies), "、".join(proxies)), grave=False),
        ]

    def banner(self) -> Known[str]:
        """Return what is shown before a login."""
        if found := self.config.last(r"(?s)header login (?:information )?(.+)"):
            return Known(found[1].strip(' "%\n'), found[0].splitlines()[0][:40])
        return Known("", "没有 header login")

    def filters(self) -> list[Filter]:
        """Return the zone policy of a firewall and the lists on interfaces; what a list does not match passes."""
        policies = [self._policy_of_zones(part) for _, part in self.config.sections(r"security-policy$")]
        return [*policies, *self._lists()]

    def _policy_of_zones(self, part: Section) -> Filter:
        found = [rule for head, inner in part.sections(r"rule name (\S+)") if (rule := rule_z(head[1], inner))]
        said = part.last(r"default action (permit|deny)")
        rest = Known(said[1] == "permit", said[0]) if said else self.default("zone_rest")
        return Filter("security-policy", "区域间", tuple(found), rest, advanced=True)

    def _lists(self) -> list[Filter]:
        used: dict[str, list[str]] = {}
        pattern = r"traffic-filter (?:vlan \d+ )?(inbound|outbound) (?:ipv6 )?acl (?:ipv6 )?(?:name )?(\S+)"
        for place, part in [("全局", self.config), *((head[1], one) for head, one in self.interfaces())]:
            for found in part.all(pattern):
                used.setdefault(found[2], []).append(f"{place} {found[1]}")
        known = self.acls()
        if lost := sorted(set(used) - set(known)):
            raise FactMissing(f"接口引用的 ACL {'、'.join(lost)} 不存在")
        rest = self.default("list_rest")
        return [
            Filter(name, "、".join(places), tuple(rules(known[name][1])), rest, known[name][0])
            for name, places in used.items()
        ]

    def access_ports(self) -> list[AccessPort]:
        """Return the ports that were made access ports."""
        watched = self.config.has(r"dhcp snooping enable")
        dot1x = self.config.has(r"dot1x enable")
        vlans = {head[1]: part for head, part in self.config.sections(r"vlan (\d+)$")}
        found = []
        for head, part in self.interfaces():
            vlan = part.last(r"port default vlan (\d+)")
            if not (vlan or part.has(r"port link-type access")) or part.has(r"shutdown$"):
                continue
            places = (part, vlans.get(vlan[1] if vlan else "1", Section()))
            found.append(
                AccessPort(
                    name=head[1],
                    nac=next((m[0] for m in part.all(_NAC) if m[0] != "dot1x enable" or dot1x), ""),
                    snooping=watched and any(place.has(r"dhcp snooping enable") for place in places),
                    arp=any(
                        place.has(r"(?:arp anti-attack check|ip source check|ipv4 source check) user-bind enable")
                        for place in places
                    ),
                )
            )
        return found

    def release(self) -> str:
        """Return version and release, for example V200R021C00SPC600."""
        if found := huawei_release(self.facts):
            return found
        raise FactMissing("display version 中没有软件版本")


class VrpV8(Vrp):
    """VRPv8: two-stage configuration, otherwise the same language where it is asked here."""

    platform = "huawei_vrpv8"
    title = "华为 VRPv8"
    vendor_words = ("huawei", "华为", "vrp", "cloudengine", "netengine")


def _manager(name: str, part: Section) -> Account:
    password = part.last(r"password (\S+)")
    level = part.last(r"level (\d+)")
    services = part.last(r"service-type (.+)")
    stored = {**_STORED, "cipher": Stored.UNCLEAR}.get(password[1], Stored.PLAIN) if password else Stored.NONE
    rank = _rank(level[1] if level else "0")
    return Account(name, level[1] if level else "", rank, stored, frozenset(services[1].split() if services else ()))


def _rank(level: str) -> str:
    """Levels 3 to 15 manage, 2 configures, 0 and 1 look."""
    number = int(level)
    return "admin" if number >= 3 else "operator" if number == 2 else "auditor"
