"""Networks as access lists of devices write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network
from typing import Any

from ansible.errors import AnsibleFilterError


def panshi_wildcards(networks: Iterable[str]) -> list[dict[str, Any]]:
    """Return networks as address and wildcard.

    Args:
        networks: IPv4, as ``192.0.2.0/24``, or a single address.

    Returns:
        For each ``address``, ``wildcard`` (``0.0.0.255``) and ``single`` (it is one address).

    Raises:
        AnsibleFilterError: one is none, or has bits set beyond its length.
    """
    try:
        found = [IPv4Network(str(one)) for one in networks]
    except ValueError as error:
        raise AnsibleFilterError(f"network_baseline_sources 应为 192.0.2.0/24 这样的网段：{error}") from error
    return [
        {"address": str(one.network_address), "wildcard": str(one.hostmask), "single": one.prefixlen == 32}
        for one in found
    ]


class FilterModule:
    """Entry point for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"panshi_wildcards": panshi_wildcards}
