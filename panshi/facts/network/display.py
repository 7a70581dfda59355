"""Answers that only a display command gives; textfsm templates of ntc-templates where it has one, else our own."""

from __future__ import annotations

import re

from panshi.facts.model import Facts
from panshi.facts.network.model import Known


def telnet_status(facts: Facts) -> Known[bool] | None:
    """Return what ``display telnet server status`` of VRP says, None where it was not answered."""
    if not facts.has("net.telnet") or not facts.item("net.telnet").ok:
        return None
    item = facts.item("net.telnet")
    found = re.findall(r"TELNET\s*(?:IPv[46])?\s*server\s*:\s*(enable|disable)", item.out, re.IGNORECASE)
    return Known(any(word.lower() == "enable" for word in found), item.cmd) if found else None


def service(facts: Facts, name: str) -> Known[bool] | None:
    """Return what ``show service`` of Ruijie says of a service, None where it was not answered."""
    if not facts.has("net.service") or not facts.item("net.service").ok:
        return None
    item = facts.item("net.service")
    found = re.search(rf"^\s*{re.escape(name)}\s*:\s*(enabled|disabled)", item.out, re.MULTILINE)
    return Known(found[1] == "enabled", item.cmd) if found else None
