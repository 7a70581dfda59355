"""Answers that only a display command gives; textfsm templates of ntc-templates where it has one, else our own."""

# mypy: disable-error-code="import-untyped"
# (ntc-templates and textfsm have no types)
from __future__ import annotations

import re
from typing import cast

from ntc_templates.parse import ParsingException, parse_output
from textfsm import TextFSMError

from panshi.facts.model import FactMissing, Facts
from panshi.facts.network.model import Known

VERSION = "net.version"


def output(facts: Facts, item: str) -> str:
    """Return the output of a display command, "" where it was not answered or the device refused it."""
    if not facts.has(item) or not facts.item(item).ok:
        return ""
    return facts.item(item).out


def by_template(facts: Facts, item: str, platform: str, command: str) -> list[dict[str, str]]:
    """Return the rows of a display by its template of ntc-templates; none of an empty display.

    Args:
        facts: of the device.
        item: with the display.
        platform: and
        command: by which ntc-templates knows it, which need not be what was asked.

    Raises:
        FactMissing: it was not answered, or has a form that the template does not know.
    """
    text = facts.out(item)
    if not text.strip():
        return []
    try:
        return cast("list[dict[str, str]]", parse_output(platform=platform, command=command, data=text))
    except (ParsingException, TextFSMError) as error:
        said = str(error).splitlines()[0][:120]
        raise FactMissing(f"{facts.item(item).cmd} 的输出不是已知的形式：{said}") from error


def telnet_status(facts: Facts) -> Known[bool] | None:
    """Return what ``display telnet server status`` of VRP says, None where it was not answered."""
    pattern = r"TELNET\s*(?:IPv[46])?\s*server\s*:\s*(enable|disable)"
    found = re.findall(pattern, output(facts, "net.telnet"), re.IGNORECASE)
    return Known(any(word.lower() == "enable" for word in found), facts.item("net.telnet").cmd) if found else None


def http_status(facts: Facts) -> Known[bool] | None:
    """Return what the device's own display says of HTTP without encryption, None where it was not answered."""
    pattern = r"(?:HTTP server status|Operation status) *: *(enabled|running|disabled|stopped)"
    found = re.search(pattern, output(facts, "net.http"), re.IGNORECASE)
    return Known(found[1].lower() in ("enabled", "running"), facts.item("net.http").cmd) if found else None


def service(facts: Facts, name: str) -> Known[bool] | None:
    """Return what ``show service`` of Ruijie says of a service, None where it was not answered."""
    found = re.search(rf"^\s*{re.escape(name)}\s*:\s*(enabled|disabled)", output(facts, "net.service"), re.MULTILINE)
    return Known(found[1] == "enabled", facts.item("net.service").cmd) if found else None


def huawei_release(facts: Facts) -> str:
    """Return version and release of VRP software, "" where they were not read."""
    return _only(r"\b(V\d{3}R\d{3}\w*)", facts)


def comware_release(facts: Facts) -> str:
    """Return version and release of Comware, "" where they were not read."""
    return _only(r"Comware Software, Version (\d\S*, \w+ \w+)", facts)


def ios_release(facts: Facts) -> str:
    """Return the version of IOS or IOS-XE, "" where it was not read."""
    return _only(r"Cisco IOS.*?, Version ([^,\s]+)", facts)


def ruijie_release(facts: Facts) -> str:
    """Return the version of RGOS, "" where it was not read."""
    return _only(r"[Ss]oftware version\s*:\s*(?:\S+_)?(RGOS \S+)", facts)


def _only(pattern: str, facts: Facts) -> str:
    found = re.search(pattern, output(facts, VERSION), re.DOTALL)
    return found[1] if found else ""


def synchronised(facts: Facts) -> Known[bool]:
    """Return whether the clock follows a time server, as its NTP status says; unknown where that is silent."""
    text = output(facts, "net.ntp").lower()
    if "unsynchronized" in text or "not synchronized" in text:
        return Known(False, facts.item("net.ntp").cmd)
    if re.search(r"clock (?:status:|is|status is) *synchronized", text):
        return Known(True, facts.item("net.ntp").cmd)
    return Known(None, "没有读到 NTP 同步状态")
