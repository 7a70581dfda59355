"""8.1.4.2 a) to d): accounts that should not be there, come from everywhere, or may too much."""

from __future__ import annotations

from panshi.checks.instances import database_check
from panshi.checks.mysql.identity import declared
from panshi.controls.params import Params
from panshi.facts.mysql import Account, Instance, named
from panshi.verdict import Verdict, failed, judge, partial, passed

# What managing accounts takes; that it is nothing more is mysql-three-roles' question.
_SECURITY = frozenset({"CREATE USER", "CREATE ROLE", "DROP ROLE", "GRANT OPTION", "RELOAD"})
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER"})


@database_check("mysql-host-wildcard")
def host_wildcard(instance: Instance, params: Params) -> Verdict:
    """Every account is bound to where it is used from."""
    wide = [a for a in instance.people_and_programs() if a.any_host]
    if wide:
        return failed(f"可从任意主机登录：{named(wide)}", "主机部分为 % 或空")
    return passed(f"{len(instance.people_and_programs())} 个可登录账户均限定来源主机")


@database_check("mysql-root-renamed")
def root_renamed(instance: Instance, params: Params) -> Verdict:
    """root has another name, or has a credential and does not come over the network."""
    roots = [a for a in instance.people_and_programs() if a.user == "root"]
    if not roots:
        return passed("没有可登录的 root")
    remote = [a for a in roots if not a.local]
    if remote:
        return failed(f"root 可远程登录：{named(remote)}", "默认账户应改名，或只允许本机登录")
    if any(state == "empty" for a in roots for _, state in a.passwords):
        return failed(f"{named(roots)} 没有口令", "默认口令未修改")
    return passed(f"只有 {named(roots)}，且有凭据")


@database_check("mysql-anonymous-user")
def anonymous_user(instance: Instance, params: Params) -> Verdict:
    """Nobody logs in without a name."""
    nameless = [a for a in instance.accounts() if not a.user and not a.role]
    return judge(not nameless, f"匿名账户 {len(nameless)} 个", named(nameless))


@database_check("mysql-test-db")
def test_db(instance: Instance, params: Params) -> Verdict:
    """The test database and the rights that everybody has on it are gone."""
    there = [name for name in instance.databases() if params.accepts("mysql_test_databases", [name]) is False]
    open_ = [g for g in instance.grants() if g.level == "schema" and g.object.replace("\\", "") in ("test", "test_%")]
    problems = [f"库 {'、'.join(there)}"] * bool(there) + [f"授权 {g.grantee} 于 {g.object}" for g in open_]
    return judge(
        not problems, "；".join(problems) or "没有 test 库及其授权", "安装时附带，任何账户可用" if problems else ""
    )


@database_check("mysql-least-privilege")
def least_privilege(instance: Instance, params: Params) -> Verdict:
    """Only declared administrators hold what lets one take over the server."""
    wrong = []
    for account in instance.people_and_programs():
        if declared(account, params, "mysql_admin_accounts"):
            continue
        high = _high(instance, params, account)
        if declared(account, params, "mysql_security_accounts"):
            high -= _SECURITY
        if high:
            wrong.append(f"{account.name}（{'、'.join(sorted(high)[:4])}）")
    if wrong:
        return failed(
            f"{len(wrong)} 个账户有管理权限：{'；'.join(wrong[:5])}", "未登记为管理账户（mysql_admin_accounts）"
        )
    return passed("未登记为管理账户的账户均没有全局管理权限")


def _high(instance: Instance, params: Params, account: Account) -> set[str]:
    found = set()
    for grant in instance.held(account):
        if grant.level == "global":
            found |= {p for p in grant.privileges if not params.accepts("mysql_app_global_privileges", [p])}
        elif grant.level == "schema" and grant.object == "mysql" and grant.privileges & _WRITES:
            found.add("可写系统库 mysql")
    return found


@database_check("mysql-three-roles")
def three_roles(instance: Instance, params: Params) -> Verdict:
    """Administration, account management and audit are three accounts, and the latter two can do no more than that."""
    usable = instance.people_and_programs()
    security = [a for a in usable if declared(a, params, "mysql_security_accounts")]
    audit = [a for a in usable if declared(a, params, "mysql_audit_accounts")]
    missing = [word for word, found in (("账户管理", security), ("审计", audit)) if not found]
    if missing:
        return failed(
            f"没有登记的{'、'.join(missing)}账户", "以 mysql_security_accounts、mysql_audit_accounts 登记，并须能登录"
        )
    wrong = [f"{a.name} 同时是管理账户" for a in (*security, *audit) if declared(a, params, "mysql_admin_accounts")]
    for account in security:
        held = _global(instance, account)
        if "CREATE USER" not in held:
            wrong.append(f"{account.name} 不能管理账户（没有 CREATE USER）")
        if held & {"SUPER", "FILE", "SELECT", *_WRITES}:
            wrong.append(f"{account.name} 可读写业务数据或改服务器设置")
    for account in audit:
        for grant in instance.held(account):
            if not grant.privileges <= {"USAGE", "SELECT", "SHOW VIEW", "PROCESS"}:
                wrong.append(f"{account.name} 不是只读：{'、'.join(sorted(grant.privileges)[:4])}")
                break
    observed = f"账户管理 {named(security)}；审计 {named(audit)}"
    return partial(observed, "；".join(wrong)) if wrong else passed(observed)


def _global(instance: Instance, account: Account) -> set[str]:
    return {p for grant in instance.held(account) if grant.level == "global" for p in grant.privileges}
