"""A firewall's security policy as the device holds it, and what a policy set makes of it (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from ipaddress import IPv4Address, summarize_address_range
from typing import TypeVar

from panshi.network.policy.model import (
    Device,
    Policy,
    PolicySet,
    Schedule,
    Service,
    address_span,
    products,
)
from panshi.network.policy.rules import DENY, Rule
from panshi.network.policy.space import ANY_ADDRESS, ANY_TIME, Product, Spans, spans

# A member that begins so is the name of an object; any other is an address or a service itself.
OBJECT = "@"
# Services that the firewalls bring along under these names; a few of many, those that operators use [K].
PREDEFINED: Mapping[str, tuple[Service, ...]] = {
    "ftp": (Service(6, (21, 21)),),
    "ssh": (Service(6, (22, 22)),),
    "telnet": (Service(6, (23, 23)),),
    "smtp": (Service(6, (25, 25)),),
    "http": (Service(6, (80, 80)),),
    "https": (Service(6, (443, 443)),),
    "ntp": (Service(17, (123, 123)),),
    "snmp": (Service(17, (161, 161)),),
    "syslog": (Service(17, (514, 514)),),
    "icmp": (Service(1),),
}
_VERSION = re.compile(r"_v\d+$")
Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """One rule; an empty tuple of members matches everything on that side, as on the devices.

    Args:
        name: its identity.
        action: permit, deny, or empty where the device has not been told.
        enabled: whether it takes part.
        origin: zones of the device.
        target: zones of the device.
        source: members.
        destination: members.
        service: members.
        schedule: name of a time range, or empty.
        log: whether hits are logged.
        description: free text.
    """

    name: str
    action: str = ""
    enabled: bool = True
    origin: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    destination: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    schedule: str = ""
    log: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Firewall:
    """All rules in their order, the objects that they may use, and what happens to packets that none matches."""

    rules: tuple[FirewallRule, ...] = ()
    addresses: Mapping[str, Spans] = field(default_factory=dict)
    services: Mapping[str, tuple[Service, ...]] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    default: str = DENY

    def zones(self) -> set[str]:
        """Return the zones that rules name."""
        return {zone for rule in self.rules for zone in (*rule.origin, *rule.target)}

    def effective(self, zones: Sequence[str]) -> list[Rule]:
        """Return what the rules in force match; zones are numbered by their place in the list."""
        return [
            Rule(rule.name, rule.action, self._match(rule, zones))
            for rule in self.rules
            if rule.enabled and rule.action
        ]

    def used(self) -> tuple[set[str], set[str], set[str]]:
        """Return the names of addresses, services and schedules that rules refer to."""
        addresses = {one[1:] for rule in self.rules for one in (*rule.source, *rule.destination) if one[0] == OBJECT}
        services = {one[1:] for rule in self.rules for one in rule.service if one[0] == OBJECT}
        return addresses, services, {rule.schedule for rule in self.rules if rule.schedule}

    def _match(self, rule: FirewallRule, zones: Sequence[str]) -> tuple[Product, ...]:
        def numbers(names: Iterable[str]) -> Spans:
            return spans((zones.index(name), zones.index(name)) for name in names) or ((0, len(zones) - 1),)

        return products(
            numbers(rule.origin),
            numbers(rule.target),
            self.schedules[rule.schedule].minutes() if rule.schedule else ANY_TIME,
            self._addresses(rule.source),
            self._addresses(rule.destination),
            [one for member in rule.service for one in self._services(member)],
        )

    def _addresses(self, members: Sequence[str]) -> Spans:
        if not members:
            return ANY_ADDRESS
        return spans(
            pair for one in members for pair in (self.addresses[one[1:]] if one[0] == OBJECT else (address_span(one),))
        )

    def _services(self, member: str) -> tuple[Service, ...]:
        return self.services[member[1:]] if member[0] == OBJECT else (service_of(member),)


def literals(addresses: Spans) -> Iterator[str]:
    """Yield spans as texts, in canonical form: a network where it is one, else first and last address."""
    for low, high in addresses:
        first, last = IPv4Address(low), IPv4Address(high)
        networks = list(summarize_address_range(first, last))
        yield str(networks[0]) if len(networks) == 1 else f"{first}-{last}"


def service_of(text: str) -> Service:
    """Return the service of a member that ``service_text`` has made."""
    number, port, end, sport, send = map(int, text.split(":"))
    return Service(number, (port, end), (sport, send))


def service_text(service: Service) -> str:
    """Return a service as a member of a rule."""
    return ":".join(map(str, (service.protocol, *service.port, *service.sport)))


def applies(policy: Policy, device: Device) -> bool:
    """Return whether a policy is meant for a firewall: named, or both its sides have a zone there."""
    if policy.on and device.name not in policy.on:
        return False
    return all(not names or set(names) & set(device.zones) for names in (policy.origin, policy.target))


def compiled(policies: PolicySet, device: Device, now: Firewall, today: date) -> Firewall:
    """Return what a firewall shall hold.

    An object is never changed in place, because it may stand in many rules: where the device has one of that name with
    another content, a new one with a version is used, and the rules are changed to it.

    Args:
        policies: the set.
        device: one of its firewalls.
        now: what the device holds, for the names of objects.
        today: permits that have expired before are left out.
    """
    chosen = [one for one in policies.policies if applies(one, device) and (one.holds(today) or not one.enabled)]
    addresses, services = dict(now.addresses), {**PREDEFINED, **now.services}
    schedules = dict(now.schedules)
    rules = []
    for policy in chosen:
        sides = [
            tuple(sorted(OBJECT + object_named(name, policies.addresses[name], addresses) for name in names))
            for names in (policy.source, policy.destination)
        ]
        members = {
            OBJECT + object_named(name, tuple(sorted(policies.services[name])), services) for name in policy.service
        }
        named = object_named(policy.schedule, policies.schedules[policy.schedule], schedules) if policy.schedule else ""
        rules.append(
            FirewallRule(
                name=policy.name,
                action=policy.action,
                enabled=policy.enabled,
                origin=_zones(policy.origin, device),
                target=_zones(policy.target, device),
                source=sides[0],
                destination=sides[1],
                service=tuple(sorted(members)),
                schedule=named,
                log=policy.log,
                description=_description(policy),
            )
        )
    whole = Firewall(tuple(rules), addresses, services, schedules)
    names = whole.used()
    return replace(
        whole,
        addresses={name: addresses[name] for name in sorted(names[0])},
        services={name: services[name] for name in sorted(names[1])},
        schedules={name: schedules[name] for name in sorted(names[2])},
    )


def _zones(names: Sequence[str], device: Device) -> tuple[str, ...]:
    return tuple(sorted(device.zones[name] for name in names if name in device.zones))


def object_named(name: str, content: Content, known: dict[str, Content]) -> str:
    """Return the device's name for an object of this content, and keep it among the known ones."""
    versions = [one for one in known if _VERSION.sub("", one) == name]
    for one in versions:
        if known[one] == content:
            return one
    number = 2
    free = name
    while free in known:
        free, number = f"{name}_v{number}", number + 1
    known[free] = content
    return free


def _description(policy: Policy) -> str:
    return f"{policy.ticket} until {policy.expires}" if policy.expires else policy.ticket


def differs_in_effect(left: FirewallRule, right: FirewallRule) -> bool:
    """Return whether two rules differ in more than name, description and logging."""
    return _bare(left) != _bare(right)


def _bare(rule: FirewallRule) -> FirewallRule:
    return replace(rule, name="", description="", log=False)
