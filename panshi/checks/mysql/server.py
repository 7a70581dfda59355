"""8.1.4.2 e), 8.1.4.4 e), 8.1.4.9 a): the process, its files, dangerous features, its version, its backup."""

from __future__ import annotations

from datetime import date
from fnmatch import fnmatchcase

from panshi.checks.instances import database_check
from panshi.controls.params import Params
from panshi.facts import schedule
from panshi.facts.filesystem import within
from panshi.facts.logs import collected_at
from panshi.facts.mysql import File, Instance
from panshi.verdict import Verdict, failed, judge, manual, partial, passed

_DAY = 86400


@database_check("mysql-run-as-mysql")
def run_as_mysql(instance: Instance, params: Params) -> Verdict:
    """The server does not run as root."""
    ok = instance.owner != "root"
    return judge(ok, f"{instance.process} 以 {instance.owner} 运行", "" if ok else "应以专用账户运行")


@database_check("mysql-datadir-perms")
def datadir_perms(instance: Instance, params: Params) -> Verdict:
    """Nobody else reads the data, writes the configuration or reads the key."""
    data, key = instance.path("datadir").rstrip("/"), instance.path("ssl_key")
    limits = {"data": params.value("mysql_datadir_mode"), "key": params.value("mysql_key_mode")}
    files = instance.files()
    wrong = [
        f for f in files if f.path == data and (not within(f.mode, int(limits["data"], 8)) or f.owner != instance.owner)
    ]
    wrong += [f for f in files if f.path == key and not within(f.mode, int(limits["key"], 8))]
    settings = [f for f in files if f.path.startswith(("/etc/my.cnf", "/etc/mysql")) and f.path != key]
    wrong += [
        f
        for f in settings
        if not within(f.mode, int(params.value("mysql_config_mode"), 8)) and f.path not in _folders(settings)
    ]
    wrong += [f for f in settings if f.path in _folders(settings) and f.mode & 0o022]
    seen = next((f.text for f in files if f.path == data), f"{data} 未能读取")
    if not any(f.path == data for f in files):
        return failed(seen, "数据目录的权限未能确认")
    return judge(
        not wrong, "、".join(f.text for f in wrong[:5]) or seen, f"{len(wrong)} 个文件或目录的权限过宽" if wrong else ""
    )


def _folders(files: list[File]) -> set[str]:
    return {"/etc/mysql", "/etc/my.cnf.d"} | {f.path.rpartition("/")[0] for f in files}


@database_check("mysql-local-infile")
def local_infile(instance: Instance, params: Params) -> Verdict:
    """A server cannot ask a client for its files."""
    return judge(not instance.on("local_infile"), f"local_infile={instance.variable('local_infile')}", "SHOW VARIABLES")


@database_check("mysql-secure-file-priv")
def secure_file_priv(instance: Instance, params: Params) -> Verdict:
    """SELECT INTO OUTFILE and LOAD DATA reach one folder, or none."""
    value = instance.variable("secure_file_priv")
    return judge(bool(value), f"secure_file_priv={value or '空'}", "空值不限制文件导入导出的位置" if not value else "")


@database_check("mysql-symbolic-links")
def symbolic_links(instance: Instance, params: Params) -> Verdict:
    """A table cannot be led out of the data directory."""
    value = instance.variable("have_symlink")
    if value is None:
        return passed("该版本没有符号链接表", f"{instance.product} 已移除 have_symlink")
    ok = value.upper() in ("DISABLED", "NO")
    return judge(ok, f"have_symlink={value}", "" if ok else "表文件可以被符号链接引到数据目录之外")


@database_check("mysql-version")
def version(instance: Instance, params: Params) -> Verdict:
    """The branch is still mended on the day of the audit, and no mend that the host knows of waits."""
    ends = dict(entry.partition("=")[::2] for entry in params.value("mysql_end_of_life"))
    end = ends.get(instance.product)
    if end is None:
        return manual(
            instance.version, f"生命周期表（参数 mysql_end_of_life）中没有 {instance.product}，须凭厂商公告核实"
        )
    today = date.fromisoformat(str(instance.facts.document["started"])[:10])
    if date.fromisoformat(end) < today:
        return failed(instance.version, f"{instance.product} 已于 {end} 停止维护")
    pending = [line.split("\t") for line in instance.facts.out(_updates(instance)).splitlines() if line]
    package = 0 if instance.facts.family != "rpm" else 3
    waiting = [row for row in pending if any(fnmatchcase(row[package], p) for p in params.value("mysql_packages"))]
    if waiting:
        names = "、".join(f"{row[package]} {row[package + 2]}" for row in waiting[:4])
        return failed(f"{instance.version}；未安装的安全更新：{names}", "更新元数据中已有修复版本")
    if not params.accepts("os_end_of_life_warning_days", (date.fromisoformat(end) - today).days):
        return partial(instance.version, f"{instance.product} 将于 {end} 停止维护")
    return passed(f"{instance.version}，{instance.product} 维护至 {end}")


def _updates(instance: Instance) -> str:
    return "pkg.dnf_security" if instance.facts.family == "rpm" else "pkg.apt_security"


@database_check("mysql-backup")
def backup(instance: Instance, params: Params) -> Verdict:
    """A backup of the database runs by itself often enough and has run lately; restores are proven elsewhere."""
    jobs = schedule.matching(schedule.jobs(instance.facts), params.value("mysql_backup_commands"))
    often = [job for job in jobs if job.days is not None and params.accepts("mysql_backup_max_days", round(job.days))]
    if not often:
        return failed(
            "没有按要求间隔运行的数据库备份任务", "crontab 与 systemd 定时器中没有参数 mysql_backup_commands 列出的命令"
        )
    now = collected_at(instance.facts)
    # half a day of grace: an audit that starts just before today's run must not fail
    ran = [
        j
        for j in often
        if j.last is not None and params.accepts("mysql_backup_max_days", max(0, int((now - j.last) / _DAY - 0.5)))
    ]
    if ran:
        return passed(f"{ran[0].place}，最近一次运行在期限内", "恢复测试见备份恢复验证报告")
    if any(job.last is None for job in often):
        return partial(often[0].place, "备份任务存在，但不能证明最近一次运行的时间")
    return failed(f"{often[0].place} 最近一次运行已超过期限", "备份定时器存在，但没有按期运行")
