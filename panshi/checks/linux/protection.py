"""Integrity, backup and residual data (8.1.4.7 b, 8.1.4.9 a, 8.1.4.10)."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import Facts, aide, schedule, shell, tmpfiles
from panshi.facts.logs import collected_at
from panshi.facts.packages import installed
from panshi.facts.processes import described, products
from panshi.facts.systemd import units
from panshi.verdict import Verdict, failed, judge, manual, not_applicable, partial, passed

_DAY = 86400
_YES = ("true", "yes", "1")


def _databases(facts: Facts) -> list[str]:
    """Return AIDE data bases in use; a freshly built ``aide.db.new`` is not compared with until it is renamed."""
    item = facts.item("ids.aide")
    found = []
    for line in item.out.splitlines():
        words = line.split(None, 5)
        if len(words) == 6 and words[3] != "0" and re.search(r"/aide\.db(\.gz)?$", words[5]):
            found.append(words[5])
    return found


@check("linux-aide-installed")
def aide_installed(facts: Facts, params: Params) -> Verdict:
    """An integrity tool has a data base to compare with, or an agent that watches files runs."""
    agents = products(facts, params.value("integrity_agents"))
    databases = _databases(facts)
    if databases:
        return passed(f"AIDE 基准库 {'、'.join(databases)}", "基准库应另存一份到本机之外")
    if agents:
        return passed(described(agents), "由该程序监测文件完整性；监测范围在其管理端核对")
    if "aide" in installed(facts) or not facts.item("ids.aide").absent:
        new = ".new" in facts.item("ids.aide").out
        return failed(
            "已安装 AIDE，但没有启用的基准库",
            "只有 aide.db.new，须改名为 aide.db" if new else "未执行 aide --init（aideinit）",
        )
    return failed("没有文件完整性校验工具", "未安装 AIDE，也没有同类程序在运行")


@check("linux-aide-schedule")
def aide_schedule(facts: Facts, params: Params) -> Verdict:
    """The comparison runs by itself, often enough, and looks at the files that matter."""
    if not _databases(facts):
        agents = products(facts, params.value("integrity_agents"))
        if agents:
            return manual(described(agents), "监测范围与周期在该程序的管理端，须人工核对")
        return failed("没有可用的完整性基准库", "先启用 AIDE 或同类程序")
    jobs = schedule.matching(schedule.jobs(facts), params.value("integrity_check_commands"))
    often = [j for j in jobs if j.days is not None and params.accepts("integrity_check_max_days", round(j.days))]
    lines, unread = aide.selections(facts)
    missing = [path for path in params.value("integrity_required_paths") if not aide.covered(lines, path)]
    if not often:
        seen = f"{jobs[0].place} 间隔过长或无法确定" if jobs else "没有定期执行的完整性校验"
        return failed(seen, "crontab 与 systemd 定时器中没有足够频繁的 AIDE 任务")
    seen = f"{often[0].place}，最长间隔约 {often[0].days:.1f} 天"
    notes = [f"未监测 {'、'.join(missing)}"] if missing else []
    notes += [f"包含文件未能解析：{'、'.join(unread)}"] if unread else []
    if missing:
        return partial(seen, "；".join(notes))
    return passed(seen, "；".join(notes))


@check("linux-backup-job")
def backup_job(facts: Facts, params: Params) -> Verdict:
    """A backup runs by itself often enough; whether it succeeded and can be restored is judged elsewhere."""
    jobs = schedule.matching(schedule.jobs(facts), params.value("backup_commands"))
    often = [job for job in jobs if job.days is not None and params.accepts("backup_max_days", round(job.days))]
    # a timer tells when it last ran: one that has not for longer than the interval is no backup
    stale = [j for j in often if j.last is not None and not _recent(facts, params, j.last)]
    fresh = [job for job in often if job not in stale]
    if fresh:
        command = re.sub(r"\s+", " ", fresh[0].command)[:60]
        return passed(
            f"{command}（{fresh[0].place}），最长间隔约 {fresh[0].days:.1f} 天", "备份结果与恢复测试见本条款其余检查项"
        )
    agents = products(facts, params.value("backup_agents"))
    if agents:
        return manual(described(agents), "由备份系统统一调度，须在备份系统核对最近一次成功时间")
    if stale:
        return failed(f"{stale[0].place} 最近一次运行已超过期限", "备份定时器存在，但没有按期运行")
    if jobs:
        return failed(f"{jobs[0].place} 间隔过长或无法确定", "备份间隔超过要求")
    return failed("没有备份任务", "crontab 与 systemd 定时器中没有备份命令，也没有备份客户端在运行")


def _recent(facts: Facts, params: Params, last: float) -> bool:
    # half a day of grace: an audit that starts just before today's run must not fail
    return params.accepts("backup_max_days", max(0, int((collected_at(facts) - last) / _DAY - 0.5)))


@check("linux-no-last-user")
def no_last_user(facts: Facts, params: Params) -> Verdict:
    """The graphical login asks for a name instead of showing the accounts."""
    patterns = params.value("display_managers")
    present = sorted(
        name
        for name, u in units(facts).items()
        if any(fnmatchcase(name, p) for p in patterns) and u.load != "masked" and (u.running or u.at_boot)
    )
    present = [name for name in present if name != "display-manager.service"]
    if not present:
        return not_applicable("没有图形登录界面", "没有启用显示管理器；字符终端与 SSH 登录不显示账户列表")
    wrong, seen = [], []
    for name in present:
        answer = _hides_users(facts, name)
        seen.append(f"{name}：{'隐藏' if answer else '显示'}用户列表" if answer is not None else f"{name}：未知")
        if answer is None:
            return manual("、".join(seen), f"不认识 {name} 的配置，须在登录界面核对")
        wrong += [] if answer else [name]
    return judge(not wrong, "、".join(seen), f"{'、'.join(wrong)} 的登录界面列出账户" if wrong else "")


def _hides_users(facts: Facts, manager: str) -> bool | None:
    if manager.startswith("lightdm"):
        # later files win: shipped drop-ins, the host's drop-ins, lightdm.conf itself
        folders = (
            "/usr/share/lightdm/lightdm.conf.d/*.conf",
            "/etc/lightdm/lightdm.conf.d/*.conf",
            "/etc/lightdm/lightdm.conf",
        )
        return _last_value(facts, folders, r"\[Seat:\*\]|\[SeatDefaults\]", "greeter-hide-users") in _YES
    if manager.startswith("gdm"):
        return _last_value(facts, ("/etc/dconf/db/*.d/*",), r"\[org/gnome/login-screen\]", "disable-user-list") in _YES
    return None


def _last_value(facts: Facts, patterns: tuple[str, ...], section: str, key: str) -> str:
    value = ""
    for pattern in patterns:
        for item in facts.glob(pattern):
            inside = False
            for raw in item.out.splitlines():
                line = raw.strip()
                if line.startswith("["):
                    inside = re.fullmatch(section, line) is not None
                name, equals, text = line.partition("=")
                if inside and equals and name.strip() == key:
                    value = text.strip().lower()
    return value


def _session(facts: Facts) -> dict[str, str]:
    """Return the history settings of a login session: bashrc comes after profile and wins."""
    login, interactive = (shell.variables(facts, kind) for kind in (shell.LOGIN, shell.INTERACTIVE))
    names = ("HISTSIZE", "HISTFILESIZE", "HISTCONTROL")
    return {name: interactive.get(name) or login.get(name, "") for name in names}


@check("linux-history-limit")
def history_limit(facts: Facts, params: Params) -> Verdict:
    """The shell's history is bounded, and a command that begins with a blank is not kept."""
    session = _session(facts)
    # bash(1): without a value HISTSIZE is 500 and HISTFILESIZE that of HISTSIZE; a negative one means no limit
    size = session["HISTSIZE"] or "500"
    sizes = {"HISTSIZE": size, "HISTFILESIZE": session["HISTFILESIZE"] or size}
    control = session["HISTCONTROL"]
    wrong = [
        f"{name} 未限制在范围内（{shell.place(facts, name)}）"
        for name, value in sizes.items()
        if not (value.isdigit() and params.accepts("shell_history_max", int(value)))
    ]
    seen = [f"{name}={value}" for name, value in sizes.items()] + [f"HISTCONTROL={control or '未设置'}"]
    keeps = not any(params.accepts("shell_history_control", word) for word in control.split(":"))
    if wrong:
        return failed("，".join(seen), "；".join(wrong))
    if keeps:
        return partial("，".join(seen), "历史条数已限制，但以空格开头的命令（常用于带口令的命令）仍会记入历史")
    return passed("，".join(seen))


@check("linux-tmp-clean")
def tmp_clean(facts: Facts, params: Params) -> Verdict:
    """Old files leave /tmp and /var/tmp, by age or because the file system forgets them at boot."""
    timer = units(facts).get("systemd-tmpfiles-clean.timer")
    running = timer is not None and timer.running
    good, wrong = [], []
    for directory, name in (("/tmp", "tmp_max_age_days"), ("/var/tmp", "var_tmp_max_age_days")):  # noqa: S108
        age = tmpfiles.age(facts, directory)
        if age is not None and age.days is not None and running and params.accepts(name, round(age.days)):
            good.append(f"{directory} 超过 {age.days:g} 天清除（{age.place}）")
        elif tmpfiles.forgets(facts, directory):
            good.append(f"{directory} 是 tmpfs，重启即清空")
        elif age is not None and age.at_boot:
            good.append(f"{directory} 在开机时清空（{age.place}）")
        else:
            wrong.append(f"{directory} {_age_problem(age, running)}")
    seen = "；".join([*good, *wrong])
    if not wrong:
        return passed(seen)
    return (partial if good else failed)(seen, "临时目录中的残留数据不会按期清除")


def _age_problem(age: tmpfiles.Age | None, running: bool) -> str:
    if age is None or age.days is None:
        return "没有清理期限"
    return (
        f"清理期限 {age.days:g} 天（{age.place}）过长"
        if running
        else "有清理期限，但 systemd-tmpfiles-clean.timer 未运行"
    )
