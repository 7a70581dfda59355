"""8.1.4.1 b): failed logins, idle sessions, hosts that are shut out."""

from __future__ import annotations

from panshi.checks.instances import database_check
from panshi.controls.params import Params
from panshi.facts.mysql import Instance, named
from panshi.verdict import Verdict, failed, judge, partial, passed


@database_check("mysql-login-failure")
def login_failure(instance: Instance, params: Params) -> Verdict:
    """A number of failed logins delays the next ones or locks the account."""
    if instance.mariadb:
        errors = instance.number("max_password_errors")
        if errors is None:
            return failed("没有登录失败处理", f"{instance.product} 没有 max_password_errors，须升级")
        return judge(
            params.accepts("lockout_failures", errors),
            f"max_password_errors={errors}",
            "连续口令错误达到后拒绝登录，直至 FLUSH PRIVILEGES",
        )
    threshold = instance.number(
        "connection_control.failed_connections_threshold", "connection_control_failed_connections_threshold"
    )
    if threshold is not None:
        delay = instance.number("connection_control.min_connection_delay", "connection_control_min_connection_delay")
        ok = params.accepts("lockout_failures", threshold) and params.accepts("mysql_login_delay_ms", delay)
        if ok:
            return passed(f"connection_control：{threshold} 次失败后每次至少延迟 {delay} 毫秒")
    accounts = [a for a in instance.people_and_programs() if a.passwords]
    bare = [a for a in accounts if not params.accepts("lockout_failures", a.attempts) or not a.lock_days]
    if bare:
        seen = "connection_control 未达到要求" if threshold is not None else "没有 connection_control"
        return failed(
            f"{seen}；没有失败锁定的账户：{named(bare)}", "FAILED_LOGIN_ATTEMPTS 与 PASSWORD_LOCK_TIME 须同时设置"
        )
    if not accounts:
        return partial("没有口令账户", "没有 connection_control：今后新建的口令账户不受约束")
    return passed(f"{len(accounts)} 个口令账户均有失败锁定")


@database_check("mysql-idle-timeout")
def idle_timeout(instance: Instance, params: Params) -> Verdict:
    """Idle sessions of people and of programs end."""
    values = {name: instance.number(name) for name in ("interactive_timeout", "wait_timeout")}
    long = [name for name, value in values.items() if not params.accepts("mysql_idle_seconds", value)]
    observed = "，".join(f"{name}={value}" for name, value in values.items())
    if len(long) == 1:
        return partial(observed, f"{long[0]} 不在要求范围内")
    return judge(not long, observed, "空闲会话长时间不断开" if long else "")


@database_check("mysql-max-connect-errors")
def max_connect_errors(instance: Instance, params: Params) -> Verdict:
    """A host whose connections keep breaking off is shut out."""
    value = instance.number("max_connect_errors")
    return judge(params.accepts("mysql_max_connect_errors", value), f"max_connect_errors={value}", "SHOW VARIABLES")
