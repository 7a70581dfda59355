"""Cisco IOS and IOS-XE; Ruijie RGOS speaks nearly the same (``ruijie.py``)."""

from __future__ import annotations

from panshi.facts.network.device import Device
from panshi.facts.network.model import Auth, Known, Line
from panshi.facts.network.section import Section

_KINDS = {"con": "console", "console": "console", "aux": "aux", "vty": "vty"}
_ALL = frozenset({"telnet", "ssh"})


class Ios(Device):
    """IOS and IOS-XE."""

    platform = "cisco_ios"

    def lines(self) -> list[Line]:
        """Return the login lines."""
        found = self.config.sections(r"line (con|console|aux|vty) (\d+.*)$")
        return [self._line(_KINDS[head[1]], f"{head[1]} {head[2]}", part) for head, part in found]

    def _line(self, kind: str, name: str, part: Section) -> Line:
        return Line(kind, name, self._auth(kind, part), self._idle(part), self._protocols(kind, part), _acl(part))

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
        if found := self.config.last(rf"aaa authentication login {name}((?: \S+)+)$"):
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

    def telnet(self) -> Known[bool]:
        """IOS has no switch for the server: only the lines can refuse telnet."""
        return Known(True, "IOS 的 Telnet 服务只由线路的 transport input 限制")

    def loghosts(self) -> Known[tuple[str, ...]]:
        """Return the log hosts, none while logging is off."""
        if off := self.config.first(r"no logging on$"):
            return Known((), off[0])
        found = self.config.all(r"logging (?:host |server )?(?:ipv6 )?((?:\d+\.){3}\d+|[0-9A-Fa-f:]*:[0-9A-Fa-f:]+)")
        named = self.config.all(r"logging host (?:ipv6 )?(\S+)")
        return Known(tuple(dict.fromkeys(m[1] for m in (*found, *named))), "logging host")


def method(words: list[str]) -> Auth:
    """Return how a method list asks; ``none`` behind anything lets everybody in when the servers are away."""
    if "none" in words:
        return Auth.NONE
    if "group" in words:
        return Auth.AAA
    if any(word.startswith("local") for word in words):
        return Auth.LOCAL
    return Auth.PASSWORD


def _acl(part: Section) -> str:
    found = part.last(r"(?:ip |ipv6 )?access-class (\S+) in")
    return found[1] if found else ""
