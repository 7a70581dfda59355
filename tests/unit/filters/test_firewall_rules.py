"""The rules that os_firewall renders, asked the audit's own question: from where does a packet get in?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from panshi.facts.address import Sources
from panshi.facts.nft import parse_nft
from panshi.facts.packet_filter import Packet, Ruleset

TEMPLATES = Path(__file__).resolve().parents[3] / "roles/os_firewall/templates"
MANAGEMENT = ["198.51.100.1", "2001:db8:1::/64"]
VARIABLES: dict[str, Any] = {
    "os_firewall_management_sources": MANAGEMENT,
    "os_firewall_trusted_interfaces": ["docker*"],
    "os_firewall_allow": [
        {"port": "443", "proto": "tcp", "request": "R-1\nflush ruleset", "owner": "业务处"},
        {"port": "9100-9101", "proto": "tcp", "sources": ["192.0.2.20"], "request": "监控", "owner": "运维组"},
        {"proto": "vrrp", "sources": ["192.0.2.11"], "request": "双机", "owner": "运维组"},
    ],
    "os_firewall_log": True,
    "__os_firewall_ports": [22],
    "__os_firewall_kept": [],
}


def rules(*names: str, **changed: Any) -> Ruleset:
    """Return the rendered tables, both unless named, as the audit reads them."""
    templar = Templar(loader=DataLoader(), variables=VARIABLES | changed)
    overrides = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    text = ""
    for name in names or ("default", "management"):
        template = (TEMPLATES / f"{name}.nft.j2").read_text(encoding="utf-8")
        text += templar.template(trust_as_template(template), overrides=overrides)
    assert "flush" not in text.replace("R-1 flush ruleset", ""), "other tables are nobody's to empty"
    return Ruleset(tuple(parse_nft(text)))


def sources(
    port: int, *, version: int = 4, interface: str = "eth0", ruleset: Ruleset | None = None
) -> tuple[Sources, bool]:
    """Return from where a TCP port is reachable, and whether that is everywhere."""
    reach = (ruleset or rules()).reach(Packet(version, "tcp", port, interface))
    assert not reach.labels
    return reach.sources, reach.sources.everything


def test_parsed_rules_let_management_sources_in_and_nobody_else() -> None:
    """Also not from the networks of containers, which are let in to everything else."""
    assert sources(22)[0] == Sources.of(4, MANAGEMENT)
    assert sources(22, version=6)[0] == Sources.of(6, MANAGEMENT)
    assert sources(22, interface="docker0")[0] == Sources.of(4, MANAGEMENT)
    assert sources(53, interface="docker0")[1]


@pytest.mark.parametrize("version", [4, 6])
def test_parsed_rules_deny_what_is_not_listed(version: int) -> None:
    """The default is for both IP versions."""
    assert not sources(8080, version=version)[0]


def test_parsed_rules_let_listed_services_in_from_their_sources() -> None:
    """An entry for IPv4 sources opens nothing for IPv6; one without sources is for everybody."""
    assert sources(443)[1]
    assert sources(443, version=6)[1]
    assert sources(9101)[0] == Sources.of(4, ["192.0.2.20"])
    assert not sources(9101, version=6)[0]


def test_parsed_rules_keep_what_listens_when_told() -> None:
    """Ports that nobody has listed yet stay as they were."""
    assert sources(8080, ruleset=rules(__os_firewall_kept=[{"proto": "tcp", "port": 8080}]))[1]


def test_parsed_rules_do_only_the_half_that_was_opted_in_to() -> None:
    """Limiting SSH leaves the default alone; the default without the limit leaves SSH open."""
    limited = rules("management")
    assert sources(22, ruleset=limited)[0] == Sources.of(4, MANAGEMENT)
    assert sources(8080, ruleset=limited)[1]
    denied = rules("default")
    assert sources(22, ruleset=denied)[1]
    assert not sources(8080, ruleset=denied)[0]
