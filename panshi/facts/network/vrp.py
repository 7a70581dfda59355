"""Huawei VRP5 (S, AR, USG) and VRPv8 (CE, NE)."""

from __future__ import annotations

from panshi.facts.network.device import Device
from panshi.facts.network.display import telnet_status
from panshi.facts.network.model import Auth, Known, Line
from panshi.facts.network.section import Section

_AUTH = {"aaa": Auth.AAA, "password": Auth.PASSWORD, "none": Auth.NONE}
_KINDS = {"con": "console", "console": "console", "aux": "aux", "vty": "vty", "tty": "aux"}
_ALL = frozenset({"telnet", "ssh"})


class Vrp(Device):
    """VRP5."""

    platform = "huawei_vrp"

    def lines(self) -> list[Line]:
        """Return the login lines; VRP shows every range that exists."""
        found = self.config.sections(r"user-interface (con|console|aux|vty|tty) (\d+.*)$")
        return [self._line(_KINDS[head[1]], f"{head[1]} {head[2]}", part) for head, part in found]

    def _line(self, kind: str, name: str, part: Section) -> Line:
        return Line(kind, name, self._auth(kind, part), self._idle(part), self._protocols(kind, part), _acl(part))

    def _auth(self, kind: str, part: Section) -> Known[Auth]:
        if found := part.last(r"authentication-mode (\S+)"):
            return Known(_AUTH[found[1]], found[0])
        return self.default("vty_auth" if kind == "vty" else "console_auth").to(lambda name: Auth[name])

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

    def telnet(self) -> Known[bool]:
        """Return whether a telnet server runs: configured, else as its status display says."""
        if found := self.config.last(r"(undo )?telnet (?:ipv6 )?server enable"):
            return Known(not found[1], found[0])
        return telnet_status(self.facts) or self.default("telnet_server")

    def loghosts(self) -> Known[tuple[str, ...]]:
        """Return the log hosts of the information centre, none while it is off."""
        if off := self.config.first(r"undo info-center enable"):
            return Known((), off[0])
        found = self.config.all(r"info-center loghost (?!source )(?:ipv6 )?(\S+)")
        return Known(tuple(dict.fromkeys(m[1] for m in found)), "info-center loghost")


class VrpV8(Vrp):
    """VRPv8: two-stage configuration, otherwise the same language where it is asked here."""

    platform = "huawei_vrpv8"


def _acl(part: Section) -> str:
    found = part.last(r"acl (?:ipv6 )?(\S+) inbound")
    return found[1] if found else ""
