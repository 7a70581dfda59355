"""Cisco IOS and IOS-XE; Ruijie RGOS speaks nearly the same (``ruijie.py``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar

from panshi.facts.model import FactMissing
from panshi.facts.network.device import Device, severity
from panshi.facts.network.display import ios_release
from panshi.facts.network.filters import rule_c
from panshi.facts.network.model import (
    AccessPort,
    Account,
    Auth,
    Community,
    Filter,
    Known,
    Line,
    Lockout,
    Rule,
    Service,
    Session,
    Snmp,
    Stored,
)
from panshi.facts.network.section import Section
from panshi.facts.network.undo import community_words

_KINDS = {"con": "console", "console": "console", "aux": "aux", "vty": "vty"}
_ALL = frozenset({"telnet", "ssh"})
# A list without entries refuses nothing.
_EMPTY = Known(True, "列表没有规则，全部放行")
_Reader = Callable[[Section], int]
_Worst = Callable[[Sequence[int]], int]
_NAC = (
    r"switchport port-security$|switchport port-security maximum|dot1x port-control auto|"
    r"(?:authentication|access-session) port-control auto|mab$"
)


class Ios(Device):
    """IOS and IOS-XE."""

    platform = "cisco_ios"
    title = "Cisco IOS"
    vendor_words: ClassVar[tuple[str, ...]] = ("cisco", "思科", "ios", "catalyst")
    # Without this line a port's dot1x asks nobody.
    dot1x = r"dot1x system-auth-control"
    # How the number behind ``secret`` says that a password is kept.
    secrets: ClassVar[dict[str, Stored]] = {
        "8": Stored.HASH,
        "9": Stored.HASH,
        "5": Stored.WEAK_HASH,
        "4": Stored.WEAK_HASH,
    }

    def lines(self) -> list[Line]:
        """Return the login lines."""
        found = self.config.sections(r"line (con|console|aux|vty) (\d+.*)$")
        return [self._line(_KINDS[head[1]], f"{head[1]} {head[2]}", part) for head, part in found]

    def _line(self, kind: str, name: str, part: Section) -> Line:
        acl = part.last(r"(?:ip |ipv6 )?access-class (\S+) in")
        protocols = self._protocols(kind, part)
        return Line(kind, name, self._auth(kind, part), self._idle(part), protocols, acl[1] if acl else "")

    def _auth(self, kind: str, part: Section) -> Known[Auth]:
        if off := part.first(r"no exec$"):
            return Known(Auth.CLOSED, off[0])
        if self.config.has(r"aaa new-model"):
            return self._by_list(kind, part)
        if found := part.last(r"(no )?login( local)?$"):
            if found[1]:
                return Known(Auth.NONE, found[0])
            return Known(Auth.LOCAL if found[2] else Auth.PASSWORD, found[0])
        return self.default("vty_auth" if kind == "vty" else "console_auth").to(lambda name: Auth[name])

    def _by_list(self, kind: str, part: Section) -> Known[Auth]:
        """Under ``aaa new-model`` a line names a method list, else the list ``default`` holds."""
        chosen = part.last(r"login authentication (\S+)")
        name = chosen[1] if chosen else "default"
        if found := self.config.last(rf"aaa authentication login {re.escape(name)}((?: \S+)+)$"):
            return Known(method(found[1].split()), found[0])
        if name == "default":
            # Without any list the local users are asked, but the console asks nobody.
            return Known(Auth.NONE if kind == "console" else Auth.LOCAL, "aaa new-model，没有 default 方法列表")
        return Known(Auth.CLOSED, f"login authentication {name}，没有这个方法列表")

    def _idle(self, part: Section) -> Known[int]:
        if found := part.last(r"exec-timeout (\d+)(?: (\d+))?$"):
            return Known(int(found[1]) * 60 + int(found[2] or 0), found[0])
        if off := part.first(r"no exec-timeout$"):
            return Known(0, off[0])
        return self.default("idle_seconds")

    def _protocols(self, kind: str, part: Section) -> Known[frozenset[str]]:
        if kind != "vty":
            return Known(frozenset(), "")
        if found := part.last(r"transport input((?: \S+)+)$"):
            words = frozenset(found[1].split())
            return Known(_ALL if "all" in words else words & _ALL, found[0])
        return self.default("vty_protocols").to(frozenset)

    def central(self) -> str:
        """Return the first method list that asks a server."""
        found = self.config.first(r"aaa authentication login \S+ group .+")
        return found[0] if found else ""

    def telnet(self) -> Known[bool]:
        """IOS has no switch for the server: only the lines can refuse telnet."""
        return Known(True, "Telnet 服务只由线路的 transport input 限制")

    def http(self) -> Known[bool]:
        """Return whether HTTP without encryption is served."""
        return self.http_said(r"(no )?ip http server")

    def ssh_server(self) -> Known[bool]:
        """Return whether a configuration without a session proves it: IOS needs keys, which it does not show."""
        if found := self.config.last(r"ip ssh version 2"):
            return Known(True, found[0])
        return self.default("ssh_server")

    def ssh_protocol_1(self) -> Known[bool]:
        """Return whether protocol 1 is let in: it is, until version 2 is demanded."""
        if found := self.config.last(r"ip ssh version (\d)"):
            return Known(found[1] == "1", found[0])
        return self.default("ssh_protocol_1")

    def ssh_tries(self) -> Known[int]:
        """Return how many attempts one connection has."""
        return self.number(r"ip ssh authentication-retries (\d+)", "ssh_tries")

    def ssh_seconds(self) -> Known[int]:
        """Return the seconds that a login may take."""
        return self.number(r"ip ssh time-?out (\d+)", "ssh_seconds")

    def sources(self, acl: str) -> list[Rule]:
        """Return the rules of a list that limits sources."""
        return list(self._acl(acl)[1])

    def _acl(self, name: str) -> tuple[bool, tuple[Rule, ...]]:
        """Return whether a list is extended, and its rules."""
        quoted = re.escape(name)
        for head, part in self.config.sections(rf"ip access-list (standard|extended) {quoted}$"):
            advanced = head[1] == "extended"
            return advanced, tuple(r for child in part.node.children if (r := rule_c(child.line, advanced)))
        advanced = not re.fullmatch(r"[1-9]\d?|1[3-9]\d\d", name)
        found = self.config.all(rf"access-list {quoted} .+")
        if not found:
            raise FactMissing(f"引用的 ACL {name} 不存在")
        return advanced, tuple(r for m in found if (r := rule_c(m[0], advanced)))

    def password_length(self) -> Known[int]:
        """Return the least length of a new password, the longer of the global rule and that of the accounts."""
        whole = self.number(r"security passwords min-length (\d+)", "password_length")
        return max(whole, self._common(_minimum(r"min-length (\d+)")), key=lambda known: known.value)

    def password_kinds(self) -> Known[int]:
        """Return how many kinds of characters every account's policy asks for."""
        kinds = r"(?:numeric-count|upper-case|lower-case|special-case) [1-9]"
        return self._common(lambda part: len(part.all(kinds)))

    def password_days(self) -> Known[int]:
        """Return the days until a password expires; 0 where an account's policy has no lifetime."""
        return self._common(_lifetime, worst=lambda values: 0 if 0 in values else max(values))

    def password_history(self) -> Known[int]:
        """IOS keeps no history of passwords."""
        return Known(0, "IOS 不记录历史口令，只能由 AAA 服务器执行")

    def _common(self, read: _Reader, worst: _Worst = min) -> Known[int]:
        """Return a rule of the common-criteria policies: of all local accounts the weakest."""
        policies = {m[1]: part for m, part in self.config.sections(r"aaa common-criteria policy (\S+)")}
        values = []
        for account in self.accounts():
            lines = self.config.all(rf"username {re.escape(account.name)} .*common-criteria-policy (\S+)")
            part = policies.get(lines[-1][1]) if lines else None
            values.append(read(part) if part else 0)
        where = "aaa common-criteria policy" if policies else "没有 aaa common-criteria policy"
        return Known(worst(values) if values else 0, where)

    def lockout(self) -> Known[Lockout]:
        """Return what wrong passwords lead to: quiet time for all, or a lock of the account until it is cleared."""
        if found := self.config.last(r"login block-for (\d+) attempts (\d+)"):
            return Known(Lockout(int(found[2]), int(found[1])), found[0])
        if found := self.config.last(r"aaa local authentication attempts max-fail (\d+)"):
            return Known(Lockout(int(found[1]), 0), found[0])
        return Known(Lockout(0, 0), "没有 login block-for，也没有 aaa local authentication attempts max-fail")

    def accounts(self) -> list[Account]:
        """Return the local accounts; several lines of one name are one account."""
        names = dict.fromkeys(m[1] for m in self.config.all(r"username (\S+)"))
        return [self._account(name) for name in names]

    def _account(self, name: str) -> Account:
        text = " ".join(m[0] for m in self.config.all(rf"username {re.escape(name)}(?: .*|$)"))
        level = re.search(r" privilege (\d+)", text)
        number = int(level[1]) if level else 1
        rank = "admin" if number == 15 else "operator" if number > 1 else "auditor"
        return Account(name, str(number), rank, self.stored(text))

    def stored(self, text: str) -> Stored:
        """Return how the password that a line sets is kept."""
        if found := re.search(r"\bsecret (?:(\d+) )?\S+", text):
            return self.secrets.get(found[1] or "", Stored.UNCLEAR)
        if found := re.search(r"\bpassword (?:(\d+) )?\S+", text):
            return Stored.REVERSIBLE if found[1] in ("6", "7") else Stored.PLAIN
        return Stored.NONE

    def elevation(self) -> Known[Stored]:
        """Return how the password of ``enable`` is kept; a secret goes before a password."""
        for word in ("secret", "password"):
            if found := self.config.last(rf"enable {word} .+"):
                return Known(self.stored(found[0]), found[0])
        return Known(Stored.NONE, "没有 enable secret")

    def other_secrets(self) -> list[tuple[str, Stored]]:
        """Return the passwords of lines, and one of enable that a secret hides."""
        found = [
            (part.line, self.stored(said[0]))
            for _, part in self.config.sections(r"line ")
            if (said := part.last(r"password .+"))
        ]
        if hidden := self.config.last(r"enable password .+"):
            found.append(("enable password", self.stored(hidden[0])))
        return found

    def logging(self) -> Known[bool]:
        """Return whether anything is logged."""
        return self.said(r"(no )?logging on$", "logging")

    def unrecorded(self) -> list[str]:
        """Return what of buffer, logins and commands is not logged."""
        missing = ["日志缓冲"] if self.config.has(r"no logging buffered") else []
        for word, text in (("failure", "登录失败"), ("success", "登录成功")):
            if not self.config.has(rf"login on-{word}.* log"):
                missing.append(text)
        return missing if self._archived() else [*missing, "操作命令"]

    def _archived(self) -> bool:
        """Return whether changes of the configuration are logged command by command."""
        found = [log for _, part in self.config.sections(r"archive$") for _, log in part.sections(r"log config$")]
        return any(part.has(r"logging enable") and part.has(r"notify syslog") for part in found)

    def loghosts(self) -> Known[tuple[str, ...]]:
        """Return the log hosts, none while logging is off."""
        if off := self.config.first(r"no logging on$"):
            return Known((), off[0])
        found = [
            *self.config.all(r"logging (?:host |server )?(?:ipv6 )?((?:\d+\.){3}\d+|[0-9A-Fa-f:]*:[0-9A-Fa-f:]+)"),
            *self.config.all(r"logging (?:host|server) (?:ipv6 )?(\S+)"),
        ]
        return Known(tuple(dict.fromkeys(m[1] for m in found)), "logging host")

    def log_level(self) -> Known[int]:
        """Return the least severity for log hosts."""
        if found := self.config.last(r"logging trap (\S+)"):
            return Known(severity(found[1]), found[0])
        return self.default("log_level")

    def command_accounting(self) -> Known[bool]:
        """Return whether commands of the highest level are accounted."""
        found = self.config.last(r"aaa accounting commands 15 \S+.* (?:group|tacacs)\b.*")
        if not found:
            found = next(
                (m for m, part in self.config.sections(r"aaa accounting commands 15 ") if part.has(r"group ")), None
            )
        return Known(bool(found), found[0] if found else "没有 aaa accounting commands 15")

    def dated(self) -> Known[bool]:
        """Return whether log lines have date and time."""
        if found := self.config.last(r"(no )?service timestamps log(?: (datetime|uptime))?"):
            return Known(not found[1] and found[2] == "datetime", found[0])
        return self.default("dated")

    def ntp_servers(self) -> Known[tuple[str, ...]]:
        """Return the time servers."""
        found = self.config.all(r"ntp (?:server|peer) (?:vrf \S+ |oob |ip |ipv6 )*(\S+)")
        return Known(tuple(m[1] for m in found), "ntp server")

    def ntp_proof(self) -> bool:
        """Return whether time servers must prove who they are."""
        return self.config.has(r"ntp authenticate$")

    def timezone(self) -> Known[int]:
        """Return the minutes ahead of UTC."""
        if found := self.config.last(r"clock timezone \S+ ([+-]?)(\d+)(?: (\d+))?"):
            minutes = int(found[2]) * 60 + int(found[3] or 0)
            return Known(-minutes if found[1] == "-" else minutes, found[0])
        return self.default("timezone")

    def services(self) -> list[Service]:
        """Return the small services of IOS; some are on until they are switched off."""
        small = Known(self.config.has(r"service (?:tcp|udp)-small-servers"), "service tcp-small-servers")
        return [
            Service("small servers", small),
            Service("finger", Known(self.config.has(r"(?:service|ip) finger"), "ip finger")),
            Service("FTP/TFTP 服务器", Known(self.config.has(r"(?:tftp-server|ftp-server) "), "tftp-server")),
            Service("BOOTP 服务器", self._unless(r"no ip bootp server|ip dhcp bootp ignore", "bootp")),
            Service("IP 源路由", self._unless(r"no ip source-route", "source_route")),
            Service("PAD", self._unless(r"no service pad", "pad")),
            Service("域名解析", self._unless(r"no ip domain[- ]lookup", "domain_lookup"), grave=False),
            Service("CDP", self._unless(r"no cdp run", "cdp"), grave=False),
        ]

    def _unless(self, pattern: str, question: str) -> Known[bool]:
        """Return what is so by default, off where a line says so."""
        if found := self.config.first(pattern):
            return Known(False, found[0])
        return self.default(question)

    def snmp(self) -> Snmp:
        """Return the SNMP agent; without a line of its own it is off."""
        known = community_words(self)
        found = self.config.all(r"snmp-server community \S+(?: view \S+)?(?: (ro|rw|RO|RW))?(?: (?:ipv6 )?(\S+))?")
        groups = self.config.all(r"snmp-server group (\S+) v3 (priv|auth|noauth)")
        return Snmp(
            on=self.config.has(r"snmp-server ") and not self.config.has(r"no snmp-server$"),
            old=bool(found),
            communities=tuple(
                Community(f"第 {n} 个团体名", known.get(n), (m[1] or "ro").lower() == "rw", m[2] or "")
                for n, m in enumerate(found, 1)
            ),
            open_groups=tuple(m[1] for m in groups if m[2] != "priv"),
            groups=len(groups),
        )

    def banner(self) -> Known[str]:
        """Return what is shown before a login."""
        if found := self.config.last(r"(?s)banner (?:login|motd) (\^C|\S)(.*?)\1"):
            return Known(found[2].strip(), found[0].splitlines()[0][:40])
        return Known("", "没有 banner login、banner motd")

    def name(self) -> str:
        """Return the device's own name."""
        found = self.config.last(r"hostname (\S+)")
        return found[1] if found else ""

    def interfaces(self) -> list[tuple[re.Match[str], Section]]:
        """Return the interfaces with their sections."""
        return self.config.sections(r"interface (\S+(?: \S+)?)")

    def filters(self) -> list[Filter]:
        """Return the lists on interfaces; what a list does not match is refused."""
        used: dict[str, list[str]] = {}
        for head, part in self.interfaces():
            for found in part.all(r"ip access-group (\S+) (in|out)"):
                used.setdefault(found[1], []).append(f"{head[1]} {found[2]}")
        found_lists = [(name, "、".join(places), *self._acl(name)) for name, places in used.items()]
        return [
            Filter(name, places, rules, self.default("list_rest") if rules else _EMPTY, advanced)
            for name, places, advanced, rules in found_lists
        ]

    def sessions(self) -> list[Session]:
        """Return OSPF areas, BGP neighbours and VRRP or HSRP groups."""
        return [*self._ospf(), *self._bgp(), *self._standby()]

    def _ospf(self) -> list[Session]:
        single = any(part.has(r"ip ospf authentication (?:message-digest|key-chain)") for _, part in self.interfaces())
        found = []
        for head, part in self.config.sections(r"router ospf (\d+)"):
            areas = dict.fromkeys(m[1] for m in part.all(r"network \S+ \S+ area (\S+)"))
            for area in areas or {"（接口）": None}:
                said = part.last(rf"area {re.escape(area)} authentication( message-digest)?")
                proof = ("digest" if said[1] else "plain") if said else ("interface" if single else "none")
                found.append(Session(f"ospf {head[1]} area {area}", proof, said[0] if said else head[0]))
        return found

    def _bgp(self) -> list[Session]:
        found = []
        for _, part in self.config.sections(r"router bgp \d+"):
            groups = {m[1]: m[2] for m in part.all(r"neighbor (\S+) peer-group (\S+)$")}
            for peer in part.all(r"neighbor (\S+) (?:remote-as|peer-group \S+)"):
                names = "|".join(re.escape(name) for name in (peer[1], groups.get(peer[1], "")) if name)
                said = part.first(rf"neighbor (?:{names}) (?:password|ao)\b")
                found.append(Session(f"bgp {peer[1]}", "digest" if said else "none", said[0] if said else peer[0]))
        return found

    def _standby(self) -> list[Session]:
        found = []
        for head, part in self.interfaces():
            for kind, number in sorted({(m[1], m[2]) for m in part.all(r"(standby|vrrp) (\d+) ip ")}):
                said = part.last(rf"{kind} {number} authentication( md5)?")
                proof = ("digest" if said[1] else "plain") if said else "none"
                found.append(Session(f"{kind} {number} {head[1]}", proof, said[0] if said else head[0]))
        return found

    def access_ports(self) -> list[AccessPort]:
        """Return the ports that were made access ports."""
        watched = self.vlans(r"ip dhcp snooping vlan (\S+)") if self.config.has(r"ip dhcp snooping$") else set()
        held = self.vlans(r"ip arp inspection vlan (\S+)")
        dot1x = self.config.has(self.dot1x)
        found = []
        for head, part in self.interfaces():
            vlan = part.last(r"switchport access vlan (\d+)")
            if not (vlan or part.has(r"switchport mode access")) or part.has(r"shutdown$"):
                continue
            number = int(vlan[1]) if vlan else 1
            nac = [m[0] for m in part.all(_NAC) if "port-security" in m[0] or dot1x]
            arp = number in held or part.has(r"ip verify source")
            found.append(AccessPort(head[1], nac[0] if nac else "", number in watched, arp))
        return found

    def vlans(self, pattern: str) -> set[int]:
        """Return the VLANs that lines name, group 1 being a list such as ``10,20-29``."""
        found = set()
        for said in self.config.all(pattern):
            for piece in said[1].split(","):
                first, _, last = piece.partition("-")
                found |= set(range(int(first), int(last or first) + 1))
        return found

    def release(self) -> str:
        """Return the version, for example ``15.2(7)E3``."""
        if found := ios_release(self.facts):
            return found
        raise FactMissing("show version 中没有软件版本")


def method(words: list[str]) -> Auth:
    """Return how a method list asks; ``none`` behind anything lets everybody in when the servers are away."""
    if "none" in words:
        return Auth.NONE
    if "group" in words:
        return Auth.AAA
    if any(word.startswith("local") for word in words):
        return Auth.LOCAL
    return Auth.PASSWORD


def _minimum(pattern: str) -> _Reader:
    def read(part: Section) -> int:
        found = part.last(pattern)
        return int(found[1]) if found else 0

    return read


def _lifetime(part: Section) -> int:
    """Return the days of ``lifetime month 2 day 15``; a month is counted as the longest one."""
    found = part.last(r"lifetime (.+)")
    if not found:
        return 0
    units = dict(re.findall(r"(year|month|day) (\d+)", found[1]))
    return int(units.get("year", 0)) * 366 + int(units.get("month", 0)) * 31 + int(units.get("day", 0))
