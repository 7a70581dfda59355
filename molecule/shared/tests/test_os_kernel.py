"""Values in the running kernel's own network namespace, read from /proc."""

from __future__ import annotations

import pytest
from testinfra.host import Host


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("net/ipv4/conf/all/send_redirects", "0"),
        ("net/ipv4/conf/all/accept_source_route", "0"),
        ("net/ipv4/conf/all/accept_redirects", "0"),
        ("net/ipv4/conf/all/log_martians", "1"),
    ],
)
def test_real_kernel_has_the_value(host: Host, path: str, value: str) -> None:
    assert host.file(f"/proc/sys/{path}").content_string.strip() == value
