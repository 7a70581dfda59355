"""Lock-out after failed logins: is pam_faillock or pam_tally2 really reached, does it bind, and with which values.

Sources: pam_faillock(8), faillock.conf(5), pam_tally2(8) and the modules' source. Built-in values of pam_faillock:
deny=3, fail_interval=900 s, unlock_time=600 s; of pam_tally2: deny=0 (never), unlock_time=0 (until an operator resets).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from panshi.facts import packages, pam
from panshi.facts.model import Facts

FAILLOCK = "pam_faillock.so"
TALLY = ("pam_tally2.so", "pam_tally.so")
DEFAULT_CONF = "/etc/security/faillock.conf"
_SETTING = re.compile(r"^\s*([a-z_]+)\s*=?\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Options:
    """Values in force for one line of a stack.

    Args:
        deny: failures after which the account is locked; 0 = never.
        unlock_time: seconds until an ordinary account opens again; 0 = never by itself.
        root_unlock_time: the same for root.
        even_deny_root: whether root is locked at all.
        source: where ``deny`` comes from, Chinese.
    """

    deny: int
    unlock_time: int
    root_unlock_time: int
    even_deny_root: bool
    source: str


@dataclass(frozen=True, slots=True)
class Lockout:
    """How one service treats wrong passwords of one kind of account.

    Args:
        service: the PAM service.
        problem: why there is no working lock-out, Chinese; empty when it works.
        options: the values in force; None without a lock-out module.
        resets: whether a successful login clears the count.
        place: the line that enforces.
    """

    service: str
    problem: str
    options: Options | None = None
    resets: bool = False
    place: str = ""


def parse_conf(text: str) -> dict[str, str]:
    """Return the settings of faillock.conf(5); the last line of a name wins, ``=`` is optional."""
    lines = (line.split("#", 1)[0] for line in text.splitlines())
    return {m[1]: m[2] for m in map(_SETTING.match, lines) if m}


def _number(text: str | None, default: int) -> int:
    """Read a number as the modules do: leading digits, ``never`` = 0, anything else keeps the value."""
    if text == "never":
        return 0
    found = re.match(r"\d+", text or "")
    return int(found[0]) if found else default


def _reads_conf(facts: Facts) -> bool:
    """Return whether this Linux-PAM reads faillock.conf (since 1.4.0; the RPM family has it back-ported to 1.3.1)."""
    if facts.family != "rpm":
        return True
    installed = packages.installed(facts).get("pam")
    return installed is None or packages.compare_rpm(installed.version, "1.3.1") >= 0


def faillock_options(facts: Facts, rule: pam.Rule) -> Options:
    """Return the values of a pam_faillock line: argument over configuration file over built-in."""
    path = rule.option("conf") or DEFAULT_CONF
    conf = parse_conf(facts.text(path)) if _reads_conf(facts) else {}
    arguments = dict(argument.partition("=")[::2] for argument in rule.args)
    values: Mapping[str, str] = {**conf, **arguments}
    configured = path if "deny" in conf else "pam_faillock 内置默认值"
    unlock = _number(values.get("unlock_time"), 600)
    # The manual says root_unlock_time implies even_deny_root; the module does not do so, therefore it is not assumed.
    return Options(
        deny=_number(values.get("deny"), 3),
        unlock_time=unlock,
        root_unlock_time=_number(values.get("root_unlock_time"), unlock),
        even_deny_root="even_deny_root" in values,
        source=f"{rule.place}的参数" if "deny" in arguments else configured,
    )


def tally_options(rule: pam.Rule) -> Options:
    """Return the values of a pam_tally2 line; it has no configuration file."""
    unlock = _number(rule.option("unlock_time"), 0)
    root_unlock = rule.option("root_unlock_time")
    named = ("even_deny_root", "even_deny_root_account")
    return Options(
        deny=_number(rule.option("deny"), 0),
        unlock_time=unlock,
        root_unlock_time=_number(root_unlock, unlock),
        even_deny_root=root_unlock is not None or any(rule.option(name) is not None for name in named),
        source=f"{rule.place}的参数" if rule.option("deny") is not None else "pam_tally2 内置默认值",
    )


def options(facts: Facts, rule: pam.Rule) -> Options:
    """Return the values in force for a lock-out line."""
    return faillock_options(facts, rule) if rule.module == FAILLOCK else tally_options(rule)


def lockout(facts: Facts, service: str, root: bool = False) -> Lockout:
    """Walk a service's stacks with a wrong, a right, and a right-but-locked password.

    Args:
        facts: the host.
        service: PAM service name.
        root: judge root instead of an ordinary account.
    """
    rules = pam.stack(facts, service, "auth")
    present = pam.modules(facts)
    known = {rule: options(facts, rule) for rule in rules if _locks(rule) and rule.module in present}

    def attempt(right: bool, locked: bool) -> pam.Walk:
        def special(rule: pam.Rule) -> str:
            if not _locks(rule):
                return ""
            if locked and known[rule].deny and (known[rule].even_deny_root or not root):
                return "auth_err"
            return "ignore" if "authfail" in rule.args else "success"

        return pam.walk(rules, pam.answer_for(pam.Scene(right, root), present, special))

    wrong, right, locked = attempt(False, False), attempt(True, False), attempt(True, True)
    counting = [rule for rule, _ in wrong.steps if rule in known and (rule.module in TALLY or "authfail" in rule.args)]
    binding = [
        rule for rule, code in locked.steps if rule in known and code == "auth_err" and "authfail" not in rule.args
    ]
    problem = _problem(rules, present, wrong, right, locked, bool(counting), bool(binding))
    chosen = min(binding or counting or list(known), key=lambda rule: known[rule].deny or 1 << 16, default=None)
    if chosen is None:
        return Lockout(service, problem)
    reset = chosen.module in TALLY or any("authsucc" in r.args for r in right.ran(FAILLOCK))
    return Lockout(service, problem, known[chosen], reset or _account_reached(facts, service, present), chosen.place)


def _locks(rule: pam.Rule) -> bool:
    return rule.module == FAILLOCK or rule.module in TALLY


def _account_reached(facts: Facts, service: str, present: frozenset[str]) -> bool:
    """Return whether a successful login reaches pam_faillock in the account phase, which clears the count."""
    answer = pam.answer_for(pam.Scene(right=True), present, lambda _: "")
    return bool(pam.walk(pam.stack(facts, service, "account"), answer).ran(FAILLOCK))


def _problem(
    rules: tuple[pam.Rule, ...],
    present: frozenset[str],
    wrong: pam.Walk,
    right: pam.Walk,
    locked: pam.Walk,
    counting: bool,
    binding: bool,
) -> str:
    wanted = [rule for rule in rules if _locks(rule)]
    absent = [rule for rule in wanted if rule.module not in present]
    if absent:
        return f"{absent[0].place}引用的 {absent[0].module} 在主机上不存在"
    if not wanted:
        return "认证栈中没有 pam_faillock 或 pam_tally2"
    if wrong.granted:
        return "口令错误也能通过认证栈"
    if not right.granted:
        return "口令正确也不能通过认证栈，配置有误"
    if not counting:
        return f"口令错误时到达不了计数行（{wanted[0].place}），失败不被记录"
    if not binding or locked.granted:
        return f"失败被记录，但达到次数后口令正确仍能登录（{wanted[0].place}）"
    return ""
