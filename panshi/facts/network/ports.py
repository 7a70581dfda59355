"""Physical ports with their link, from the brief displays; templates of ntc-templates, Ruijie's by its own."""

# mypy: disable-error-code="import-untyped"
# (ntc-templates has no types)
from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

from ntc_templates.parse import ParsingException, parse_output

from panshi.facts.model import FactMissing
from panshi.facts.network.device import Device
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
    text = device.facts.out(ITEM)
    said = {head[1]: m[1] for head, part in device.interfaces() if (m := part.last(r"description (.+)"))}
    found = [
        replace(port, description=port.description or said.get(port.name, ""))
        for port in _READERS[device.platform](text)
        if _PHYSICAL.match(port.name)
    ]
    if not found:
        raise FactMissing(f"{device.facts.item(ITEM).cmd} 的输出中没有物理端口")
    return found


def _rows(platform: str, command: str, text: str) -> list[dict[str, str]]:
    try:
        return cast("list[dict[str, str]]", parse_output(platform=platform, command=command, data=text))
    except ParsingException as error:
        raise FactMissing(f"{command} 的输出不是已知的形式：{str(error).splitlines()[0][:120]}") from error


def _huawei(text: str) -> list[Port]:
    rows = _rows("huawei_vrp", "display interface brief", text)
    return [Port(r["interface"], not r["phy"].startswith("*"), r["phy"].startswith("up")) for r in rows]


def _comware(text: str) -> list[Port]:
    rows = _rows("hp_comware", "display interface brief", text)
    return [Port(r["interface"], r["link"] != "ADM", r["link"] == "UP", r["description"]) for r in rows]


def _ios(text: str) -> list[Port]:
    rows = _rows("cisco_ios", "show interfaces status", text)
    return [Port(r["port"], r["status"] != "disabled", r["status"] == "connected", r["name"]) for r in rows]


def _ruijie(text: str) -> list[Port]:
    return [Port(m[1], m[3] != "disabled", m[3] == "up", m[2] or "") for m in _RUIJIE.finditer(text)]


_READERS = {
    "huawei_vrp": _huawei,
    "huawei_vrpv8": _huawei,
    "hp_comware": _comware,
    "cisco_ios": _ios,
    "ruijie_os": _ruijie,
}
