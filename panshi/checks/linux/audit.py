"""The audit subsystem: running, told to record the right things, protected, kept (8.1.4.3 a, c, d)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import FactMissing, Facts, audit, filesystem, journald, logs, systemd
from panshi.facts.audit import Filter, RuleSet, Tolerance
from panshi.verdict import Verdict, failed, judge, not_applicable, partial, passed

Answers = dict[str, bool]
_IDENTITY_FILES = "audit_watch_identity"
# Directory that holds the network identity, by the service that reads it.
_NETWORK_DIRECTORIES = {
    "NetworkManager": "/etc/NetworkManager",
    "systemd-networkd": "/etc/systemd/network",
    "networking": "/etc/network",
    "network": "/etc/sysconfig/network-scripts",
}
_CLOCK_REALTIME = (Filter("a0", "=", "0x0"), Filter("a0", "=", "0"))
_AS_ROOT = Filter("euid", "=", "0")
_BECOMES_OTHER = (Filter("-C", "", "uid!=euid"), Filter("-C", "", "euid!=uid"))


def shared_kernel() -> Verdict:
    """Return the verdict for a container: auditing belongs to the kernel's owner."""
    return not_applicable("容器", "容器共享宿主机内核，内核审计须在承载它的主机上判定")


def _minimum(params: Params, name: str) -> list[str]:
    """Return what a list parameter wants at least."""
    return list(params[name].accept.get("superset_of", ()))


def login_users(params: Params) -> Tolerance:
    """Return the conditions of a rule that only leave out system accounts and processes without a login."""

    def tolerated(f: Filter) -> bool:
        return f.is_login_session or (f.lowest_auid is not None and params.accepts("audit_auid_min", f.lowest_auid))

    return tolerated


def _or(tolerated: Tolerance, *more: Filter) -> Tolerance:
    return lambda f: f in more or tolerated(f)


def _not_recording(facts: Facts) -> Verdict | None:
    """Return the verdict when no rule can take effect at all."""
    if facts.is_container:
        return shared_kernel()
    if facts.item("audit.rules").absent:
        return failed("没有 auditctl", "未安装审计组件（Debian 系的软件包 auditd，RPM 系的 audit），内核没有审计规则")
    status = audit.parse_status(facts.out("audit.status"))
    if status.get("enabled") == "0":
        return failed("auditctl -s：enabled 0", f"内核审计已关闭，规则不起作用{_switched_off_by(facts)}")
    if status.get("pid") == "0":
        return failed("auditctl -s：pid 0", "没有 auditd 接收审计记录，规则产生的记录不会写入 audit.log")
    return None


def _switched_off_by(facts: Facts) -> str:
    """Return a likely cause of disabled auditing: journald switches it off at each of its starts (Debian's default)."""
    if journald.flag(facts, "Audit") is not False:
        return ""
    return "；journald 的 Audit=no（Debian 系默认）会在 journald 每次启动时关闭内核审计，锁定规则（-e 2）可避免"


def _judge_rules(facts: Facts, questions: Callable[[RuleSet], Answers]) -> Verdict:
    """Ask the same questions of the rules in the kernel and, for what is missing, of the rules on disk."""
    if (blocked := _not_recording(facts)) is not None:
        return blocked
    live = audit.loaded(facts)
    if (blind := live.blinded_by) is not None:
        return failed(f"规则 {blind.text}", "这条规则使系统调用审计整体失效，其余规则都不起作用")
    answers = questions(live)
    if not answers:
        return failed("没有可核对的对象", "参数所列的文件在主机上都不存在，请核对参数")
    missing = [name for name, recorded in answers.items() if not recorded]
    if not missing:
        return passed(f"{len(answers)} 项均有生效的审计规则：{_some(answers)}")
    reason = f"auditctl -l 的 {len(live.rules)} 条规则没有（完整）覆盖：{_some(missing)}"
    on_disk = questions(audit.on_disk(facts))
    if waiting := [name for name in missing if on_disk[name]]:
        reason += (
            f"；其中 {_some(waiting)} 已写入 /etc/audit 的规则文件但没有加载到内核（augenrules --load 或重启后生效）"
        )
    if never := [rule.text for rule in live.rules if rule.flow == "exit" and rule.silences]:
        reason += f"；注意排除规则：{_some(never)}"
    observed = f"缺 {len(missing)}/{len(answers)} 项：{_some(missing)}"
    return failed(observed, reason) if len(missing) == len(answers) else partial(observed, reason)


def _some(names: Iterable[str], most: int = 12) -> str:
    listed = list(names)
    return "、".join(listed[:most]) + (f" 等 {len(listed)} 项" if len(listed) > most else "")


def _present(facts: Facts, path: str) -> bool:
    """Return whether a path exists on the host; what nobody looked for counts as there, so that it is asked for."""
    if any(key == f"file:{path}" or key.startswith(f"file:{path}/") for key in facts.items):
        return True
    if path.startswith("/var/log/"):
        return any(known == path or known.startswith(f"{path}/") for known in logs.files(facts))
    if path.startswith(("/etc/cron", "/var/spool/cron")):
        return any(line.split()[-1] == path for line in facts.out("cron.files").splitlines() if line.strip())
    if path.endswith(".d"):
        return _present(facts, path.removesuffix(".d"))
    try:
        return facts.file(path) is not None
    except FactMissing:
        return True


def _watches(facts: Facts, params: Params, name: str) -> list[str]:
    """Return the paths of a list parameter that exist on this host."""
    return [path for path in _minimum(params, name) if _present(facts, path)]


def _changes(rules: RuleSet, paths: Iterable[str]) -> Answers:
    return {path: rules.covers_path(path, "wa") for path in paths}


def _calls(facts: Facts, rules: RuleSet, names: Iterable[str], tolerate: Tolerance) -> Answers:
    known = audit.known_syscalls(names, audit.machine(facts))
    return {name: rules.covers_syscall(name, tolerate) for name in known}


# --- the service -------------------------------------------------------------------------------------------------


@check("linux-auditd-enabled")
def auditd_enabled(facts: Facts, params: Params) -> Verdict:
    """Auditd runs, starts at boot, and the kernel hands its records to it."""
    if facts.is_container:
        return shared_kernel()
    daemon = systemd.unit(facts, "auditd")
    if not daemon.exists:
        return failed("auditd 未安装", "没有 auditd.service（Debian 系的软件包 auditd，RPM 系的 audit）")
    if not daemon.running or not daemon.at_boot:
        return failed(daemon.text, "auditd 须正在运行且开机启动")
    status = audit.parse_status(facts.out("audit.status"))
    if status.get("enabled") == "0" or status.get("pid") == "0":
        reason = f"auditd 在运行，但内核审计没有开启或没有接到 auditd{_switched_off_by(facts)}"
        return failed(f"enabled {status.get('enabled')}，pid {status.get('pid')}", reason)
    return passed(f"{daemon.text}，内核审计 enabled {status.get('enabled')}")


@check("linux-audit-boot-param")
def audit_boot_param(facts: Facts, params: Params) -> Verdict:
    """The kernel audits from its first process on and has room for the records until auditd takes them."""
    if facts.is_container:
        return shared_kernel()
    words = facts.text("/proc/cmdline").split()
    found = dict(word.partition("=")[::2] for word in words if word.startswith("audit"))
    limit = found.get("audit_backlog_limit", "")
    observed = " ".join(f"{key}={value}" for key, value in found.items()) or "内核命令行没有 audit 参数"
    if found.get("audit") not in ("1", "on"):
        return failed(observed, "/proc/cmdline 没有 audit=1：auditd 启动之前运行的进程不被审计")
    if not limit.isdigit() or not params.accepts("audit_backlog_limit", int(limit)):
        return partial(observed, "/proc/cmdline 的 audit_backlog_limit 缺失或不足，启动阶段的记录可能丢失")
    return passed(observed)


# --- what is recorded --------------------------------------------------------------------------------------------


@check("linux-audit-rules-identity")
def rules_identity(facts: Facts, params: Params) -> Verdict:
    """Changes of accounts, passwords, groups and sudo grants are recorded."""
    paths = _watches(facts, params, _IDENTITY_FILES)
    return _judge_rules(facts, lambda rules: _changes(rules, paths))


@check("linux-audit-rules-config")
def rules_config(facts: Facts, params: Params) -> Verdict:
    """Changes of the security configuration are recorded."""
    paths = _watches(facts, params, "audit_watch_config")
    return _judge_rules(facts, lambda rules: _changes(rules, paths))


@check("linux-audit-rules-usermgmt")
def rules_usermgmt(facts: Facts, params: Params) -> Verdict:
    """Every run of an account tool is recorded, by its file or by execve (these tools run as root)."""
    login = login_users(params)

    def questions(rules: RuleSet) -> Answers:
        any_run = rules.covers_syscall("execve", _or(login, _AS_ROOT))
        return {
            tool: any_run or rules.covers_path(tool, "x", login) for tool in _minimum(params, "audit_exec_accounts")
        }

    return _judge_rules(facts, questions)


@check("linux-audit-rules-logins")
def rules_logins(facts: Facts, params: Params) -> Verdict:
    """Changes of the login records are recorded: nobody wipes the trace of a login unseen."""
    paths = _watches(facts, params, "audit_watch_logins")
    if any(re.search(r"(?m)^[^#\n]*pam_faillock\.so", item.out) for item in facts.glob("/etc/pam.d/*")):
        kept = re.search(r"(?m)^\s*dir\s*=\s*(\S+)", facts.text("/etc/security/faillock.conf"))
        paths.append(kept[1] if kept else "/var/run/faillock")
    if not paths:
        return failed("没有登录记录文件", "主机上没有 audit_watch_logins 列出的任何登录记录文件，登录情况无处可查")
    return _judge_rules(facts, lambda rules: _changes(rules, paths))


@check("linux-audit-rules-time")
def rules_time(facts: Facts, params: Params) -> Verdict:
    """Changes of the clock and the time zone are recorded."""

    def questions(rules: RuleSet) -> Answers:
        calls = _calls(facts, rules, _minimum(params, "audit_syscalls_time"), lambda f: f in _CLOCK_REALTIME)
        return calls | _changes(rules, _minimum(params, "audit_watch_time"))

    return _judge_rules(facts, questions)


@check("linux-audit-rules-perm")
def rules_perm(facts: Facts, params: Params) -> Verdict:
    """Changes of permissions, owners and extended attributes by login users are recorded."""
    names = _minimum(params, "audit_syscalls_perm")
    return _judge_rules(facts, lambda rules: _calls(facts, rules, names, login_users(params)))


@check("linux-audit-rules-access-denied")
def rules_access_denied(facts: Facts, params: Params) -> Verdict:
    """Refused accesses to files are recorded, for both reasons of refusal."""
    login = _or(login_users(params), Filter("success", "=", "0"))
    names = audit.known_syscalls(_minimum(params, "audit_syscalls_access"), audit.machine(facts))

    def questions(rules: RuleSet) -> Answers:
        return {
            f"{name} {error}": rules.covers_syscall(name, login, Filter("exit", "=", error))
            for name in names
            for error in ("-EACCES", "-EPERM")
        }

    return _judge_rules(facts, questions)


@check("linux-audit-rules-delete")
def rules_delete(facts: Facts, params: Params) -> Verdict:
    """Deletion and renaming of files by login users are recorded."""
    names = _minimum(params, "audit_syscalls_delete")
    return _judge_rules(facts, lambda rules: _calls(facts, rules, names, login_users(params)))


@check("linux-audit-rules-priv")
def rules_priv(facts: Facts, params: Params) -> Verdict:
    """What people run with root's rights is recorded: every set-id program, and every program run as root."""
    if facts.is_container:
        return shared_kernel()
    login = login_users(params)
    walk = filesystem.scan(facts)
    programs = walk.of("suid", "sgid")

    def questions(rules: RuleSet) -> Answers:
        all_runs = rules.covers_syscall("execve", login)
        root_runs = all_runs or rules.covers_syscall("execve", _or(login, _AS_ROOT))
        change = root_runs or rules.covers_syscall("execve", _or(login, _AS_ROOT, *_BECOMES_OTHER))
        answers = {
            found.path: all_runs
            or (change and found.owner == "root" and bool(found.mode & 0o4000))
            or rules.covers_path(found.path, "x", login)
            for found in programs
        }
        return {"以 root 身份执行的命令（execve euid=0）": root_runs} | answers

    verdict = _judge_rules(facts, questions)
    if walk.cut("suid", "sgid"):
        return partial(verdict.observed, f"SUID/SGID 文件过多，采集结果不完整；{verdict.reason}")
    return verdict


@check("linux-audit-rules-modules")
def rules_modules(facts: Facts, params: Params) -> Verdict:
    """Loading and unloading of kernel modules is recorded where it happens: in the system calls."""
    names = _minimum(params, "audit_syscalls_modules")
    return _judge_rules(facts, lambda rules: _calls(facts, rules, names, login_users(params)))


@check("linux-audit-rules-mac")
def rules_mac(facts: Facts, params: Params) -> Verdict:
    """Changes of the mandatory access control policy that this host uses are recorded."""
    if facts.is_container:
        return shared_kernel()
    paths = [path for path in _minimum(params, "audit_watch_mac") if _policy_in_use(facts, path)]
    if not paths:
        return not_applicable(
            "未启用 SELinux 或 AppArmor", "主机没有 SELinux 配置，也没有装入 AppArmor 策略，没有策略可供修改"
        )
    return _judge_rules(facts, lambda rules: _changes(rules, paths))


def _policy_in_use(facts: Facts, path: str) -> bool:
    """Return whether the host uses the policy of a directory: SELinux configured, AppArmor profiles loaded."""
    if "selinux" in path:
        return facts.file("/etc/selinux/config") is not None
    apparmor = facts.item("mac.apparmor")
    return apparmor.ok and len(apparmor.lines()) > 1


@check("linux-audit-rules-network")
def rules_network(facts: Facts, params: Params) -> Verdict:
    """Changes of the host's name and network configuration are recorded."""
    if facts.is_container:
        return shared_kernel()
    paths = _watches(facts, params, "audit_watch_network")
    paths += [path for name, path in _NETWORK_DIRECTORIES.items() if systemd.unit(facts, name).running]

    def questions(rules: RuleSet) -> Answers:
        calls = _calls(facts, rules, _minimum(params, "audit_syscalls_network"), audit.nothing)
        return calls | _changes(rules, paths)

    return _judge_rules(facts, questions)


# --- protected and kept ------------------------------------------------------------------------------------------


@check("linux-audit-immutable")
def audit_immutable(facts: Facts, params: Params) -> Verdict:
    """The rules cannot be changed until the next boot."""
    if facts.is_container:
        return shared_kernel()
    if facts.item("audit.status").absent:
        return failed("没有 auditctl", "未安装审计组件，没有可锁定的审计规则")
    value = audit.parse_status(facts.out("audit.status")).get("enabled", "")
    observed = f"auditctl -s：enabled {value}"
    if not value.isdigit() or not params.accepts("audit_enabled_mode", int(value)):
        return failed(observed, "审计规则没有锁定（规则末行缺 -e 2 或写入后没有重启），取得 root 的人可以在线删除规则")
    if not audit.loaded(facts).rules:
        return failed(f"{observed}，没有规则", "锁定时规则集是空的，等于锁定了“不审计”")
    return passed(observed)


@check("linux-auditd-refuse-stop")
def auditd_refuse_stop(facts: Facts, params: Params) -> Verdict:
    """Systemctl refuses to stop auditd by hand."""
    if facts.is_container:
        return shared_kernel()
    daemon = systemd.unit(facts, "auditd")
    if not daemon.exists or not daemon.running:
        return failed(daemon.text, "auditd 没有运行，谈不上防止中断")
    value = daemon.properties.get("RefuseManualStop", "")
    place = daemon.properties.get("FragmentPath", "auditd.service")
    return judge(value == "yes", f"RefuseManualStop={value or '未知'}", f"由 {place} 及其 drop-in 决定")


@check("linux-auditd-retention")
def auditd_retention(facts: Facts, params: Params) -> Verdict:
    """auditd.conf keeps enough, rotates instead of stopping, and never takes the server down."""
    if facts.is_container:
        return shared_kernel()
    config = facts.file("/etc/audit/auditd.conf")
    if config is None:
        return failed("没有 /etc/audit/auditd.conf", "未安装 auditd，没有审计日志可留存")
    value = audit.parse_auditd_conf(config.out)
    capacity = _number(value, "max_log_file") * _number(value, "num_logs")
    action = value.get("max_log_file_action", "ignore")
    observed = f"{value.get('max_log_file')} MB × {value.get('num_logs')} 个 = {capacity} MB，写满后 {action}"
    if value.get("write_logs") == "no":
        return failed("write_logs = no", "auditd 不写日志文件")
    if not params.accepts("auditd_rotate_action", action):
        return failed(observed, f"max_log_file_action = {action}：写满后不轮转，记录停止、丢失或无限增长")
    if action != "keep_logs" and not params.accepts("auditd_log_capacity_mb", capacity):
        return failed(observed, "auditd.conf 的 max_log_file × num_logs 太小，写满后最旧的记录被覆盖")
    if (days := _full_after(facts, value)) is not None and not params.accepts("log_keep_days", days):
        return failed(
            f"{observed}；实际只存 {days} 天", "轮转文件已经写满，最旧一份距今不足留存期，容量须按实际日志量放大"
        )
    actions = {
        key: value.get(key, "")
        for key in ("space_left_action", "admin_space_left_action", "disk_full_action", "disk_error_action")
    }
    risky = [f"{key} = {text}" for key, text in actions.items() if not params.accepts("auditd_space_actions", [text])]
    if action == "keep_logs":
        observed = f"{observed}（keep_logs 不删除旧文件）"
    if risky:
        return partial(observed, f"{'、'.join(risky)}：磁盘紧张时会停机或进入单用户模式，影响业务可用性，须经书面确认")
    return passed(observed, "容量达标；是否足够留存期还要看最旧记录的日期（linux-oldest-log）")


def _number(value: dict[str, str], key: str) -> int:
    text = value.get(key, "")
    return int(text) if text.isdigit() else 0


def _full_after(facts: Facts, value: dict[str, str]) -> int | None:
    """Return the age in days of the oldest audit log when all its files are in use, else None."""
    path = value.get("log_file", "/var/log/audit/audit.log")
    family = logs.matching(facts, [path, f"{path}.*"])
    if value.get("max_log_file_action") != "rotate" or len(family) < max(2, _number(value, "num_logs")):
        return None
    return int((logs.collected_at(facts) - min(found.mtime for found in family)) // 86400)
