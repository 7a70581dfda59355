"""Whether the clock really follows a source: chrony, ntpd (ntpsec) and systemd-timesyncd."""

from __future__ import annotations

import re
from dataclasses import dataclass

from panshi.facts import journald
from panshi.facts.model import Facts

# chronyc prints the reference of the local clock as 127.127.1.1 (7F7F0101): the host then follows nobody.
_OWN_CLOCK = re.compile(r"127\.127\.|7F7F|\.LOCL\.|LOCAL\(|\(\)$")
_SERVER_LINE = re.compile(r"^\s*(?:server|pool|peer|refclock)\s+(\S+(?:\s+/\S+)?)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sync:
    """The state of one time client.

    Args:
        client: chrony, ntpd or systemd-timesyncd.
        synchronised: whether the clock follows a source now.
        source: the source followed, as the client names it; "" for none.
        offset: distance to the source in seconds, None when the client does not tell.
        detail: why it is not synchronised, in Chinese; "" when it is.
    """

    client: str
    synchronised: bool
    source: str = ""
    offset: float | None = None
    detail: str = ""


def parse_chrony_tracking(text: str) -> Sync:
    """Parse ``chronyc -n tracking`` (long form) or ``chronyc -c -n tracking`` (comma separated)."""
    line = text.strip()
    if "\n" not in line and line.count(",") >= 13:
        words = line.split(",")
        reference, source, stratum, offset, leap = words[0], words[1], words[2], words[4], words[13]
    else:
        rows = (row.partition(" : ") for row in line.splitlines())
        value = {key.strip(): text.strip() for key, _, text in rows}
        match = re.match(r"(\S+)\s*\(([^)]*)\)", value.get("Reference ID", ""))
        reference, source = match.groups() if match else ("", "")
        stratum, leap = value.get("Stratum", "0"), value.get("Leap status", "")
        offset = _first_number(value.get("System time", ""))
    if reference in ("", "00000000") or leap == "Not synchronised":
        return Sync("chrony", False, detail=f"chronyc tracking 的 Leap status 为 {leap or '未知'}，没有选中任何时间源")
    if _OWN_CLOCK.match(reference) or _OWN_CLOCK.match(source):
        return Sync("chrony", False, detail=f"参考源是本机时钟（{reference}，层级 {stratum}），没有跟随外部时间源")
    return Sync("chrony", True, source, float(offset) if offset else None)


def _first_number(text: str) -> str:
    match = re.match(r"[-+]?[\d.]+(?:e[-+]?\d+)?", text)
    return match[0] if match else ""


def parse_ntpq(text: str) -> Sync:
    """Parse ``ntpq -pn``: the peer marked ``*`` (or ``o``, pulse per second) is followed; offsets are milliseconds."""
    for line in text.splitlines():
        words = line[1:].split()
        if line[:1] in ("*", "o") and len(words) >= 10:
            if _OWN_CLOCK.match(words[0]) or ".LOCL." in words[1]:
                return Sync("ntpd", False, detail=f"选中的时间源 {words[0]} 是本机时钟")
            return Sync("ntpd", True, words[0], float(words[8]) / 1000)
    return Sync("ntpd", False, detail="ntpq -pn 中没有带 * 的时间源")


def parse_timesync(text: str) -> Sync:
    """Parse ``timedatectl show-timesync``, ``timedatectl show`` or ``timedatectl timesync-status``."""
    value = dict(re.findall(r"^\s*([A-Za-z ]+?)\s*[=:]\s*(.+?)\s*$", text, re.MULTILINE))
    source = value.get("ServerAddress") or value.get("Server") or value.get("ServerName", "")
    count = _first_number(value.get("Packet count", ""))
    done = value.get("NTPSynchronized") == "yes" or "Ignored=no" in text or bool(count and int(count) > 0)
    if not source or not done:
        return Sync("systemd-timesyncd", False, source, detail="timedatectl 没有收到任何时间服务器的应答")
    return Sync("systemd-timesyncd", True, source)


def declared_sources(facts: Facts) -> list[str]:
    """Return the sources that the configuration files of all clients name, in order, without doubles."""
    texts = [
        i.out
        for p in ("/etc/chrony.conf", "/etc/chrony/*", "/etc/ntp.conf", "/etc/ntpsec/ntp.conf")
        for i in facts.glob(p)
    ]
    named = [match for text in texts for match in _SERVER_LINE.findall(text)]
    timesyncd = journald.settings(facts, "timesyncd").get("NTP")
    return list(dict.fromkeys([*named, *(timesyncd.value.split() if timesyncd else [])]))
