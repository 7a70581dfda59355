"""8.1.4.1 a), passwords: strength, age, history and hash as they are really applied, not as a file might suggest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import Facts, accounts, logindefs, packages, pam_password
from panshi.facts.accounts import Account
from panshi.facts.pam_password import Quality
from panshi.verdict import Verdict, failed, judge, not_applicable, partial, passed

_NO_MODULE = "passwd 的 password 栈中没有 pam_pwquality、pam_cracklib 或 pam_passwdqc"
# crypt(5) ids as the collector prints them, by the name that pam_unix(8) and login.defs(5) use.
_ALGORITHMS = {
    "des": "des",
    "1": "md5",
    "2a": "blowfish",
    "2b": "blowfish",
    "2y": "blowfish",
    "5": "sha256",
    "6": "sha512",
    "7": "scrypt",
    "y": "yescrypt",
    "gy": "gost_yescrypt",
    "sm3": "sm3",
}


def _unenforced(facts: Facts) -> Verdict:
    """Say why no quality module works."""
    modules = (pam_password.PWQUALITY, pam_password.CRACKLIB, pam_password.PASSWDQC)
    idle = pam_password.present_but_idle(facts, *modules)
    if idle:
        return failed("口令质量模块没有作用", f"{idle[0].place}的 {idle[0].module} 拒绝时，口令修改仍会成功")
    switched_off = pam_password.binding(facts, *modules)
    if switched_off:
        return failed("口令质量模块只提示不拒绝", f"{switched_off[0].place}：enforcing=0 或 enforce=none")
    return failed("未启用口令质量检查", f"{_NO_MODULE}，口令强度不受限制")


def _strictest(qualities: list[Quality], value: Callable[[Quality], int]) -> Quality:
    """Return the module that decides: every effective module must agree to a new password."""
    return max(qualities, key=value)


@check("linux-pw-minlen")
def pw_minlen(facts: Facts, params: Params) -> Verdict:
    """The shortest password that an ordinary account can really set."""
    qualities = pam_password.qualities(facts)
    own = pam_password.unix_min_length(facts)
    if not qualities and own is None:
        return _unenforced(facts)
    candidates = [(q.min_length, f"{q.detail}；{_origin(q, 'minlen')}") for q in qualities]
    length, reason = max([*candidates, *([own] if own else [])])
    return judge(params.accepts("password_min_length", length), f"最短 {length} 位", reason)


def _origin(quality: Quality, *names: str) -> str:
    return next((quality.sources[name] for name in names if name in quality.sources), quality.place)


@check("linux-pw-complexity")
def pw_complexity(facts: Facts, params: Params) -> Verdict:
    """How many character classes a new password must have."""
    qualities = pam_password.qualities(facts)
    if not qualities:
        return _unenforced(facts)
    best = _strictest(qualities, lambda q: q.classes)
    observed = f"至少 {best.classes} 类字符" if best.classes else "不要求字符种类"
    reason = f"{best.detail}；{_origin(best, 'minclass', *pam_password.CREDITS)}"
    return judge(params.accepts("password_min_classes", best.classes), observed, reason)


@check("linux-pw-enforce-root")
def pw_enforce_root(facts: Facts, params: Params) -> Verdict:
    """Whether root's new passwords are refused too, not only warned about."""
    qualities = pam_password.qualities(facts)
    if not qualities:
        return _unenforced(facts)
    for quality in qualities:
        if quality.for_root:
            return passed("root 同样受口令规则约束", _origin(quality, "enforce_for_root"))
    return failed("root 设置弱口令时只提示不拒绝", f"{qualities[0].place}与其配置文件均未设置 enforce_for_root")


@check("linux-pw-usercheck")
def pw_usercheck(facts: Facts, params: Params) -> Verdict:
    """User name and dictionary words refused, and the new password different enough from the old one."""
    qualities = pam_password.qualities(facts)
    if not qualities:
        return _unenforced(facts)
    missing = [
        name
        for name, there in (
            ("不拒绝含用户名的口令（usercheck）", any(q.user_check for q in qualities)),
            ("不做字典检查（dictcheck）", any(q.dict_check for q in qualities)),
        )
        if not there
    ]
    if missing:
        return failed("；".join(missing), qualities[0].place)
    dictionary = "cracklib-runtime" if facts.family == "debian" else "cracklib-dicts"
    if qualities[0].needs_dictionary and dictionary not in packages.installed(facts):
        return partial("已启用字典检查，但没有字典", f"软件包 {dictionary} 未安装，读不到字典时改口令会失败")
    best = _strictest(qualities, lambda q: q.difok)
    observed = f"拒绝用户名和字典词，新旧口令至少 {best.difok} 个字符不同"
    if not params.accepts("password_min_changed", best.difok):
        return partial(observed, f"difok={best.difok} 偏小；{_origin(best, 'difok')}")
    return passed(observed, _origin(best, "difok"))


def _ageing(
    facts: Facts, params: Params, name: str, parameter: str, label: str, field: Callable[[Account], int | None]
) -> Verdict:
    """Judge a default of login.defs, and partly conforming accounts that were made before it."""
    value = logindefs.number(facts, name)
    place = logindefs.place(facts, name)
    if not params.accepts(parameter, value):
        return failed(f"{label} {'未设置' if value is None else f'{value} 天'}", place)
    behind = [a for a in _with_password(facts) if not params.accepts(parameter, field(a))]
    if behind:
        return partial(f"{label} {value} 天，已有账户不一致：{_days(behind, field)}", f"{place} 只影响之后新建的账户")
    return passed(f"{label} {value} 天", place)


def _with_password(facts: Facts) -> list[Account]:
    """Return the accounts that somebody can work with after typing a password."""
    return [a for a in accounts.accounts(facts) if a.interactive and a.state == "set"]


def _days(found: Iterable[Account], field: Callable[[Account], int | None]) -> str:
    return "、".join(f"{a.name}（{'未设置' if field(a) is None else field(a)}）" for a in found)


@check("linux-pw-max-days")
def pw_max_days(facts: Facts, params: Params) -> Verdict:
    """The age limit that new accounts get."""
    value = logindefs.number(facts, "PASS_MAX_DAYS")
    observed = f"新建账户的口令最长使用期 {'未设置' if value is None else f'{value} 天'}"
    return judge(params.accepts("password_max_days", value), observed, logindefs.place(facts, "PASS_MAX_DAYS"))


@check("linux-pw-max-days-existing")
def pw_max_days_existing(facts: Facts, params: Params) -> Verdict:
    """The age limit of the accounts that people work with today."""
    owners = _with_password(facts)
    if not owners:
        return not_applicable(
            "没有可用口令登录的账户", "可登录的账户都没有设置口令（仅密钥或已锁定），口令有效期无从谈起"
        )
    late = [a for a in owners if not params.accepts("password_max_days", a.max_days)]
    people = [a for a in late if a.kind != "system"]
    if people:
        return failed(f"口令最长使用期不符：{_days(people, lambda a: a.max_days)}", "/etc/shadow 第 5 字段")
    if late:
        services = _days(late, lambda a: a.max_days)
        return partial(f"仅服务账户不符：{services}", "服务账户到期会中断业务：登记豁免并改为定期人工更换")
    return passed(f"{len(owners)} 个可用口令登录的账户都有期限", "/etc/shadow 第 5 字段")


@check("linux-pw-min-days")
def pw_min_days(facts: Facts, params: Params) -> Verdict:
    """The time that a new password must be kept, so that the history cannot be run through in a minute."""
    return _ageing(facts, params, "PASS_MIN_DAYS", "password_min_days", "口令最短使用期", lambda a: a.min_days)


@check("linux-pw-warn-age")
def pw_warn_age(facts: Facts, params: Params) -> Verdict:
    """The warning before a password expires."""
    return _ageing(facts, params, "PASS_WARN_AGE", "password_warn_days", "口令到期提前告警", lambda a: a.warn_days)


@check("linux-pw-min-len-login-defs")
def pw_min_len_login_defs(facts: Facts, params: Params) -> Verdict:
    """The old setting that assessors still ask for; PAM ignores it."""
    value = logindefs.number(facts, "PASS_MIN_LEN")
    observed = f"PASS_MIN_LEN {'未设置' if value is None else value}"
    reason = f"{logindefs.place(facts, 'PASS_MIN_LEN')}（仅供取证，实际长度由 PAM 决定）"
    return judge(params.accepts("password_min_length", value), observed, reason)


@check("linux-pw-history")
def pw_history(facts: Facts, params: Params) -> Verdict:
    """How many old passwords are refused."""
    history = pam_password.history(facts)
    if history is None:
        idle = pam_password.present_but_idle(facts, pam_password.PWHISTORY)
        reason = (
            f"{idle[0].place} 拒绝时修改仍会成功"
            if idle
            else "password 栈中没有 pam_pwhistory，pam_unix 也没有 remember="
        )
        return failed("不限制重复使用旧口令", reason)
    observed = f"拒绝最近 {history.remember} 个旧口令"
    return judge(params.accepts("password_remember", history.remember), observed, history.source)


@check("linux-pw-hash-algo")
def pw_hash_algo(facts: Facts, params: Params) -> Verdict:
    """The hash of new passwords, and of those that are stored already."""
    method, source = pam_password.hash_method(facts)
    if not params.accepts("password_hash_algorithms", [method]):
        return failed(f"新口令用 {method}", source)
    hashed = [a for a in accounts.accounts(facts) if a.algorithm]
    weak = [a for a in hashed if not params.accepts("password_hash_algorithms", [_algorithm(a)])]
    names = "、".join(f"{a.name}（{_algorithm(a)}）" for a in weak)
    if any(a.state == "set" for a in weak):
        return failed(f"新口令用 {method}，但仍有弱散列：{names}", "/etc/shadow：改一次口令才会换成新算法")
    if weak:
        return partial(f"新口令用 {method}，已锁定账户留有弱散列：{names}", "/etc/shadow：账户已锁定，解锁前须改口令")
    return passed(f"新口令用 {method}，已有 {len(hashed)} 个口令散列均合规", source)


def _algorithm(account: Account) -> str:
    return _ALGORITHMS.get(account.algorithm, account.algorithm)
