"""8.1.4.1 a), b), 8.1.4.2: rules for passwords, how they are kept, and who has an account."""

from __future__ import annotations

from panshi.checks.devices import device_check
from panshi.controls.params import Params
from panshi.facts.network import Device
from panshi.facts.network.model import Known, Stored
from panshi.verdict import Verdict, failed, judge, manual, partial, passed

_BAD = frozenset({Stored.REVERSIBLE, Stored.PLAIN, Stored.NONE})


def _rule(device: Device, params: Params, parameter: str, rule: Known[int], text: str) -> Verdict:
    """A rule of the device itself; where a server is asked first, its rules are not seen from here."""
    observed = text.format(rule.value) if rule.value else f"没有限制（{rule.where}）"
    if params.accepts(parameter, rule.value):
        return passed(observed, rule.where)
    if central := device.central():
        return partial(observed, f"登录先问 AAA 服务器（{central}），口令规则须在服务器上核对；本机后备账户不受限")
    return failed(observed, rule.where)


@device_check("net-pw-minlen")
def minlen(device: Device, params: Params) -> Verdict:
    """The least length of a new password."""
    return _rule(device, params, "password_min_length", device.password_length(), "最短 {} 位")


@device_check("net-pw-complexity")
def complexity(device: Device, params: Params) -> Verdict:
    """How many kinds of characters a new password has."""
    return _rule(device, params, "net_password_kinds", device.password_kinds(), "{} 类字符")


@device_check("net-pw-aging")
def aging(device: Device, params: Params) -> Verdict:
    """Passwords expire."""
    return _rule(device, params, "password_max_days", device.password_days(), "{} 天")


@device_check("net-pw-history")
def history(device: Device, params: Params) -> Verdict:
    """Old passwords are refused."""
    return _rule(device, params, "password_remember", device.password_history(), "最近 {} 个")


@device_check("net-pw-encrypted")
def encrypted(device: Device, params: Params) -> Verdict:
    """No password can be read back from the configuration."""
    kept = [(f"账户 {account.name}", account.stored) for account in device.accounts()]
    elevation = device.elevation()
    if elevation.value is not Stored.NONE:
        kept.append(("提权口令", elevation.value))
    kept += device.other_secrets()
    bad = [f"{where}：{stored}" for where, stored in kept if stored in _BAD]
    doubtful = [f"{where}：{stored}" for where, stored in kept if stored in (Stored.UNCLEAR, Stored.WEAK_HASH)]
    if bad:
        return failed("；".join(bad), "口令可以从配置中读回或根本没有")
    if doubtful:
        return partial("；".join(doubtful), "存储方式不是最强的一种，须确认或更换")
    return passed(f"{len(kept)} 个口令均以散列存储")


@device_check("net-lockout")
def lockout(device: Device, params: Params) -> Verdict:
    """Wrong passwords lock, for a while."""
    found = device.lockout()
    lock = found.value
    if not lock.failures:
        return failed("失败次数不限", found.where)
    observed = f"{lock.failures} 次后锁定 {f'{lock.seconds} 秒' if lock.seconds else '到管理员解锁为止'}"
    if not params.accepts("lockout_failures", lock.failures):
        return failed(observed, found.where)
    if not lock.seconds:
        return partial(observed, f"{found.where}：不会自动解锁，可被用来锁死管理员")
    return judge(params.accepts("lockout_seconds", lock.seconds), observed, found.where)


@device_check("net-default-users")
def default_users(device: Device, params: Params) -> Verdict:
    """No account has a name that a factory gave it."""
    names = {name.lower() for name in params.value("net_default_accounts")}
    found = [account.name for account in device.accounts()]
    known = [name for name in found if name.lower() in names]
    observed = f"本地账户：{'、'.join(found) or '没有'}"
    return judge(not known, observed, f"默认账户名：{'、'.join(known)}" if known else "")


@device_check("net-privilege-levels")
def privilege_levels(device: Device, params: Params) -> Verdict:
    """Administrators, operators and auditors are told apart."""
    accounts = device.accounts()
    observed = "、".join(f"{account.name}（{account.role or '无级别'}）" for account in accounts) or "没有本地账户"
    ranks = {account.rank for account in accounts}
    if len(ranks - {"none"}) > 1:
        return passed(observed)
    if central := device.central():
        return partial(observed, f"级别由 AAA 服务器下发（{central}），须在服务器上核对")
    if not accounts:
        return manual(observed, "没有本地账户，也没有 AAA 服务器：须人工核查怎样登录")
    return failed(observed, "所有本地账户同一级别，没有管理、操作、审计之分")


@device_check("net-super-password")
def super_password(device: Device, params: Params) -> Verdict:
    """Whoever wants higher privileges gives another password, and it is kept as a hash."""
    found = device.elevation()
    if found.value is Stored.NONE:
        return failed("没有提权口令", found.where)
    if found.value in _BAD:
        return failed(f"提权口令以{found.value}存储", "可以从配置中读回")
    if found.value is Stored.HASH:
        return passed("提权口令以散列存储")
    return partial(f"提权口令：{found.value}", "存储方式不是最强的一种，须确认或更换")
