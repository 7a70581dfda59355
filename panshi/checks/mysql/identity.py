"""8.1.4.1 a): passwords of database accounts: none empty, strong, aged for people only, not reused, modern hashes."""

from __future__ import annotations

from panshi.checks.instances import database_check
from panshi.controls.params import Params
from panshi.facts.mysql import Account, Instance, named
from panshi.verdict import Verdict, failed, judge, partial, passed

_VALIDATORS = ("validate_password", "simple_password_check", "cracklib_password_check")


def declared(account: Account, params: Params, parameter: str) -> bool:
    """Return whether a list parameter names an account, as ``user`` or ``user@host``."""
    names = params.value(parameter)
    return account.user in names or f"{account.user}@{account.host}" in names


def people(instance: Instance, params: Params) -> list[Account]:
    """Return the accounts with a password that are not declared as a program's: whoever is not declared is a person."""
    return [
        account
        for account in instance.people_and_programs()
        if account.passwords and not declared(account, params, "mysql_service_accounts")
    ]


@database_check("mysql-no-empty-password")
def no_empty_password(instance: Instance, params: Params) -> Verdict:
    """No account is let in without a credential; locked ones and those that cannot log in do not count."""
    open_ = [a for a in instance.people_and_programs() if any(state == "empty" for _, state in a.passwords)]
    if open_:
        return failed(f"无口令账户：{named(open_)}", "mysql.user 中口令类插件的 authentication_string 为空")
    return passed(f"{len(instance.people_and_programs())} 个可登录账户均有凭据")


@database_check("mysql-validate-password")
def validate_password(instance: Instance, params: Params) -> Verdict:
    """Something that judges new passwords is active, and cannot be got round by a hash."""
    active = sorted({*instance.plugins(), *instance.components()} & set(_VALIDATORS))
    if not active:
        return failed("没有启用口令校验", f"SHOW PLUGINS 中没有 ACTIVE 的 {'、'.join(_VALIDATORS)}")
    if instance.mariadb and not instance.on("strict_password_validation"):
        return partial("、".join(active), "strict_password_validation=OFF：可以直接写入散列值绕过校验")
    return passed("、".join(active))


@database_check("mysql-password-policy")
def password_policy(instance: Instance, params: Params) -> Verdict:
    """Length and kinds of characters of a new password."""
    if "simple_password_check" in instance.plugins():
        length = instance.number("simple_password_check_minimal_length")
        names = ("digits", "letters_same_case", "other_characters")
        each = [instance.number(f"simple_password_check_{name}") for name in names]
        missing = []
    else:
        length = instance.number("validate_password.length", "validate_password_length")
        names = ("mixed_case_count", "number_count", "special_char_count")
        each = [instance.number(f"validate_password.{name}", f"validate_password_{name}") for name in names]
        policy = instance.variable("validate_password.policy", "validate_password_policy")
        policy = {"1": "MEDIUM", "2": "STRONG"}.get(policy or "", policy)
        missing = [] if params.accepts("mysql_password_policy", policy) else [f"策略为 {policy}，不检查字符种类"]
        if (
            instance.variable("validate_password.check_user_name", "validate_password_check_user_name") or "ON"
        ) != "ON":
            missing.append("不拒绝与账户同名的口令（check_user_name）")
    if length is None:
        return failed("没有口令长度与字符种类规则", "validate_password、simple_password_check 均未启用")
    if not params.accepts("password_min_length", length):
        missing.append(f"最短 {length} 位")
    missing += [f"{n}={v}" for n, v in zip(names, each, strict=True) if not params.accepts("mysql_password_each", v)]
    observed = f"最短 {length} 位，{'，'.join(f'{n}={v}' for n, v in zip(names, each, strict=True))}"
    return judge(not missing, observed, "；".join(missing))


@database_check("mysql-password-lifetime")
def password_lifetime(instance: Instance, params: Params) -> Verdict:
    """People's passwords expire; those of declared programs may never, and no surprise waits for them."""
    default = instance.number("default_password_lifetime")
    if default is None:
        return failed("没有口令有效期功能", f"{instance.product} 没有 default_password_lifetime，须升级")
    wrong = [
        account
        for account in people(instance, params)
        if not params.accepts("password_max_days", default if account.lifetime is None else account.lifetime)
    ]
    observed = f"default_password_lifetime={default}"
    if wrong:
        return failed(
            f"{observed}；口令不按期更换：{named(wrong)}",
            "未登记为程序使用（mysql_service_accounts）的账户按人员账户判定",
        )
    if not params.accepts("password_max_days", default):
        return failed(observed, "今后新建的人员账户口令不会到期")
    doomed = [
        account
        for account in instance.people_and_programs()
        if account.passwords and declared(account, params, "mysql_service_accounts") and account.lifetime is None
    ]
    if doomed:
        return partial(
            f"{observed}；程序账户沿用全局有效期：{named(doomed)}",
            "到期之日应用或复制会中断，应设为 PASSWORD EXPIRE NEVER",
        )
    return passed(observed)


@database_check("mysql-password-history")
def password_history(instance: Instance, params: Params) -> Verdict:
    """Old passwords are refused."""
    if not instance.mariadb:
        count = instance.number("password_history")
        if count is None:
            return failed("没有口令历史功能", f"{instance.product} 没有 password_history，须升级到 8.0 以上")
        return judge(params.accepts("password_remember", count), f"password_history={count}", "SHOW VARIABLES")
    if "password_reuse_check" not in instance.plugins():
        return failed("没有启用口令重用检查", "插件 password_reuse_check 未启用（MariaDB 10.7 起提供）")
    days = instance.number("password_reuse_check_interval")
    # 0 is the product's word for all time
    ok = days == 0 or params.accepts("mysql_password_reuse_days", days)
    return judge(
        ok, f"password_reuse_check_interval={days}{'（永久）' if days == 0 else ' 天'}", "password_reuse_check"
    )


@database_check("mysql-old-auth-off")
def old_auth_off(instance: Instance, params: Params) -> Verdict:
    """No account has a hash of before 4.1, and MySQL's own successor of the SHA-1 hash is in use."""
    accounts = instance.people_and_programs()
    old = [a for a in accounts if not params.accepts("mysql_auth_plugins", [plugin for plugin, _ in a.passwords])]
    if old:
        return failed(f"旧式认证：{named(old)}", "插件在参数 mysql_auth_plugins 的禁用表内")
    if instance.variable("secure_auth") is not None and not instance.on("secure_auth"):
        return failed("secure_auth=OFF", "允许 4.1 以前的口令散列登录")
    if (instance.number("old_passwords") or 0) == 1:
        return failed("old_passwords=1", "新口令会存为 4.1 以前的散列")
    sha1 = [a for a in accounts if any(plugin == "mysql_native_password" for plugin, _ in a.passwords)]
    if sha1 and not instance.mariadb and instance.branch >= (8, 0):
        return partial(f"mysql_native_password：{named(sha1)}", "MySQL 8.0 起应改用 caching_sha2_password，9.0 已移除")
    plugins = sorted({plugin for a in accounts for plugin, _ in a.ways})
    return passed(f"认证插件：{'、'.join(plugins)}")
