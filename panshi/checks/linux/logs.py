"""System logs: recorded, complete, dated, kept and shipped (8.1.4.3 a-d, 8.1.4.7 a)."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from panshi.checks.linux.audit import login_users, shared_kernel
from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import (
    Facts,
    accounts,
    audit,
    journald,
    logrotate,
    logs,
    pam,
    rsyslog,
    shell,
    sshd,
    sudo,
    systemd,
    timesync,
)
from panshi.facts.filesystem import mode_of, within
from panshi.facts.rsyslog import Action, Rsyslog
from panshi.facts.timesync import Sync
from panshi.verdict import Verdict, failed, judge, manual, not_applicable, partial, passed

_SYSLOG_NG = "本机用 syslog-ng：其过滤与目的地之间的关系须人工核对 /etc/syslog-ng 的配置"
_JOURNAL_ONLY = "本机没有 rsyslog，日志由 systemd-journald 记录"
_TIME_CLIENTS = {
    "chrony": ("chronyd", "chrony"),
    "ntpd": ("ntpd", "ntp", "ntpsec"),
    "timesyncd": ("systemd-timesyncd",),
}
_DATE = re.compile(r"%[FDcxYy+s]")
_TIME = re.compile(r"%[TRrXcHIs+]")


def _logger(facts: Facts) -> str:
    """Return which service records: rsyslog, syslog-ng, journald (persistent), or "" for none that lasts."""
    for name in ("rsyslog", "syslog-ng"):
        if systemd.unit(facts, name).running:
            return name
    return "journald" if systemd.unit(facts, "systemd-journald").running and journald.persistent(facts) else ""


def _wanted(params: Params, name: str) -> list[str]:
    """Return what a list parameter wants at least."""
    return list(params[name].accept.get("superset_of", ()))


def _config(facts: Facts) -> Rsyslog:
    return rsyslog.read(facts) or Rsyslog()


def _by_selector(config: Rsyslog, selectors: list[str]) -> dict[str, list[Action]]:
    """Return what happens to a message of each ``facility.priority``."""
    return {selector: config.actions(*selector.split(".", 1)) for selector in selectors}


def _agents(facts: Facts, params: Params) -> list[str]:
    """Return the log shipping agents that run, by unit."""
    units = systemd.units(facts)
    return [name for name in params.value("log_shipping_agents") if (u := units.get(f"{name}.service")) and u.running]


# --- 8.1.4.3 a) --------------------------------------------------------------------------------------------------


@check("linux-rsyslog-enabled")
def rsyslog_enabled(facts: Facts, params: Params) -> Verdict:
    """A log service runs, comes up at boot, and keeps what it gets."""
    for name in ("rsyslog", "syslog-ng"):
        unit = systemd.unit(facts, name)
        if unit.running:
            return judge(unit.at_boot, unit.text, "" if unit.at_boot else "服务在运行，但没有设为开机启动")
    if _logger(facts) == "journald":
        return passed("systemd-journald 运行中，日志持久保存", _JOURNAL_ONLY)
    return failed(
        f"{systemd.unit(facts, 'rsyslog').text}；journald 不持久保存",
        "没有运行中的 syslog 服务，journald 的日志只在内存里，重启即失",
    )


@check("linux-syslog-rules")
def syslog_rules(facts: Facts, params: Params) -> Verdict:
    """Messages of every security relevant facility reach a file or another machine."""
    logger = _logger(facts)
    if logger == "syslog-ng":
        return manual("syslog-ng", _SYSLOG_NG)
    if logger == "journald":
        return _journal_levels(facts)
    if not logger:
        return failed("没有运行中的日志服务", "没有 rsyslog 或 syslog-ng，journald 也不持久保存")
    config = _config(facts)
    if not config.takes_local:
        return failed("rsyslog 不接收本机日志", f"{rsyslog.MAIN_FILE} 没有装入 imuxsock 或 imjournal")
    kept = {
        selector: [a for a in actions if (a.kind == "file" and a.target) or a.leaves_host]
        for selector, actions in _by_selector(config, _wanted(params, "syslog_selectors")).items()
    }
    missing = [selector for selector, actions in kept.items() if not actions]
    if not missing:
        return passed("；".join(f"{selector} → {actions[0].text}" for selector, actions in kept.items()))
    observed = f"没有去处：{'、'.join(missing)}"
    reason = "按 rsyslog 的规则逐条走过，这些设施与级别的消息没有写入任何文件，也没有外发"
    return failed(observed, reason) if len(missing) == len(kept) else partial(observed, reason)


def _journal_levels(facts: Facts) -> Verdict:
    level = journald.settings(facts).get("MaxLevelStore", journald.Setting("debug"))
    stored = level.value.lower() in ("info", "debug", "6", "7")
    reason = _JOURNAL_ONLY if stored else f"{level.source} 的 MaxLevelStore 丢弃了 info 级消息"
    return judge(stored, f"journald 记录所有设施，MaxLevelStore={level.value}", reason)


@check("linux-command-history-audit")
def command_history_audit(facts: Facts, params: Params) -> Verdict:
    """Every user's commands are recorded outside the history file, which its owner can change."""
    terminal = [
        rule
        for service in ("sshd", "login")
        if pam.has_service(facts, service)
        for rule in pam.stack(facts, service, "session")
        if rule.module == "pam_tty_audit.so"
    ]
    for rule in terminal:
        if "log_passwd" in rule.args:
            return failed(
                f"pam_tty_audit log_passwd（{rule.place}）", "log_passwd 会把用户键入的口令写进审计日志，必须去掉"
            )
    if not facts.is_container and facts.item("audit.rules").ok:
        if audit.loaded(facts).covers_syscall("execve", login_users(params)):
            return passed("审计规则记录登录用户的全部 execve")
        if terminal and all(rule.option("enable") == "*" for rule in terminal):
            return passed(f"pam_tty_audit enable=*（{terminal[0].place}）")
    command = shell.variables(facts, shell.INTERACTIVE).get("PROMPT_COMMAND", "")
    if "logger" not in command:
        return failed(
            "没有命令审计：无全量 execve 规则、无 pam_tty_audit、PROMPT_COMMAND 不写日志",
            f"{shell.place(facts, 'PROMPT_COMMAND')}；若统一经堡垒机录屏，可按豁免登记",
        )
    others = [f"{a.name}（{a.shell}）" for a in accounts.accounts(facts) if _can_avoid_bash(a)]
    if others:
        return partial("PROMPT_COMMAND 写入 syslog", f"只对 bash 有效，这些账户用别的 shell：{'、'.join(others)}")
    return passed("PROMPT_COMMAND 把每条命令写入 syslog", shell.place(facts, "PROMPT_COMMAND"))


def _can_avoid_bash(account: accounts.Account) -> bool:
    return account.interactive and account.kind in ("root", "human") and not account.shell.endswith("/bash")


@check("linux-sudo-log")
def sudo_log(facts: Facts, params: Params) -> Verdict:
    """Sudo leaves a record of what it ran: in syslog (its default) or in a file of its own."""
    policy = sudo.read(facts)
    if policy is None:
        return not_applicable("没有 /etc/sudoers", "主机没有安装 sudo")
    logfile, syslog = policy.default("logfile"), policy.default("syslog")
    if logfile is not None and isinstance(logfile.value, str):
        return passed(f"logfile={logfile.value}", logfile.place)
    if syslog is not None and syslog.value is False:
        return failed("!syslog 且没有 logfile", f"{syslog.place} 关闭了 sudo 的日志")
    if syslog is not None and isinstance(syslog.value, str):
        return passed(f"syslog={syslog.value}", syslog.place)
    return passed("sudo 按默认写入 syslog（auth 或 authpriv）", "sudoers 没有改动日志选项")


@check("linux-ssh-loglevel")
def ssh_loglevel(facts: Facts, params: Params) -> Verdict:
    """Sshd records logins, to a facility that is kept, without recording secrets."""
    if not sshd.installed(facts):
        return not_applicable("没有 sshd", "主机没有安装 SSH 服务")
    level, facility = sshd.value(facts, "loglevel").upper(), sshd.value(facts, "syslogfacility").upper()
    observed = f"LogLevel {level}，SyslogFacility {facility}"
    if not params.accepts("sshd_log_level", level):
        return failed(observed, f"LogLevel 过低则不记录登录，DEBUG 则可能记录隐私（{sshd.origin(facts, 'loglevel')}）")
    if not params.accepts("sshd_syslog_facility", facility):
        return failed(observed, f"登录记录没有进入鉴别类日志（{sshd.origin(facts, 'syslogfacility')}）")
    return passed(observed, sshd.origin(facts, "loglevel"))


# --- 8.1.4.3 b) --------------------------------------------------------------------------------------------------


@check("linux-time-sync")
def time_sync(facts: Facts, params: Params) -> Verdict:
    """The clock follows a time source now, and will after the next boot."""
    if facts.is_container:
        return not_applicable("容器", "容器使用宿主机的时钟，须在承载它的主机上判定")
    clients = {c: u for c, names in _TIME_CLIENTS.items() if (u := systemd.first_running(facts, names)) and u.running}
    if not clients:
        return failed("没有运行中的时间同步服务", "chrony、ntpd、systemd-timesyncd 都没有运行")
    client, unit = next(iter(clients.items()))
    sync = _sync(facts, client)
    declared = "、".join(timesync.declared_sources(facts)) or "配置文件没有声明时间源"
    if not sync.synchronised:
        return failed(f"{sync.client} 没有同步（{declared}）", sync.detail)
    offset = "" if sync.offset is None else f"，偏差 {sync.offset * 1000:.1f} 毫秒"
    observed = f"{sync.client} 跟随 {sync.source}{offset}"
    if sync.offset is not None and not params.accepts("time_offset_ms", round(abs(sync.offset) * 1000)):
        return failed(observed, "与时间源的偏差超出允许范围")
    if not unit.at_boot:
        return partial(observed, f"{unit.text}：没有设为开机启动")
    if len(clients) > 1:
        return partial(observed, f"同时运行 {'、'.join(u.name for u in clients.values())}，互相争用时钟，须只留一个")
    return passed(observed, f"声明的时间源：{declared}")


def _sync(facts: Facts, client: str) -> Sync:
    if client == "chrony":
        return timesync.parse_chrony_tracking(facts.out("time.chrony_tracking"))
    if client == "ntpd":
        return timesync.parse_ntpq(facts.out("time.ntpq"))
    return timesync.parse_timesync(facts.out("time.timedatectl"))


@check("linux-log-timestamp")
def log_timestamp(facts: Facts, params: Params) -> Verdict:
    """Log records carry time, host and program."""
    logger = _logger(facts)
    if logger == "syslog-ng":
        return manual("syslog-ng", _SYSLOG_NG)
    if logger == "journald":
        return passed("journald 逐条记录时间、主机、程序与用户", _JOURNAL_ONLY)
    if not logger:
        return failed("没有运行中的日志服务", "没有 rsyslog 或 syslog-ng，journald 也不持久保存")
    config = _config(facts)
    selected = _by_selector(config, _wanted(params, "syslog_selectors"))
    written = {a for actions in selected.values() for a in actions if a.kind == "file" and a.target}
    poor = sorted({f"{a.target}（模板 {a.template}，{a.source}）" for a in written if not config.is_full(a.template)})
    if not written:
        return failed("没有写入任何日志文件", "rsyslog 没有把安全相关的日志写入文件，见 linux-syslog-rules")
    used = "、".join(sorted({a.template for a in written}))
    if poor:
        return failed(f"模板 {used}", f"记录中缺少时间、主机名或程序名：{'、'.join(poor)}")
    return passed(f"{len(written)} 个日志文件使用模板 {used}", "含时间、主机名与程序名")


@check("linux-history-timestamp")
def history_timestamp(facts: Facts, params: Params) -> Verdict:
    """Shell history shows when a command was run, and keeps a useful number of them."""
    form = shell.variables(facts, shell.INTERACTIVE).get("HISTTIMEFORMAT", "")
    size = shell.number(facts, shell.INTERACTIVE, "HISTSIZE")
    observed = f"HISTTIMEFORMAT={form or '（空）'}，HISTSIZE={'（空）' if size is None else size}"
    if not (_DATE.search(form) and _TIME.search(form)):
        return failed(observed, f"历史记录不含日期和时间：{shell.place(facts, 'HISTTIMEFORMAT')}")
    if size is None or not params.accepts("history_entries_min", size):
        return failed(observed, f"保留的条数过少：{shell.place(facts, 'HISTSIZE')}")
    return passed(observed, shell.place(facts, "HISTTIMEFORMAT"))


# --- 8.1.4.3 c) --------------------------------------------------------------------------------------------------


@check("linux-log-perms")
def log_perms(facts: Facts, params: Params) -> Verdict:
    """Log files are closed to ordinary users, and stay so after rotation."""
    found = logs.matching(facts, params.value("log_private_files"))
    limit = int(params.value("log_file_mode"), 8)
    if not found:
        return failed("没有日志文件", "参数 log_private_files 列出的日志在 /var/log 下都不存在")
    wide = [f for f in found if not within(f.mode, limit) or not params.accepts("log_file_owners", [f.owner])]
    audit_dir = facts.file("/var/log/audit")
    texts = [f.text for f in wide[:8]]
    if audit_dir is not None and not within(mode_of(audit_dir), int(params.value("log_directory_mode"), 8)):
        texts.append(f"/var/log/audit {mode_of(audit_dir):04o}")
    if texts:
        return failed("、".join(texts), f"{len(wide)} 个日志文件的权限或属主超出要求，普通用户可读或可改")
    later = _wide_later(facts, params, limit)
    observed = f"{len(found)} 个日志文件的权限与属主均符合要求"
    return partial(observed, f"新建或轮转后会变宽：{'、'.join(later)}") if later else passed(observed)


def _wide_later(facts: Facts, params: Params, limit: int) -> list[str]:
    """Return the settings with which the next log file would be too open."""
    patterns = params.value("log_private_files")
    config = rsyslog.read(facts)
    texts = []
    for action in config.every_action() if config else ():
        if (
            action.mode
            and any(fnmatchcase(action.target, p) for p in patterns)
            and not within(int(action.mode, 8), limit)
        ):
            texts.append(f"{action.source} FileCreateMode {action.mode}")
    for names, rotation in logrotate.blocks(facts):
        mode = rotation.create_mode
        if mode and any(fnmatchcase(n, p) for n in names for p in patterns) and not within(int(mode, 8), limit):
            texts.append(f"{rotation.source} create {mode}")
    return list(dict.fromkeys(texts))


@check("linux-logrotate-retention")
def logrotate_retention(facts: Facts, params: Params) -> Verdict:
    """Rotation keeps every security relevant log as long as the law wants."""
    known = logs.files(facts)
    kept = {path: logrotate.rotation_of(facts, path) for path in params.value("log_retention_files") if path in known}
    texts, short, unclear = [], [], []
    for path, rotation in kept.items():
        if rotation is None:
            texts.append(f"{path} 不轮转")
        elif rotation.days is None:
            unclear.append(f"{path}（{rotation.text}，{rotation.source}）只按大小轮转")
        else:
            texts.append(f"{path} {rotation.days} 天")
            if not params.accepts("log_keep_days", rotation.days):
                short.append(f"{path} 只留 {rotation.days} 天（{rotation.text}，{rotation.source}）")
            elif rotation.maxsize:
                unclear.append(f"{path} 有 maxsize {rotation.maxsize}，日志量大时会提前轮转")
    if _logger(facts) == "journald":
        _judge_journal(facts, params, short, unclear)
    if short:
        return failed("；".join(short), "本地留存不足法定的六个月，须调大 rotate 或以集中日志平台的留存作证")
    if not kept and not unclear:
        return failed("没有日志文件", "参数 log_retention_files 列出的日志都不存在，也没有持久的 journald 日志")
    if not _rotates(facts):
        unclear.append("logrotate 没有被定时执行（无 logrotate.timer，也无生效的 cron.daily/logrotate）")
    if unclear:
        return partial("；".join(texts) or "journald", "；".join(unclear))
    return passed("；".join(texts))


def _judge_journal(facts: Facts, params: Params, short: list[str], unclear: list[str]) -> None:
    settings = journald.settings(facts)
    age = settings.get("MaxRetentionSec")
    if (
        age
        and journald.seconds(age.value) > 0
        and not params.accepts("log_keep_days", int(journald.seconds(age.value) // 86400))
    ):
        short.append(f"journald 只留 {age.value}（{age.source} 的 MaxRetentionSec）")
    limit = settings.get("SystemMaxUse", journald.Setting("默认（文件系统的 10%，最多 4G）"))
    unclear.append(f"{_JOURNAL_ONLY}，按容量保存（SystemMaxUse {limit.value}），能否满足留存期须看最早一条的日期")


def _rotates(facts: Facts) -> bool:
    if systemd.unit(facts, "logrotate.timer").running:
        return True
    daily = "/etc/cron.daily/logrotate" in facts.out("cron.files")
    return daily and any(systemd.unit(facts, name).running for name in ("cron", "crond"))


@check("linux-remote-syslog")
def remote_syslog(facts: Facts, params: Params) -> Verdict:
    """Security relevant messages also go to another machine, where an intruder cannot erase them."""
    logger = _logger(facts)
    config = _config(facts) if logger == "rsyslog" else Rsyslog()
    selected = _by_selector(config, _wanted(params, "log_forward_selectors"))
    sent = {s: [a for a in actions if a.leaves_host] for s, actions in selected.items()}
    missing = [selector for selector, actions in sent.items() if not actions]
    receivers = list(dict.fromkeys(a for actions in sent.values() for a in actions))
    if receivers:
        observed = f"外发到 {'、'.join(a.text for a in receivers)}（{receivers[0].source}）"
        if missing:
            return partial(observed, f"这些日志没有外发：{'、'.join(missing)}")
        queued = any(a.disk_queue for a in receivers)
        return passed(
            observed, "" if queued else "没有磁盘队列（queue.filename）：日志服务器不可达时会丢失或阻塞，建议配置"
        )
    upload = systemd.unit(facts, "systemd-journal-upload")
    if upload.running:
        return passed(upload.text, "systemd-journal-upload 上传整个 journal")
    if agents := _agents(facts, params):
        return manual(
            f"采集代理 {'、'.join(agents)} 在运行", "外发的日志种类与目的地由代理的配置决定，须在日志平台上核对"
        )
    if logger == "syslog-ng":
        return manual("syslog-ng", _SYSLOG_NG)
    if elsewhere := [a for a in config.every_action() if a.leaves_host]:
        reason = f"{elsewhere[0].source} 只外发别的日志，或只在消息内容满足条件时外发；没有外发：{'、'.join(missing)}"
        return failed(f"外发到 {elsewhere[0].text}，但不含安全日志", reason)
    reason = (
        "rsyslog 的规则中没有发往其他主机的动作"
        if logger == "rsyslog"
        else f"{_JOURNAL_ONLY}，也没有 systemd-journal-upload"
    )
    return failed("日志只在本机", reason)


@check("linux-audit-remote")
def audit_remote(facts: Facts, params: Params) -> Verdict:
    """Audit records leave the host as well."""
    if facts.is_container:
        return shared_kernel()
    if not systemd.unit(facts, "auditd").running:
        return failed("auditd 没有运行", "没有可外发的审计记录")
    if (receiver := _audisp_remote(facts)) is not None:
        return passed(f"audisp-remote 发往 {receiver}")
    config = _config(facts) if _logger(facts) == "rsyslog" else Rsyslog()
    plugin = _plugin(facts, "syslog")
    facility = _plugin_facility(plugin)
    active = plugin.get("active") == "yes"
    if active and (sent := [a for a in config.actions(facility, "info") if a.leaves_host]):
        return passed(f"audisp syslog 插件（{facility}）→ {sent[0].text}", sent[0].source)
    for pattern, (name, ruleset) in config.imfiles.items():
        if fnmatchcase("/var/log/audit/audit.log", pattern):
            sent = [a for a in config.actions(name, "notice", ruleset) if a.leaves_host]
            if sent:
                return passed(f"rsyslog imfile 读取 {pattern} → {sent[0].text}", sent[0].source)
    if agents := _agents(facts, params):
        return manual(
            f"采集代理 {'、'.join(agents)} 在运行", "是否采集 /var/log/audit 由代理的配置决定，须在日志平台上核对"
        )
    if active:
        return partial(
            f"audisp syslog 插件 active = yes（{facility}）", f"审计记录进入本机 syslog，但 {facility} 没有外发"
        )
    return failed(
        "审计记录只在本机", "audisp 的 syslog 与 au-remote 插件都未启用，rsyslog 也没有用 imfile 读取 audit.log"
    )


def _plugin(facts: Facts, name: str) -> dict[str, str]:
    for folder in ("/etc/audit/plugins.d", "/etc/audisp/plugins.d"):
        for item in facts.glob(f"{folder}/{name}.conf"):
            return audit.parse_auditd_conf(item.out)
    return {}


def _plugin_facility(plugin: dict[str, str]) -> str:
    """Return the facility that the audisp syslog plugin uses: the LOG_ word among its arguments, by default user."""
    words = [word.removeprefix("log_") for word in plugin.get("args", "").split()]
    return next((word for word in words if word in rsyslog.FACILITIES), "user")


def _audisp_remote(facts: Facts) -> str | None:
    if _plugin(facts, "au-remote").get("active") != "yes":
        return None
    for path in ("/etc/audit/audisp-remote.conf", "/etc/audisp/audisp-remote.conf"):
        for item in facts.glob(path):
            target = Action("forward", audit.parse_auditd_conf(item.out).get("remote_server", ""))
            if target.leaves_host:
                return target.target
    return None


@check("linux-journald-persistent")
def journald_persistent(facts: Facts, params: Params) -> Verdict:
    """The journal survives a reboot, or everything in it is also written by syslog."""
    storage = journald.settings(facts).get("Storage", journald.Setting("auto", "默认值"))
    observed = f"Storage={storage.value}（{storage.source}）"
    if storage.value.lower() != "none" and journald.persistent(facts):
        return passed(f"{observed}，/var/log/journal 持久保存")
    if _logger(facts) in ("rsyslog", "syslog-ng"):
        if "imjournal" in _config(facts).modules:
            return passed(f"{observed}，rsyslog 经 imjournal 读取 journal")
        if storage.value.lower() != "none" and journald.flag(facts, "ForwardToSyslog"):
            return passed(f"{observed}，ForwardToSyslog=yes，由 {_logger(facts)} 落盘")
    return failed(
        observed, "journal 只在内存中（没有 /var/log/journal 或 Storage=volatile/none），也没有转给 syslog，重启即失"
    )


# --- 8.1.4.3 d), 8.1.4.7 a) --------------------------------------------------------------------------------------


@check("linux-audit-service-restart")
def audit_service_restart(facts: Facts, params: Params) -> Verdict:
    """Systemd brings the log services back when they die."""
    logger = _logger(facts)
    names = [{"journald": "systemd-journald"}.get(logger, logger or "rsyslog")]
    if not facts.is_container:
        names.append("auditd")
    found = [systemd.unit(facts, name) for name in names]
    if absent := [u for u in found if not u.exists]:
        return failed("、".join(u.text for u in absent), "日志或审计服务没有安装")
    policies = {u.name: u.properties.get("Restart", "") for u in found}
    observed = "，".join(f"{name} Restart={policy or '未知'}" for name, policy in policies.items())
    weak = [name for name, policy in policies.items() if not params.accepts("log_service_restart", policy)]
    reason = f"{'、'.join(weak)} 异常退出后不会被拉起" if weak else "异常退出由 systemd 自动拉起"
    if weak and len(weak) < len(policies):
        return partial(observed, reason)
    return judge(not weak, observed, reason)


@check("linux-syslog-tls")
def syslog_tls(facts: Facts, params: Params) -> Verdict:
    """Logs that leave the host are protected against change on the way."""
    logger = _logger(facts)
    if logger == "syslog-ng":
        return manual("syslog-ng", _SYSLOG_NG)
    actions = _config(facts).every_action() if logger == "rsyslog" else []
    sent = list(dict.fromkeys(a for a in actions if a.leaves_host))
    if not sent and systemd.unit(facts, "systemd-journal-upload").running:
        return manual("systemd-journal-upload", "传输是否用 HTTPS 须人工核对 /etc/systemd/journal-upload.conf")
    if not sent:
        return not_applicable("没有外发日志", "syslog 没有跨主机传输；是否应当外发由 linux-remote-syslog 判定")
    observed = "、".join(a.text for a in sent)
    plain = [a for a in sent if not params.accepts("log_forward_tls", a.tls)]
    if plain:
        reason = f"没有 TLS 保护：{'、'.join(f'{a.text}（{a.source}）' for a in plain)}，传输中可被篡改"
        return failed(observed, reason) if len(plain) == len(sent) else partial(observed, reason)
    anonymous = [a for a in sent if not a.verified]
    if anonymous:
        return partial(observed, f"有 TLS，但不校验对端证书（{anonymous[0].source}），不能防中间人")
    return passed(observed, f"TLS 且校验对端证书（{sent[0].source}）")
