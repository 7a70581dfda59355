"""Physical ports with their link, from the brief displays; templates of ntc-templates, Ruijie's by its own."""

from __future__ import annotations

import re
from dataclasses import replace

from panshi.facts.model import FactMissing, Facts
from panshi.facts.network.device import Device
from panshi.facts.network.display import by_template
from panshi.facts.network.model import Port

ITEM = "net.ports"
# Ports made of metal; the rest (Vlanif, Eth-Trunk, NULL, LoopBack, members of nothing) has no plug.
_PHYSICAL = re.compile(
    r"(?i)^(?:(?:x|10|25|40|100|multi)?g(?:igabit)?e(?:thernet|th)?|ethernet|eth|fa(?:stethernet)?|te\w*|gi\w*|tw\w*|fo\w*|"
    r"hu\w*|\d+ge|wge|hge|xge|fge|tf\w*|ag\w*)\s?\d+(?:/\d+)+$"
)
_RUIJIE = re.compile(r"^(\S+ \d+(?:/\d+)+)\s+(?:(.*?)\s+)?(up|down|disabled)\s+(?:\d+|routed|trunk|-)", re.MULTILINE)


def ports(device: Device) -> list[Port]:
    """Return the physical ports of a device.

    Raises:
        FactMissing: when the display was not answered, has a form that the template does not know, or no port in it.
    """
    said = {head[1]: m[1] for head, part in device.interfaces() if (m := part.last(r"description (.+)"))}
    found = [
        replace(port, description=port.description or said.get(port.name, ""))
        for port in _READERS[device.platform](device.facts)
        if _PHYSICAL.match(port.name)
    ]
    if not found:
        raise FactMissing(f"{device.facts.item(ITEM).cmd} 的输出中没有物理端口")
    return found


def _huawei(facts: Facts) -> list[Port]:
    rows = by_template(facts, ITEM, "huawei_vrp", "display interface brief")
    return [Port(r["interface"], not r["phy"].startswith("*"), r["phy"].startswith("up")) for r in rows]


def _comware(facts: Facts) -> list[Port]:
    rows = by_template(facts, ITEM, "hp_comware", "display interface brief")
    return [Port(r["interface"], r["link"] != "ADM", r["link"] == "UP", r["description"]) for r in rows]


def _ios(facts: Facts) -> list[Port]:
    rows = by_template(facts, ITEM, "cisco_ios", "show interfaces status")
    return [Port(r["port"], r["status"] != "disabled", r["status"] == "connected", r["name"]) for r in rows]


def _ruijie(facts: Facts) -> list[Port]:
    return [Port(m[1], m[3] != "disabled", m[3] == "up", m[2] or "") for m in _RUIJIE.finditer(facts.out(ITEM))]


_READERS = {
    "huawei_vrp": _huawei,
    "huawei_vrpv8": _huawei,
    "hp_comware": _comware,
    "cisco_ios": _ios,
    "ruijie_os": _ruijie,
}
