"""8.1.4.3: what the server writes down, with which time, how it is kept, and who could switch it off."""

from __future__ import annotations

from panshi.checks.instances import database_check
from panshi.checks.mysql.identity import declared
from panshi.controls.params import Params
from panshi.facts import logrotate, rsyslog
from panshi.facts.filesystem import within
from panshi.facts.logs import collected_at
from panshi.facts.mysql import File, Instance
from panshi.verdict import Verdict, failed, judge, not_applicable, partial, passed

_DAY = 86400
# server_audit writes all of these where its list of events is empty; QUERY stands for every kind of statement.
_KINDS = {"QUERY": {"QUERY_DDL", "QUERY_DCL", "QUERY_DML"}}


@database_check("mysql-audit-log")
def audit_log(instance: Instance, params: Params) -> Verdict:
    """Logins, changes of structure and of rights are written down for every account."""
    plugins = instance.plugins()
    if "server_audit" in plugins:
        return _server_audit(instance, params)
    if "audit_log" in plugins or {"audit_log_filter", "percona_audit_log"} & instance.components():
        return partial("审计插件 audit_log 已启用", "过滤规则须人工核对是否覆盖全部账户与 DDL、DCL")
    if instance.on("general_log") and (instance.variable("log_output") or "").upper() != "NONE":
        return partial("general_log=ON", "记录全部语句但没有结果，量大且含敏感值，只宜短期使用")
    return failed(
        "没有启用审计", "没有 ACTIVE 的 server_audit、audit_log 插件，general_log=OFF；由审计设备覆盖时以豁免登记"
    )


def _server_audit(instance: Instance, params: Params) -> Verdict:
    if not instance.on("server_audit_logging"):
        return failed("server_audit 已加载但没有启用", "server_audit_logging=OFF")
    told = [one.strip().upper() for one in (instance.variable("server_audit_events") or "").split(",") if one.strip()]
    events = set(told).union(*(_KINDS.get(one, set()) for one in told))
    skipped = [n for n in ("server_audit_incl_users", "server_audit_excl_users") if instance.variable(n)]
    observed = f"server_audit：{'、'.join(told) or '全部事件'}"
    if told and not params.accepts("mysql_audit_events", sorted(events)):
        return failed(observed, "没有覆盖登录、结构变更与授权变更")
    if skipped:
        return failed(observed, f"{'、'.join(skipped)} 使部分账户不受审计")
    return passed(observed)


@database_check("mysql-error-log")
def error_log(instance: Instance, params: Params) -> Verdict:
    """Errors and warnings, refused logins among them, go to a file or to the journal."""
    level = instance.number("log_error_verbosity", "log_warnings")
    where = instance.variable("log_error") or ""
    observed = f"log_error={where or '标准错误'}，级别 {level}"
    if not params.accepts("mysql_log_verbosity", level):
        return failed(observed, "级别过低，不记录警告与被拒绝的登录")
    if where in ("", "stderr"):
        return partial(observed, "写到标准错误，由 journald 收取，是否留存由主机的日志检查项判定")
    return passed(observed)


@database_check("mysql-binlog")
def binlog(instance: Instance, params: Params) -> Verdict:
    """Every change is kept for point-in-time recovery."""
    return judge(instance.on("log_bin"), f"log_bin={instance.variable('log_bin')}", "SHOW VARIABLES LIKE 'log_bin'")


@database_check("mysql-log-timestamps")
def log_timestamps(instance: Instance, params: Params) -> Verdict:
    """Times in the logs can be compared with those of the host's other logs."""
    value = instance.variable("log_timestamps")
    if value is None:
        return not_applicable(f"{instance.product} 没有 log_timestamps", "日志一律使用系统时间")
    ok = params.accepts("mysql_log_timestamps", value.upper())
    return judge(ok, f"log_timestamps={value}", "" if ok else "与主机其余日志的时区不一致")


def _logs(instance: Instance) -> list[File]:
    names = ("general_log_file", "slow_query_log_file", "log_error", "server_audit_file_path", "audit_log_file")
    starts = tuple(path for path in (instance.path(name) for name in (*names, "log_bin_basename")) if path)
    return [f for f in instance.files() if starts and f.path.startswith(starts)]


@database_check("mysql-log-perms")
def log_perms(instance: Instance, params: Params) -> Verdict:
    """Logs and binary logs hold data: closed to ordinary users."""
    found = _logs(instance)
    if not found:
        return not_applicable("没有日志文件", "错误日志、审计日志、二进制日志均未写入文件")
    wide = [f for f in found if not within(f.mode, int(params.value("log_file_mode"), 8))]
    return judge(
        not wide,
        "、".join(f.text for f in wide[:5]) or f"{len(found)} 个日志文件均不宽于要求",
        f"{len(wide)} 个日志文件的权限过宽" if wide else "",
    )


@database_check("mysql-audit-retention")
def audit_retention(instance: Instance, params: Params) -> Verdict:
    """Audit records stay as long as the law wants: here by logrotate, or sent away through syslog."""
    if "server_audit" not in instance.plugins():
        return failed("没有审计日志", "server_audit 未启用，没有可留存的记录")
    if (instance.variable("server_audit_output_type") or "").lower() == "syslog":
        return _in_syslog(instance, params)
    path = instance.path("server_audit_file_path")
    rotation = logrotate.rotation_of(instance.facts, path)
    if rotation is not None and rotation.days is not None:
        observed = f"{path} 由 logrotate 保留 {rotation.days} 天"
        if params.accepts("log_keep_days", rotation.days) and rotation.maxsize:
            return partial(observed, f"有 maxsize {rotation.maxsize}，日志量大时会提前轮转（{rotation.source}）")
        return judge(params.accepts("log_keep_days", rotation.days), observed, f"{rotation.text}，{rotation.source}")
    count, size = instance.number("server_audit_file_rotations"), instance.number("server_audit_file_rotate_size")
    observed = (
        f"{path} 只按大小轮转（{count} 个 × {size} 字节）"
        if rotation is None
        else f"{path} 只按大小轮转（{rotation.text}）"
    )
    ages = [(collected_at(instance.facts) - f.mtime) / _DAY for f in _logs(instance) if f.path.startswith(path)]
    if ages and params.accepts("log_keep_days", int(max(ages))):
        return passed(observed, f"最早的一个已有 {int(max(ages))} 天")
    return failed(observed, "按大小轮转不能保证留存天数，应由 logrotate 按日轮转")


def _in_syslog(instance: Instance, params: Params) -> Verdict:
    config = rsyslog.read(instance.facts)
    if config is not None and any(action.leaves_host for action in config.every_action()):
        return passed("审计记录写入 syslog 并外送", "外送的覆盖面由 linux-remote-syslog 判定")
    kept = [logrotate.rotation_of(instance.facts, path) for path in params.value("log_retention_files")]
    days = [rotation.days for rotation in kept if rotation is not None and rotation.days is not None]
    observed = (
        f"审计记录写入 syslog，没有外送，本机保留 {min(days)} 天" if days else "审计记录写入 syslog，没有外送，也不轮转"
    )
    return judge(bool(days) and params.accepts("log_keep_days", min(days)), observed, "logrotate 的保留天数")


@database_check("mysql-audit-protect")
def audit_protect(instance: Instance, params: Params) -> Verdict:
    """Only declared administrators could switch the audit off, and the plugin cannot be unloaded."""
    able = []
    for account in instance.people_and_programs():
        if declared(account, params, "mysql_admin_accounts"):
            continue
        held = {p for grant in instance.held(account) if grant.level == "global" for p in grant.privileges}
        if held & {"SUPER", "SYSTEM_VARIABLES_ADMIN", "AUDIT_ADMIN"}:
            able.append(account.name)
    if able:
        return failed(
            f"能关闭审计的非管理账户：{'、'.join(able[:5])}", "有 SUPER、SYSTEM_VARIABLES_ADMIN 或 AUDIT_ADMIN"
        )
    load = next((how for name, how in instance.plugins().items() if name in ("server_audit", "audit_log")), None)
    if load is None:
        return failed("没有审计插件", "没有启用 server_audit 或 audit_log")
    ok = load == "FORCE_PLUS_PERMANENT"
    return judge(ok, f"审计插件加载方式 {load}", "" if ok else "可被 UNINSTALL PLUGIN 卸载")
