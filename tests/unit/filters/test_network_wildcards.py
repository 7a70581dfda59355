"""Networks as access lists of devices write them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from .test_filters import load

panshi_wildcards = load("panshi_network").panshi_wildcards


def test_parsed_networks_and_single_addresses() -> None:
    assert panshi_wildcards(["192.0.2.0/25", "198.51.100.7"]) == [
        {"address": "192.0.2.0", "wildcard": "0.0.0.127", "single": False},
        {"address": "198.51.100.7", "wildcard": "0.0.0.0", "single": True},
    ]


@pytest.mark.parametrize("wrong", ["192.0.2.1/24", "运维网段", "2001:db8::/32"])
def test_parsed_what_is_no_network_is_refused_and_not_guessed(wrong: str) -> None:
    with pytest.raises(AnsibleFilterError, match="network_baseline_sources"):
        panshi_wildcards([wrong])
