"""In which waves hosts are changed, from what the inventory says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from panshi.patch.plan import order_waves

_SETTINGS = ("group", "order", "canary", "share")


def panshi_waves(names: Iterable[str], variables: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return ``host`` and ``wave``, in order: a canary, a share, the rest, no two of one ``patch_group`` together.

    Args:
        names: of the hosts.
        variables: ``hostvars``; of them ``patch_group``, ``patch_order``, ``patch_canary`` and ``patch_share`` count.
    """
    settings = {
        name: {key: variables[name][f"patch_{key}"] for key in _SETTINGS if f"patch_{key}" in variables[name]}
        for name in names
    }
    waves = enumerate(hosts for _, hosts in order_waves(settings, settings))
    return [{"host": host, "wave": wave} for wave, hosts in waves for host in hosts]


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"panshi_waves": panshi_waves}
