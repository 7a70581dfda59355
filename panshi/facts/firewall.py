"""The packet filter that is in force on a host: the kernel's rules, whoever wrote them.

firewalld, ufw and the iptables service are front ends of nftables and iptables; what counts is what they loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from panshi.facts.iptables import parse_iptables
from panshi.facts.model import FactMissing, Facts
from panshi.facts.nft import parse_nft
from panshi.facts.packet_filter import Ruleset, Table


def combined(
    nft: Iterable[Table], iptables: Iterable[tuple[Table, bool]], unread: frozenset[int] = frozenset()
) -> Ruleset:
    """Join both views of the kernel's rules.

    Args:
        nft: tables of ``nft list ruleset``.
        iptables: tables of ``iptables-save`` and whether each lives in nftables (iptables-nft). Such a table also
            shows in the nft list, where matches of iptables extensions may be missing: its own listing wins.
        unread: IP versions whose rules were not collected.
    """
    saved = list(iptables)
    doubled = {(table.family, table.name) for table, in_nft in saved if in_nft}
    kept = [table for table in nft if (table.family, table.name) not in doubled]
    return Ruleset((*kept, *(table for table, _ in saved)), unread)


def ruleset(facts: Facts) -> Ruleset:
    """Return the packet filter of the host; without any of the tools there are no tables.

    Raises:
        FactMissing: when a tool is there and its rules could not be read.
    """
    texts = {}
    for item_id in ("fw.nft", "fw.iptables", "fw.ip6tables"):
        if item_id == "fw.ip6tables" and not facts.has(item_id):
            continue  # collectors of version 1 do not ask for it
        item = facts.item(item_id)
        if not item.ok and not item.absent:
            raise FactMissing(f"{item.cmd} 返回 {item.rc}：{item.err.strip()[:160] or '无输出'}")
        texts[item_id] = item.out
    saved = parse_iptables(texts["fw.iptables"]) + parse_iptables(texts.get("fw.ip6tables", ""), "ip6")
    # IPv4 rules that nft does not show have IPv6 sisters that only ip6tables-save would show
    hidden = "fw.ip6tables" not in texts and any(
        not in_nft or facts.item("fw.nft").absent for table, in_nft in saved if table.chains
    )
    return combined(parse_nft(texts["fw.nft"]), saved, frozenset({6}) if hidden else frozenset())


def addresses_by_interface(text: str) -> dict[str, tuple[str, ...]]:
    """Return the addresses per interface of ``ip -o addr`` output, without the loopback."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 3 and words[2] in ("inet", "inet6"):
            name = words[1].partition("@")[0].rstrip(":")
            address = words[3].partition("/")[0]
            if not ip_address(address).is_loopback:
                found[name] = (*found.get(name, ()), address)
    return found
