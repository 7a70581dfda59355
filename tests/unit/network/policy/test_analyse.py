"""Findings and the matrix: each defect planted and found, none made up, every packet tried."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from panshi.network.policy.analyse import Finding, findings
from panshi.network.policy.document import understood
from panshi.network.policy.matrix import Proof, matrix, proof
from panshi.network.policy.rules import verdict
from panshi.network.policy.space import holds

from .worlds import ALL, allowed, made, policies, sum_of

TODAY = date(2026, 11, 22)


def policy(name: str, **given: Any) -> dict[str, Any]:
    sides = {key: ["any"] for key in ("from", "to", "source", "destination", "service")}
    whose = {"name": name, "owner": "张三（应用组）", "ticket": "CHG-2026-0101", "log": True, "action": "permit"}
    return {**whose, **sides, **{key.rstrip("_"): value for key, value in given.items()}}


CLEANUP = policy("deny-all", action="deny")
WEB = policy("web", from_=["internet"], to=["dmz"], destination=["web"], service=["https"])


def document(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "zones": {"internet": "互联网", "dmz": "对外区", "office": "办公区"},
        "addresses": {"web": ["192.0.2.10"], "servers": ["192.0.2.0/24"]},
        "services": {"https": ["tcp/443"], "all-tcp": ["tcp"]},
        "schedules": {},
        "devices": {"fw1": {"platform": "huawei_usg"}},
        "policies": [*found],
        **more,
    }


def found_in(*found: dict[str, Any], kinds: str = "") -> list[Finding]:
    every = findings(understood(document(*found), "p.yml"), TODAY)
    return [one for one in every if one.kind != "unused" and (not kinds or one.kind in kinds.split())]


def test_parsed_a_clean_set_has_no_finding() -> None:
    assert found_in(WEB, CLEANUP) == []


@pytest.mark.parametrize(
    ("kind", "name", "other", "found"),
    [
        ("shadowed", "late", "stop", [policy("stop", action="deny", destination=["servers"]), {**WEB, "name": "late"}]),
        ("redundant", "again", "web", [WEB, {**WEB, "name": "again"}]),
        ("redundant", "web", "wider", [WEB, policy("wider", destination=["servers"], service=["all-tcp"])]),
        (
            "conflicting",
            "stop",
            "web",
            [
                WEB,
                policy("stop", action="deny", from_=["internet", "office"], destination=["web"], service=["all-tcp"]),
            ],
        ),
        ("wide", "open", "", [policy("open", from_=["office"], service=["https"])]),
        ("expired", "web", "", [{**WEB, "expires": "2026-11-21"}]),
        ("expiring", "web", "", [{**WEB, "expires": "2026-12-01"}]),
        ("unlogged", "web", "", [{**WEB, "log": False}]),
    ],
)
def test_parsed_a_planted_defect_is_found(kind: str, name: str, other: str, found: list[dict[str, Any]]) -> None:
    if kind == "conflicting":  # neither contains the other
        found[1] = {**found[1], "to": ["dmz"], "source": ["servers"]}
    every = found_in(*found, CLEANUP)
    (one,) = [one for one in every if one.kind == kind]
    assert (one.name, one.other) == (name, other)
    assert one.packet is not None
    rules = {each["name"]: understood(document(*found), "p.yml").rule(each_policy) for each, each_policy in zip(
        found, understood(document(*found), "p.yml").policies, strict=True
    )}  # fmt: skip
    assert any(holds(product, one.packet) for product in rules[name].match)
    assert not other or any(holds(product, one.packet) for product in rules[other].match)


def test_parsed_a_missing_cleanup_is_shown_by_a_packet() -> None:
    (one,) = found_in(WEB, kinds="cleanup")
    assert one.packet is not None
    assert verdict(understood(document(WEB), "p.yml").rules(TODAY), one.packet) == ("deny", "")
    assert found_in(WEB, {**CLEANUP, "log": False}, kinds="cleanup")


def test_parsed_objects_that_nobody_uses_are_named() -> None:
    every = findings(understood(document(WEB, CLEANUP), "p.yml"), TODAY)
    assert [one.name for one in every] == ["servers", "all-tcp"]


@settings(max_examples=60, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(policies({"fw": {"platform": "huawei_usg"}}))
def test_parsed_coverage_is_exact(raw: dict[str, Any]) -> None:
    one = made(raw)
    active = [policy for policy in one.policies if policy.holds(TODAY)]
    rules = one.rules(TODAY)
    every = findings(one, TODAY)
    names = {finding.name for finding in every if finding.kind in ("shadowed", "redundant")}
    for number, rule in enumerate(rules):
        before = 0
        for earlier in rules[:number]:
            before |= sum_of(earlier)
        if not sum_of(rule) & ~before:
            # The world's packets are a part of all packets: covered there does not mean covered everywhere.
            continue
        covered = [f for f in every if f.name == rule.name and "永远不会命中" in f.text]
        assert covered == [], active[number]
    for finding in every:
        if finding.kind == "redundant":
            rest = [rule for rule in rules if rule.name != finding.name]
            assert allowed(rest) == allowed(rules), (finding, names)
        if finding.kind == "shadowed":
            assert finding.packet is not None
            assert verdict(rules, finding.packet)[0] != next(r.action for r in rules if r.name == finding.name)


@settings(max_examples=60, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(policies({"fw": {"platform": "huawei_usg"}}))
def test_parsed_the_matrix_knows_what_is_open(raw: dict[str, Any]) -> None:
    one = made(raw)
    rules = one.rules(TODAY)
    cells = matrix(rules, one.zones)
    through = allowed(rules)
    quarter = ALL.bit_length() // 4
    for number in range(4):
        some = through >> number * quarter & ((1 << quarter) - 1)
        assert bool(cells[number // 2][number % 2]) >= bool(some)
    everything = understood({**raw, "published": [{**ANYWHERE, "name": "all"}]}, "p.yml")
    shut = proof(everything, TODAY)
    assert shut.open == ()
    assert bool(shut.closed) >= (through != ALL)
    assert proof(one, TODAY) == Proof((), ())


ANYWHERE = {key: ["any"] for key in ("from", "to", "source", "destination", "service")}
PUBLISHED = {**{key: WEB[key] for key in ("from", "to", "source", "destination", "service")}, "name": "portal"}


def test_parsed_published_is_open_and_the_rest_is_closed() -> None:
    one = understood(document(WEB, CLEANUP, published=[PUBLISHED]), "p.yml")
    assert proof(one, TODAY) == Proof((), ())
    assert matrix(one.rules(TODAY), one.zones)[0] == ["", "tcp/443", ""]


def test_parsed_a_published_service_that_is_closed_is_found() -> None:
    stop = policy("stop", action="deny", from_=["internet"], destination=["servers"])
    shut = proof(understood(document(stop, WEB, CLEANUP, published=[PUBLISHED]), "p.yml"), TODAY)
    ((name, packet, by),) = shut.closed
    assert (name, by) == ("portal", "stop")
    assert packet.text(("internet", "dmz", "office")).startswith("internet → dmz tcp 0.0.0.1:50000 → 192.0.2.10:443")


def test_parsed_what_nobody_has_published_is_found() -> None:
    more = policy("backdoor", from_=["internet"], to=["office"], service=["all-tcp"])
    shut = proof(understood(document(WEB, more, CLEANUP, published=[PUBLISHED]), "p.yml"), TODAY)
    ((name, packet),) = shut.open
    assert name == "backdoor"
    assert verdict(understood(document(WEB, more), "p.yml").rules(TODAY), packet) == ("permit", "backdoor")
