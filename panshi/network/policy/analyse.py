"""What is wrong with a policy set although it is well formed, each with a packet that shows it (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from panshi.network.policy.model import Policy, PolicySet, products
from panshi.network.policy.relations import matches, overlapping, places
from panshi.network.policy.rules import DENY, PERMIT, Rule
from panshi.network.policy.space import ANY_ADDRESS, ANY_TIME, Packet, Product, meet, remainder, sample, volume

KINDS_ZH = {
    "shadowed": "被遮蔽",
    "redundant": "冗余",
    "conflicting": "冲突",
    "wide": "过宽",
    "expired": "已过期",
    "expiring": "将过期",
    "unlogged": "未记日志",
    "unused": "未使用的对象",
    "cleanup": "缺少兜底拒绝",
    "closed": "对外服务不通",
    "unpublished": "放行了没有登记的",
}
# A policy that ends within so many days is announced: a month is what an approval usually takes.
SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Args:
        kind: a key of ``KINDS_ZH``.
        name: of the policy or object.
        text: one Chinese line.
        packet: that shows it, or None where a packet cannot.
        other: the other policy of a pair, or empty.
    """

    kind: str
    name: str
    text: str
    packet: Packet | None = None
    other: str = ""


def findings(policies: PolicySet, today: date) -> list[Finding]:
    """Return the findings of a policy set, in the order of its policies.

    Args:
        policies: the set.
        today: for what expires.
    """
    active = [policy for policy in policies.policies if policy.holds(today)]
    rules = [policies.rule(policy) for policy in active]
    found = [*_pairs(rules), *(one for policy in policies.policies for one in _alone(policies, policy, today))]
    order = {policy.name: number for number, policy in enumerate(policies.policies)}
    found.sort(key=lambda one: order.get(one.name, len(order)))
    return [*found, *_cleanup(policies, active, rules), *_unused(policies)]


def _pairs(rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield the findings between policies: shadowed, redundant, conflicting."""
    bits = overlapping(rules)
    permits = sum(1 << number for number, rule in enumerate(rules) if rule.action == PERMIT)
    for number, rule in enumerate(rules):
        before, after = bits[number] & ((1 << number) - 1), bits[number] >> (number + 1) << (number + 1)
        opposite = ~permits if rule.action == PERMIT else permits
        earlier = matches(rules, before)
        if not _surely_left(rule, earlier) and not remainder(rule.match, earlier):
            yield _covered(rule, [rules[place] for place in places(before)])
            continue
        yield from _wider_later(rule, earlier, [rules[place] for place in places(after)])
        for place in places(before & opposite):
            yield from _conflict(rules[place], rule)


def _covered(rule: Rule, earlier: Sequence[Rule]) -> Finding:
    """Return the finding for a policy that never matches: shadowed if an earlier one decides otherwise."""
    rest = list(rule.match)
    for one in earlier:
        if one.action != rule.action and (hit := next(_common(rest, one), None)):
            text = f"策略 {rule.name} 永远不会命中：它的流量先被 {one.name} {_does(one)}"
            return Finding("shadowed", rule.name, text, sample(hit), one.name)
        rest = remainder(rest, one.match)
    names = "、".join(one.name for one in earlier[:3])
    text = f"策略 {rule.name} 永远不会命中：前面的 {names} 已同样处理它的流量"
    return Finding("redundant", rule.name, text, sample(rule.match[0]), earlier[0].name)


def _surely_left(rule: Rule, earlier: Sequence[Product]) -> bool:
    """Return whether earlier rules are too small to cover one: a cheap answer where a rule meets hundreds."""
    whole = max(map(volume, rule.match))
    taken = sum(volume(both) for one in rule.match for other in earlier if (both := meet(one, other)))
    return taken < whole


def _wider_later(rule: Rule, earlier: Sequence[Product], later: Sequence[Rule]) -> Iterator[Finding]:
    """Yield the finding if a wider, later rule does the same with all of this one, before any other touches it.

    Args:
        rule: the one that may be superfluous.
        earlier: what the rules before it match.
        later: the rules after it that share a packet with it.
    """
    for one in later:
        if one.action != rule.action:
            return
        if not remainder(rule.match, one.match) and remainder(one.match, rule.match):
            text = f"策略 {rule.name} 匹配的流量都会被后面的 {one.name} 同样处理，去掉它不改变结果"
            yield Finding("redundant", rule.name, text, sample(remainder(rule.match, earlier)[0]), one.name)
            return


def _conflict(first: Rule, second: Rule) -> Iterator[Finding]:
    """Yield the finding for two policies that decide differently and of which neither contains the other.

    One that lies within the other is an exception, and meant.
    """
    if not remainder(first.match, second.match) or not remainder(second.match, first.match):
        return
    if hit := next(_common(second.match, first), None):
        text = f"策略 {first.name}（{_does(first)}）与 {second.name}（{_does(second)}）部分重叠，结果取决于次序"
        yield Finding("conflicting", second.name, text, sample(hit), first.name)


def _common(products: Sequence[Product], rule: Rule) -> Iterator[Product]:
    for one in products:
        for other in rule.match:
            if both := meet(one, other):
                yield both


def _does(rule: Rule) -> str:
    return "放行" if rule.action == PERMIT else "拒绝"


def _alone(policies: PolicySet, policy: Policy, today: date) -> Iterator[Finding]:
    """Yield the findings of one policy by itself."""
    packet = sample(policies.rule(policy).match[0])
    sides = {"源地址": policy.source, "目的地址": policy.destination, "服务": policy.service}
    wide = [name for name, members in sides.items() if not members]
    if policy.action == PERMIT and policy.enabled and len(wide) > 1:
        yield Finding("wide", policy.name, f"策略 {policy.name} 放行{'、'.join(wide)}均为 any 的流量", packet)
    if policy.is_expired(today):
        becomes = "编译时已去掉" if policy.action == PERMIT else "仍在拒绝，删除前须审批"
        yield Finding("expired", policy.name, f"策略 {policy.name} 已于 {policy.expires} 到期，{becomes}", packet)
    elif policy.expires and policy.expires <= today + SOON:
        yield Finding("expiring", policy.name, f"策略 {policy.name} 将于 {policy.expires} 到期，请续期或删除", packet)
    if policy.enabled and not policy.log:
        yield Finding("unlogged", policy.name, f"策略 {policy.name} 不记日志", packet)


def _cleanup(policies: PolicySet, active: Sequence[Policy], rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield the finding when the last policy does not deny everything, logged: what was refused would not be seen."""
    last = rules[-1] if rules else None
    everything = _everything(policies)
    left = remainder(everything, last.match) if last and last.action == DENY else everything
    if not left and active[-1].log:
        return
    text = "最后一条策略不是拒绝全部并记日志：没有命中的流量由设备默认动作处理，看不到谁被拒绝"
    yield Finding("cleanup", last.name if last else "", text, sample((left or everything)[0]))


def _everything(policies: PolicySet) -> list[Product]:
    zones = ((0, len(policies.zones) - 1),)
    return list(products(zones, zones, ANY_TIME, ANY_ADDRESS, ANY_ADDRESS, ()))


def _unused(policies: PolicySet) -> Iterator[Finding]:
    """Yield the objects that no policy refers to."""
    used = {
        "地址": {name for one in policies.policies for name in (*one.source, *one.destination)},
        "服务": {name for one in policies.policies for name in one.service},
        "时间段": {one.schedule for one in policies.policies},
    }
    known = {"地址": policies.addresses, "服务": policies.services, "时间段": policies.schedules}
    for label, names in known.items():
        yield from (
            Finding("unused", name, f"{label} {name} 没有策略引用") for name in names if name not in used[label]
        )
