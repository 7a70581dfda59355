"""Network devices: facts of the five platforms as one set of questions (``device.py``), answered per vendor."""

from __future__ import annotations

from panshi.facts.model import FactMissing, Facts
from panshi.facts.network.comware import Comware
from panshi.facts.network.device import Device
from panshi.facts.network.ios import Ios
from panshi.facts.network.ruijie import Ruijie
from panshi.facts.network.vrp import Vrp, VrpV8

PLATFORMS: dict[str, type[Device]] = {one.platform: one for one in (Vrp, VrpV8, Comware, Ruijie, Ios)}


def device(facts: Facts) -> Device:
    """Return a device as its platform's reader sees it.

    Raises:
        FactMissing: when the facts are not those of a network device of a known platform.
    """
    platform = str(facts.document.get("platform", ""))
    if platform not in PLATFORMS:
        raise FactMissing(f"平台 {platform or '（空）'} 没有读法")
    return PLATFORMS[platform](facts)


def is_device(facts: Facts) -> bool:
    """Return whether facts are those of a network device."""
    return bool(facts.document.get("platform"))


__all__ = ["PLATFORMS", "Device", "device", "is_device"]
