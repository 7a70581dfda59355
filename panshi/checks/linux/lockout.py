"""8.1.4.1 b), failed logins: after how many the account closes, for how long, and through which doors that holds."""

from __future__ import annotations

from collections.abc import Sequence

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import Facts, accounts, logindefs, pam, sshd
from panshi.facts import pam_lockout as lock
from panshi.facts.pam_lockout import Lockout
from panshi.verdict import Verdict, failed, judge, not_applicable, partial, passed


def _services(facts: Facts, params: Params, name: str) -> list[str]:
    """Return the services of a parameter through which this host takes passwords."""
    return [s for s in params.value(name) if pam.has_service(facts, s) and not (s == "sshd" and _keys_only(facts))]


def _keys_only(facts: Facts) -> bool:
    """Return whether no password can be tried over SSH, for any connection."""
    if not sshd.installed(facts):
        return True
    asking = ("passwordauthentication", "kbdinteractiveauthentication")
    inside = [s for keyword in asking for s in sshd.match_overrides(facts, keyword) if s.value.lower() == "yes"]
    return not inside and all(sshd.value(facts, keyword) == "no" for keyword in asking)


def _lockouts(facts: Facts, params: Params, root: bool = False, name: str = "lockout_services") -> list[Lockout]:
    found = []
    for service in _services(facts, params, name):
        if service == "sshd" and sshd.value(facts, "usepam") == "no":
            found.append(Lockout(service, f"sshd UsePAM no（{sshd.origin(facts, 'usepam')}），PAM 的锁定不起作用"))
        else:
            found.append(lock.lockout(facts, service, root))
    return found


def _broken(found: Sequence[Lockout]) -> Verdict | None:
    """Return the verdict when a service does not lock at all."""
    open_ = [one for one in found if one.problem]
    if not open_:
        return None
    names = "、".join(one.service for one in open_)
    reasons = dict.fromkeys(one.problem for one in open_)
    return failed(f"登录失败不锁定：{names}", "；".join(reasons))


def _sources(found: Sequence[Lockout]) -> str:
    return "；".join(dict.fromkeys(one.options.source for one in found if one.options))


def _seconds(value: int) -> str:
    return f"{value} 秒" if value else "不自动解锁"


@check("linux-lockout-deny")
def lockout_deny(facts: Facts, params: Params) -> Verdict:
    """After how many wrong passwords an account closes."""
    found = _lockouts(facts, params)
    broken = _broken(found)
    if broken:
        return broken
    ok = all(one.options and params.accepts("lockout_failures", one.options.deny) for one in found)
    text = "；".join(f"{one.service} {one.options.deny} 次" for one in found if one.options)
    return judge(ok, text, _sources(found))


@check("linux-lockout-unlock-time")
def lockout_unlock_time(facts: Facts, params: Params) -> Verdict:
    """How long a closed account stays closed."""
    found = [one for one in _lockouts(facts, params) if not one.problem]
    if not found:
        return _broken(_lockouts(facts, params)) or failed("没有可判定的登录服务", "lockout_services 中的服务都不存在")
    ok = all(one.options and params.accepts("lockout_seconds", one.options.unlock_time) for one in found)
    text = "；".join(f"{one.service} {_seconds(one.options.unlock_time)}" for one in found if one.options)
    return judge(ok, text, "；".join(dict.fromkeys(one.place for one in found)))


@check("linux-lockout-root")
def lockout_root(facts: Facts, params: Params) -> Verdict:
    """Root closes too, and opens again by itself."""
    if not any(a.uid == 0 and a.has_password for a in accounts.accounts(facts)):
        return not_applicable(
            "root 没有可用口令", "root 的口令被锁定或从未设置，没有口令可猜；启用 root 口令后须重新核查"
        )
    found = _lockouts(facts, params, root=True)
    spared = [one for one in found if one.options and not one.options.even_deny_root]
    if spared:
        names = "、".join(one.service for one in spared)
        return failed(f"root 不受锁定：{names}", f"{spared[0].place}与配置文件均未设置 even_deny_root")
    broken = _broken(found)
    if broken:
        return broken
    ok = all(one.options and params.accepts("lockout_root_seconds", one.options.root_unlock_time) for one in found)
    text = "；".join(f"{one.service} root {_seconds(one.options.root_unlock_time)}" for one in found if one.options)
    return judge(ok, text, _sources(found))


@check("linux-lockout-covers-services")
def lockout_covers_services(facts: Facts, params: Params) -> Verdict:
    """Every door that takes a password leads through the lock-out."""
    found = _lockouts(facts, params)
    broken = _broken(found)
    if broken:
        return broken
    local = [one for one in _lockouts(facts, params, name="lockout_local_services") if one.problem]
    if local:
        names = "、".join(one.service for one in local)
        return partial(f"登录服务均已锁定，{names} 未锁定", local[0].problem)
    keys = "（sshd 只收密钥）" if pam.has_service(facts, "sshd") and _keys_only(facts) else ""
    return passed(f"已锁定：{'、'.join(one.service for one in found)}{keys}", found[0].place if found else "")


@check("linux-account-faillock")
def account_faillock(facts: Facts, params: Params) -> Verdict:
    """A successful login clears the count, so that old mistakes do not add up."""
    found = _lockouts(facts, params)
    broken = _broken(found)
    if broken:
        return broken
    kept = [one.service for one in found if not one.resets]
    if kept:
        return failed(f"登录成功后不清零：{'、'.join(kept)}", "account 栈没有 pam_faillock，auth 栈也没有 authsucc 行")
    return passed("登录成功后失败计数清零", "account 栈的 pam_faillock、authsucc 行或 pam_tally2")


# pam_unix(8) and pam_faillock(8) both ask libpam for this delay unless told "nodelay".
_BUILT_IN_DELAY = 2_000_000


def _delay(facts: Facts, service: str) -> int:
    """Return the longest delay in microseconds that a wrong password meets; libpam varies it by half."""
    present = pam.modules(facts)
    rules = pam.stack(facts, service, "auth")

    def special(rule: pam.Rule) -> str:
        counting = rule.module == lock.FAILLOCK and "authfail" in rule.args
        return "ignore" if counting else "success" if rule.module == lock.FAILLOCK else ""

    delays = [0]
    for rule in pam.walk(rules, pam.answer_for(pam.Scene(right=False), present, special)).ran(
        "pam_unix.so", "pam_faildelay.so", lock.FAILLOCK
    ):
        if rule.module == "pam_faildelay.so":
            asked = rule.option("delay")
            default = (logindefs.number(facts, "FAIL_DELAY") or 0) * 1_000_000
            delays.append(int(asked) if asked and asked.isdigit() else default)
        elif rule.option("nodelay") is None and not (rule.module == lock.FAILLOCK and _nodelay(facts)):
            delays.append(_BUILT_IN_DELAY)
    return max(delays)


def _nodelay(facts: Facts) -> bool:
    return "nodelay" in lock.parse_conf(facts.text(lock.DEFAULT_CONF))


@check("linux-fail-delay")
def fail_delay(facts: Facts, params: Params) -> Verdict:
    """A wrong password costs time at every door."""
    services = _services(facts, params, "lockout_services")
    delays = {s: 0 if s == "sshd" and sshd.value(facts, "usepam") == "no" else _delay(facts, s) for s in services}
    ok = all(params.accepts("login_fail_delay_seconds", delay // 1_000_000) for delay in delays.values())
    text = "；".join(f"{service} {delay / 1_000_000:g} 秒" for service, delay in delays.items())
    return judge(ok, text or "没有接受口令的登录服务", "pam_unix、pam_faildelay、pam_faillock 中延时最长者")
