"""H3C Comware V7."""

from __future__ import annotations

from panshi.facts.network.device import Device
from panshi.facts.network.model import Auth, Known, Line
from panshi.facts.network.section import Section

_AUTH = {"scheme": Auth.AAA, "password": Auth.PASSWORD, "none": Auth.NONE}
_KINDS = {"con": "console", "console": "console", "aux": "aux", "vty": "vty"}
_ALL = frozenset({"telnet", "ssh"})
_LINE = r"(?:line|user-interface) (con|console|aux|vty) (\d+.*)$"
_CLASS = r"line class (console|aux|vty)$"


class Comware(Device):
    """Comware V7. A line obeys its own setting, else that of its line class, else the default."""

    platform = "hp_comware"

    def lines(self) -> list[Line]:
        """Return the login lines."""
        classes = {_KINDS[head[1]]: part for head, part in self.config.sections(_CLASS)}
        return [
            self._line(_KINDS[head[1]], f"{head[1]} {head[2]}", [part, classes.get(_KINDS[head[1]], Section())])
            for head, part in self.config.sections(_LINE)
        ]

    def _line(self, kind: str, name: str, parts: list[Section]) -> Line:
        return Line(kind, name, self._auth(kind, parts), self._idle(parts), self._protocols(kind, parts), _acl(parts))

    def _auth(self, kind: str, parts: list[Section]) -> Known[Auth]:
        for part in parts:
            if found := part.last(r"authentication-mode (\S+)"):
                return Known(_AUTH[found[1]], f"{part.line}：{found[0]}")
        return self.default("vty_auth" if kind == "vty" else "console_auth").to(lambda name: Auth[name])

    def _idle(self, parts: list[Section]) -> Known[int]:
        for part in parts:
            if found := part.last(r"idle-timeout (\d+)(?: (\d+))?$"):
                return Known(int(found[1]) * 60 + int(found[2] or 0), f"{part.line}：{found[0]}")
        return self.default("idle_seconds")

    def _protocols(self, kind: str, parts: list[Section]) -> Known[frozenset[str]]:
        if kind != "vty":
            return Known(frozenset(), "")
        for part in parts:
            if found := part.last(r"protocol inbound (\S+)"):
                allowed = _ALL if found[1] == "all" else frozenset({found[1]} & _ALL)
                return Known(allowed, f"{part.line}：{found[0]}")
        return self.default("vty_protocols").to(frozenset)

    def telnet(self) -> Known[bool]:
        """Return whether the telnet server runs."""
        if found := self.config.last(r"(undo )?telnet server enable"):
            return Known(not found[1], found[0])
        return self.default("telnet_server")

    def loghosts(self) -> Known[tuple[str, ...]]:
        """Return the log hosts of the information centre, none while it is off."""
        if off := self.config.first(r"undo info-center enable"):
            return Known((), off[0])
        found = self.config.all(r"info-center loghost (?!source )(?:vpn-instance \S+ )?(?:ipv6 )?(\S+)")
        return Known(tuple(dict.fromkeys(m[1] for m in found)), "info-center loghost")


def _acl(parts: list[Section]) -> str:
    found = next((m for part in parts if (m := part.last(r"acl (?:ipv6 |mac )?(\S+) inbound"))), None)
    return found[1] if found else ""
