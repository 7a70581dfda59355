"""What the kernel does: sysctl values in effect per interface, modules, core dumps.

The way in which ``conf/all`` and ``conf/<interface>`` combine is that of the kernel's own documentation,
``Documentation/networking/ip-sysctl.rst`` (IPv4), and of ``rt6_do_redirect`` in ``net/ipv6/route.c`` and
``ipv6_rthdr_rcv`` in ``net/ipv6/exthdrs.c`` (IPv6, where ``conf/all`` alone does not switch redirects off).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from panshi.facts.model import Facts

Values = Mapping[str, str]
_ANY, _ALL, _MAX, _MIN, _OWN, _REDIRECTS4, _REDIRECTS6 = "any", "all", "max", "min", "own", "redirects4", "redirects6"
# How all and interface combine, by the wildcard key; what is not listed is decided by the interface alone.
_COMBINED = {
    "net.ipv4.conf.*.accept_redirects": _REDIRECTS4,
    "net.ipv4.conf.*.secure_redirects": _ANY,
    "net.ipv4.conf.*.send_redirects": _ANY,
    "net.ipv4.conf.*.log_martians": _ANY,
    "net.ipv4.conf.*.proxy_arp": _ANY,
    "net.ipv4.conf.*.accept_source_route": _ALL,
    "net.ipv4.conf.*.rp_filter": _MAX,
    "net.ipv4.conf.*.arp_ignore": _MAX,
    "net.ipv4.conf.*.arp_announce": _MAX,
    "net.ipv6.conf.*.accept_redirects": _REDIRECTS6,
    "net.ipv6.conf.*.accept_source_route": _MIN,
}
# conf/default is not an interface, but what the next one starts with; the loopback sees no packet from outside.
NEXT_INTERFACE = "default"
_NO_INTERFACES = frozenset({"all", "lo"})


def sysctl(facts: Facts) -> dict[str, str]:
    """Return the collected sysctl values by key.

    Raises:
        FactMissing: when they were not collected.
    """
    rows = (line.partition(" = ") for line in facts.out("kernel.sysctl").splitlines())
    return {key: value.strip() for key, found, value in rows if found}


def namespaced(key: str) -> bool:
    """Return whether a key belongs to the network namespace, so that a container has a value of its own."""
    return key.startswith("net.ipv4.") or key.startswith("net.ipv6.")


def effective(values: Values, key: str) -> dict[str, str]:
    """Return what is in effect for a key: by interface for ``net.ipvX.conf.*.name``, else under "".

    The result has the entry ``default`` for interfaces that will come. Interfaces on which IPv6 is switched off are
    left out. An empty result means that this kernel does not have the key.
    """
    if "*" not in key:
        return {"": values[key]} if key in values else {}
    head, _, name = key.partition("*")
    pattern = re.compile(rf"{re.escape(head)}(.+){re.escape(name)}")
    found = {}
    for full, own in values.items():
        match = pattern.fullmatch(full)
        if match is None or match[1] in _NO_INTERFACES or values.get(f"{head}{match[1]}.disable_ipv6") == "1":
            continue
        forwarding = values.get(f"{head}{match[1]}.forwarding", "0") != "0"
        found[match[1]] = _combine(_COMBINED.get(key, _OWN), values.get(f"{head}all{name}", own), own, forwarding)
    return found


def _combine(way: str, everywhere: str, own: str, forwarding: bool) -> str:
    if way == _REDIRECTS6:
        return "0" if forwarding else own
    if way == _REDIRECTS4:
        way = _ALL if forwarding else _ANY
    if way in (_OWN, ""):
        return own
    choose: Callable[[int, int], int] = max if way in (_ANY, _MAX) else min
    return str(choose(int(everywhere), int(own)))


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of a sysctl list parameter: ``key=value`` or ``key=value|value`` (roles set the first one)."""

    key: str
    accepted: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Return the requirement that a parameter's element stands for."""
        key, _, values = text.partition("=")
        return cls(key.strip(), tuple(value.strip() for value in values.split("|")))

    def violations(self, values: Values) -> list[str]:
        """Return what is not as required, as ``key=value`` with the interfaces; empty when all is well or absent."""
        wrong: dict[str, list[str]] = {}
        for where, value in effective(values, self.key).items():
            if value not in self.accepted:
                wrong.setdefault(value, []).append("新接口" if where == NEXT_INTERFACE else where)
        return [
            f"{self.key}={value}" + (f"（{'、'.join(sorted(names))}）" if names != [""] else "")
            for value, names in wrong.items()
        ]


@dataclass(frozen=True, slots=True)
class Module:
    """Whether a kernel module can come in.

    Args:
        loaded: it is in the kernel now.
        state: ``absent`` (no such module on disk), ``blocked`` (install runs another program), ``loadable``.
        blacklisted: not loaded when a device asks for it, though root can still load it by name (modprobe.d(5)).
        place: the line of modprobe.d that decides.
    """

    loaded: bool
    state: str
    blacklisted: bool = False
    place: str = ""


def module(facts: Facts, name: str, item_id: str = "kernel.modprobe") -> Module:
    """Return the state of a module, as ``modprobe -n -v`` resolves it.

    Raises:
        FactMissing: when modprobe was not asked, or does not exist on the host.
    """
    answer = facts.item(item_id)
    if answer.absent:
        facts.out(item_id)
    words = (answer.out + answer.err).lower()
    loaded = name.replace("-", "_") in facts.out("kernel.modules").split()
    state = "loadable"
    if "not found" in words:
        state = "absent"
    elif re.search(r"^install\s+\S*/(false|true|nologin)\b", answer.out, re.M):
        state = "blocked"
    return Module(loaded, state, bool(_modprobe_line(facts, name, "blacklist")), _modprobe_line(facts, name, "install"))


def _modprobe_line(facts: Facts, name: str, command: str) -> str:
    """Return "file 第 n 行" of the first modprobe.d line with this command for the module, or "" (- and _ are one)."""
    for folder in ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d"):
        for item in facts.glob(f"{folder}/*.conf"):
            for number, line in enumerate(item.out.splitlines(), 1):
                words = line.replace("-", "_").split()
                if words[:2] == [command, name.replace("-", "_")]:
                    return f"{item.id[5:]} 第 {number} 行"
    return ""


@dataclass(frozen=True, slots=True)
class Limit:
    """One line of limits.conf(5) on core files."""

    domain: str
    kind: str
    value: str
    place: str


def core_limits(facts: Facts) -> list[Limit]:
    """Return the lines about ``core`` in the order in which pam_limits reads them."""
    files = [*facts.glob("/etc/security/limits.conf"), *facts.glob("/etc/security/limits.d/*.conf")]
    found = []
    for item in files:
        for number, line in enumerate(item.out.splitlines(), 1):
            words = line.split("#", 1)[0].split()
            if len(words) == 4 and words[2] == "core":
                found.append(Limit(words[0], words[1], words[3], f"{item.id[5:]} 第 {number} 行"))
    return found


def hard_core_limit(limits: list[Limit], domain: str = "*") -> Limit | None:
    """Return the line that sets the hard core limit of a domain: the last one, ``-`` meaning hard and soft."""
    matching = [limit for limit in limits if limit.domain == domain and limit.kind in ("hard", "-")]
    return matching[-1] if matching else None
