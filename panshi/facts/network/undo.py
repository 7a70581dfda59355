"""What Huawei VRP and H3C Comware say alike: both come from one house and negate by ``undo``."""

from __future__ import annotations

import re

from panshi.facts.model import FactMissing
from panshi.facts.network.device import Device, severity
from panshi.facts.network.filters import rule_h
from panshi.facts.network.model import Community, Known, Rule, Session, Snmp
from panshi.facts.network.section import Section

_ACL = r"acl (?:ipv6 )?(?:(?:number|basic|advanced|name) )*(\S+)(?: (\d+|basic|advanced))?"
_DIGEST = re.compile(r"md5|hmac|sha|keychain")


class UndoDevice(Device):
    """The common part of both; lines, accounts and password rules differ."""

    def ssh_protocol_1(self) -> Known[bool]:
        """Return whether protocol 1 is let in."""
        return self.said(r"(undo )?ssh server compatible-ssh1x enable", "ssh_protocol_1")

    def ssh_tries(self) -> Known[int]:
        """Return how many attempts one connection has."""
        return self.number(r"ssh server authentication-retries (\d+)", "ssh_tries")

    def ssh_seconds(self) -> Known[int]:
        """Return the seconds that a login may take."""
        return self.number(r"ssh server (?:authentication-)?timeout (\d+)", "ssh_seconds")

    def ssh_acl(self) -> str:
        """Return the list in front of the SSH server."""
        found = self.config.last(r"ssh (?:ipv4 )?server acl (\S+)")
        return found[1] if found else ""

    def acls(self) -> dict[str, tuple[bool, Section]]:
        """Return the access lists by name and by number: whether advanced, and the section."""
        found: dict[str, tuple[bool, Section]] = {}
        for head, part in self.config.sections(_ACL):
            kind = head[2] or head[1]
            advanced = " advanced " in f"{part.line} " or kind == "advanced" or kind.startswith("3")
            for key in {head[1], head[2] or head[1]} - {"basic", "advanced"}:
                found[key] = (advanced, part)
        return found

    def sources(self, acl: str) -> list[Rule]:
        """Return the rules of a list that limits sources."""
        if acl not in self.acls():
            raise FactMissing(f"引用的 ACL {acl} 不存在")
        return rules(self.acls()[acl][1])

    def logging(self) -> Known[bool]:
        """Return whether the information centre runs; it does by default."""
        return self.said(r"(undo )?info-center enable", "logging")

    def unrecorded(self) -> list[str]:
        """Both write logins and commands by themselves; only the buffer can be switched off."""
        return ["日志缓冲"] if self.config.has(r"undo info-center logbuffer$") else []

    def loghosts(self) -> Known[tuple[str, ...]]:
        """Return the log hosts of the information centre, none while it is off."""
        if off := self.config.first(r"undo info-center enable"):
            return Known((), off[0])
        found = self.config.all(r"info-center loghost (?!source\b)(?:vpn-instance \S+ )?(?:ipv6 )?(\S+)")
        return Known(tuple(dict.fromkeys(m[1] for m in found)), "info-center loghost")

    def log_level(self) -> Known[int]:
        """Return the least severity for log hosts over all sources; a source that is shut off sends nothing.

        VRP sends to a log host what its channel lets through: number 2, unless the host's line names another.
        """
        hosts = self.config.all(r"info-center loghost \S+.*? channel (\S+)")
        channels = "|".join({"2", "loghost", *(re.escape(m[1]) for m in hosts)})
        pattern = rf"info-center source \S+ (?:channel (?:{channels}) log |loghost )(?:.*?(off|deny)$|level (\S+))"
        found = self.config.all(pattern)
        if not found:
            return self.default("log_level")
        levels = [-1 if m[1] else severity(m[2]) for m in found]
        return Known(min(levels), "；".join(m[0] for m in found))

    def ntp_servers(self) -> Known[tuple[str, ...]]:
        """Return the time servers."""
        found = self.config.all(r"ntp(?:-service)? unicast-(?:server|peer) (?:ipv6 )?(?:vpn-instance \S+ )?(\S+)")
        return Known(tuple(m[1] for m in found), "ntp-service unicast-server")

    def ntp_proof(self) -> bool:
        """Return whether time servers must prove who they are."""
        return self.config.has(r"ntp(?:-service)? authentication enable")

    def timezone(self) -> Known[int]:
        """Return the minutes ahead of UTC."""
        if found := self.config.last(r"clock timezone \S+ (add|minus) (\d+):(\d+)"):
            minutes = int(found[2]) * 60 + int(found[3])
            return Known(minutes if found[1] == "add" else -minutes, found[0])
        return self.default("timezone")

    def snmp(self) -> Snmp:
        """Return the SNMP agent; both speak v3 alone unless told otherwise."""
        found = self.config.all(r"snmp-agent\b")
        on = bool(found) and not self.config.has(r"undo snmp-agent$")
        versions = " ".join(m[1] for m in self.config.all(r"snmp-agent sys-info version (.+)"))
        groups = self.config.all(r"snmp-agent group v3 (\S+)(?: (\S+))?")
        return Snmp(
            on=on,
            old=bool(re.search(r"v1|v2c|all", versions)),
            communities=self._communities(),
            open_groups=tuple(m[1] for m in groups if m[2] != "privacy"),
            groups=len(groups),
        )

    def _communities(self) -> tuple[Community, ...]:
        known = community_words(self)
        found = self.config.all(r"snmp-agent community (read|write) .*?(?: acl (\S+))?$")
        outer = self.config.last(r"snmp-agent acl (\S+)")
        return tuple(
            Community(f"第 {n} 个团体名", known.get(n), m[1] == "write", m[2] or (outer[1] if outer else ""))
            for n, m in enumerate(found, 1)
        ) + tuple(
            # A user of v1 or v2c is a community by another name.
            Community(f"{m[1]} 用户", None, False, m[2] or (outer[1] if outer else ""))
            for m in self.config.all(r"snmp-agent usm-user (v1|v2c) .*?(?: acl (\S+))?$")
        )

    def name(self) -> str:
        """Return the device's own name."""
        found = self.config.last(r"sysname (\S+)")
        return found[1] if found else ""

    def sessions(self) -> list[Session]:
        """Return OSPF areas, BGP peers and VRRP groups."""
        return [*self._ospf(), *self._bgp(), *self._vrrp()]

    def _ospf(self) -> list[Session]:
        single = [m for _, part in self.interfaces() for m in part.all(r"ospf authentication-mode .+")]
        found = []
        for head, part in self.config.sections(r"ospf(?: (\d+))?"):
            for area, inner in part.sections(r"area (\S+)"):
                said = inner.last(r"authentication-mode (.+)")
                proof = _proof(said[1]) if said else ("interface" if single else "none")
                found.append(Session(f"ospf {head[1] or 1} area {area[1]}", proof, said[0] if said else area[0]))
        return found

    def _bgp(self) -> list[Session]:
        found = []
        for _, part in self.config.sections(r"bgp \d+"):
            groups = {m[1]: m[2] for m in part.all(r"peer (\S+) group (\S+)")}
            for peer in part.all(r"peer (\S+) as-number"):
                names = "|".join(re.escape(name) for name in (peer[1], groups.get(peer[1], "")) if name)
                said = part.first(rf"peer (?:{names}) (?:password|keychain|tcp-ao)")
                found.append(Session(f"bgp {peer[1]}", "digest" if said else "none", said[0] if said else peer[0]))
        return found

    def _vrrp(self) -> list[Session]:
        found = []
        for head, part in self.interfaces():
            for number in sorted({m[1] for m in part.all(r"vrrp vrid (\d+) virtual-ip")}):
                said = part.last(rf"vrrp vrid {number} authentication-mode (.+)")
                proof = _proof(said[1]) if said else "none"
                found.append(Session(f"vrrp {number} {head[1]}", proof, said[0] if said else head[0]))
        return found

    def interfaces(self) -> list[tuple[re.Match[str], Section]]:
        """Return the interfaces with their sections."""
        return self.config.sections(r"interface (\S+)")


def rules(part: Section) -> list[Rule]:
    """Return the rules of an access list."""
    return [rule for child in part.node.children if (rule := rule_h(child.line))]


def community_words(device: Device) -> dict[int, bool]:
    """Return, by the place of a community in the configuration, whether its word is one that everybody knows.

    The collector looks before it masks (``net.communities``); places that are missing could not be seen.
    """
    if not device.facts.has("net.communities"):
        return {}
    rows = (line.split() for line in device.facts.item("net.communities").lines())
    return {int(row[0]): row[1] == "known" for row in rows if row[1] in ("known", "other")}


def _proof(words: str) -> str:
    return "digest" if _DIGEST.search(words.lower()) else "plain"
