"""Least installation, services, shares, kernel settings and patches (8.1.4.4 a, b, e)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import Facts, kernel, repos
from panshi.facts.journald import settings
from panshi.facts.logs import collected_at
from panshi.facts.packages import compare, installed, upstream_version
from panshi.facts.systemd import Unit, unit, units
from panshi.verdict import Verdict, failed, judge, manual, not_applicable, partial, passed

_DAY = 86400
_SHARED_KERNEL = ("容器", "容器共享宿主机内核，须在承载它的主机上判定")


@check("linux-no-gui")
def no_gui(facts: Facts, params: Params) -> Verdict:
    """The host comes up without a graphical login; a graphical target without a display manager shows none."""
    target = facts.out("systemd.default").strip()
    managers = [u for name, u in units(facts).items() if _listed(name, params.value("display_managers"))]
    up = [u.text for u in managers if u.running or u.at_boot]
    if up and (target == "graphical.target" or any(u.running for u in managers)):
        return failed(f"{target}，{'、'.join(up)}", "服务器启动图形登录界面")
    if params.accepts("boot_target", target):
        return passed(target)
    if target == "graphical.target":
        return passed(
            f"{target}，但没有安装显示管理器", "发行版默认目标是 graphical.target，没有显示管理器时不会启动图形界面"
        )
    return failed(target or "未设置", "默认启动目标不是字符界面的多用户模式")


def _listed(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


@check("linux-unneeded-services")
def unneeded_services(facts: Facts, params: Params) -> Verdict:
    """None of the services that servers rarely need runs or starts at boot, unless the owner has approved it."""
    listed, approved = params.value("unneeded_services"), params.value("approved_services")
    found: list[Unit] = [
        u
        for name, u in sorted(units(facts).items())
        if _listed(name, listed) and not _listed(name, approved) and (u.running or u.at_boot)
    ]
    if found:
        return failed("、".join(u.text for u in found), "不需要时停止并屏蔽；确有业务需要的，登记到 approved_services")
    return passed("名单中的服务均未运行，也不随开机启动")


@check("linux-exports-restricted")
def exports_restricted(facts: Facts, params: Params) -> Verdict:
    """NFS exports and Samba shares name their clients and do not hand out root or guests."""
    item = facts.item("net.exports")
    active = [] if item.absent else facts.out("net.exports").splitlines()
    configured = [
        line
        for pattern in ("/etc/exports", "/etc/exports.d/*.exports")
        for i in facts.glob(pattern)
        for line in i.lines()
    ]
    wrong = [problem for line in dict.fromkeys([*active, *configured]) for problem in _export_problems(line)]
    wrong += _samba_problems(facts.text("/etc/samba/smb.conf"))
    if wrong:
        return failed("；".join(dict.fromkeys(wrong)), "共享应限定客户端网段，并使用 root_squash、禁止来宾")
    shared = bool([*active, *configured]) or bool(facts.text("/etc/samba/smb.conf"))
    return passed("NFS 与 Samba 共享均限定了客户端" if shared else "没有 NFS 或 Samba 共享")


def _export_problems(line: str) -> list[str]:
    """Return what is wrong with one line of exports(5): clients without a limit, writable exports with a real root."""
    text = line.split("#", 1)[0].strip()
    match = re.match(r'(?P<path>"[^"]+"|\S+)\s*(?P<clients>.*)', text)
    if match is None:
        return []
    path, found = match["path"].strip('"'), []
    clients = re.findall(r"(?P<host>[^\s()]*)(?:\((?P<options>[^)]*)\))?", match["clients"])
    pairs = [(host, set(options.split(","))) for host, options in clients if host or options] or [("", set[str]())]
    for host, options in pairs:
        if host.startswith("-"):
            continue
        if host in ("", "*", "<world>", "0.0.0.0/0", "::/0", "0.0.0.0/0.0.0.0"):
            found.append(f"NFS {path} 对任意主机开放")
        if "no_root_squash" in options and "rw" in options:
            found.append(f"NFS {path} 对 {host or '任意主机'} 可写且不压缩 root（no_root_squash）")
    return found


def _samba_problems(text: str) -> list[str]:
    """Return the shares of smb.conf(5) that guests may enter, by their own setting or the one of [global]."""
    section, guests, shared = "global", dict[str, bool](), set[str]()
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].split(";", 1)[0].strip()
        if line.startswith("["):
            section = line.strip("[]").strip().lower()
            shared.add(section)
        key, equals, value = line.partition("=")
        if equals and re.sub(r"\s+", " ", key.strip().lower()) in ("guest ok", "public"):
            guests[section] = value.strip().lower() in ("yes", "true", "1")
    default = guests.get("global", False)
    open_shares = sorted(name for name in shared - {"global", "printers", "print$"} if guests.get(name, default))
    return [f"Samba [{name}] 允许来宾访问" for name in open_shares]


@check("linux-usb-storage")
def usb_storage(facts: Facts, params: Params) -> Verdict:
    """A USB disk that is plugged in gets no driver; whether modprobe would load it is asked of modprobe itself."""
    if facts.is_container:
        return not_applicable(*_SHARED_KERNEL)
    found = kernel.module(facts, "usb-storage")
    if found.loaded:
        return failed("usb-storage 模块已装入内核", "禁用配置只阻止以后的装入；须卸载模块或重启")
    if found.state == "absent":
        return passed("本机内核没有 usb-storage 模块")
    if found.state == "blocked":
        return passed(f"装入 usb-storage 会改为执行空命令（{found.place or 'modprobe.d'}）")
    if found.blacklisted:
        return partial(
            "usb-storage 只列入 blacklist", "插入设备时不会自动装入，但仍可按名称手工装入；应再加 install 行"
        )
    return failed("usb-storage 模块可以装入", "modprobe.d 中没有 install 或 blacklist 限制")


@check("linux-sysctl-network")
def sysctl_network(facts: Facts, params: Params) -> Verdict:
    """Network settings in effect on every interface; a container has its own, so it is judged as well."""
    return _sysctl(facts, params, "sysctl_network_required", "sysctl_network_exempt")


@check("linux-sysctl-kernel")
def sysctl_kernel(facts: Facts, params: Params) -> Verdict:
    """Settings of the kernel itself."""
    if facts.is_container:
        return not_applicable(*_SHARED_KERNEL)
    return _sysctl(facts, params, "sysctl_kernel_required", "sysctl_kernel_exempt")


def _sysctl(facts: Facts, params: Params, required: str, exempt: str) -> Verdict:
    values = kernel.sysctl(facts)
    exempted = set(params.value(exempt))
    wanted = [kernel.Requirement.parse(text) for text in params.value(required)]
    judged = [requirement for requirement in wanted if requirement.key not in exempted]
    absent = [r.key for r in judged if not kernel.effective(values, r.key)]
    wrong = [problem for requirement in judged for problem in requirement.violations(values)]
    notes = [f"本机内核没有 {'、'.join(absent)}"] if absent else []
    notes += [f"按参数 {exempt} 不判：{'、'.join(sorted(exempted))}"] if exempted else []
    if wrong:
        return failed("、".join(wrong), "；".join(["all 与接口的值合并后的有效值不符合要求", *notes]))
    return passed(f"{len(judged) - len(absent)} 项有效值均符合要求", "；".join(notes))


@check("linux-coredump")
def coredump(facts: Facts, params: Params) -> Verdict:
    """No memory image of a process is left on disk: limits, set-uid programs, systemd-coredump."""
    limits = kernel.core_limits(facts)
    decided = kernel.hard_core_limit(limits)
    wrong = []
    if decided is None:
        wrong.append("limits.conf 与 limits.d 没有为 * 设置 hard core")
    elif decided.value != "0":
        wrong.append(f"* hard core 为 {decided.value}（{decided.place}）")
    else:
        # of the lines for one domain the last one is in force
        others = [kernel.hard_core_limit(limits, domain) for domain in sorted({x.domain for x in limits} - {"*"})]
        wrong += [f"{x.domain} hard core 为 {x.value}（{x.place}）" for x in others if x and x.value != "0"]
    values = kernel.sysctl(facts)
    if values.get("kernel.core_pattern", "").startswith("|") and "systemd-coredump" in values["kernel.core_pattern"]:
        storage = settings(facts, "coredump").get("Storage")
        if storage is None or storage.value.lower() != "none":
            wrong.append(f"systemd-coredump 会保存转储（Storage={storage.value if storage else 'external，默认值'}）")
    note = ""
    if facts.is_container:
        note = "fs.suid_dumpable 属于宿主机内核，不在容器内判定"
    elif values.get("fs.suid_dumpable") != "0":
        wrong.append(f"fs.suid_dumpable={values.get('fs.suid_dumpable', '未知')}")
    if wrong:
        return failed("；".join(wrong), "核心转储可能含口令与业务数据，应限制为 0")
    return passed(f"* hard core 为 0（{decided.place if decided else ''}）", note)


@check("linux-ctrl-alt-del")
def ctrl_alt_del(facts: Facts, params: Params) -> Verdict:
    """Three keys on the console do not restart the host."""
    if facts.is_container:
        return not_applicable("容器", "容器没有自己的控制台键盘，须在承载它的主机上判定")
    found = unit(facts, "ctrl-alt-del.target")
    masked = "masked" in (found.load, found.boot)
    return judge(
        masked,
        f"ctrl-alt-del.target {found.boot or found.load or '未知'}",
        "" if masked else "按下 Ctrl+Alt+Del 会立即重启",
    )


def _audit_day(facts: Facts) -> date:
    return datetime.fromtimestamp(collected_at(facts), UTC).date()


def _metadata_problem(facts: Facts, params: Params) -> tuple[str, bool]:
    """Return why the host cannot know its missing updates ("" when it can), and whether there is no source at all."""
    newest, missing = _newest_metadata(facts)
    if missing:
        return missing, True
    if newest is None:
        return "从未下载过软件源的更新元数据，无法得知有哪些漏洞", True
    days = int((collected_at(facts) - newest.timestamp()) // _DAY)
    if not params.accepts("security_metadata_max_days", max(days, 0)):
        return f"更新元数据已有 {days} 天，没有更新元数据不等于没有漏洞", False
    return "", False


def _newest_metadata(facts: Facts) -> tuple[datetime | None, str]:
    """Return the date of the newest downloaded security metadata, or which kind of source is missing."""
    if facts.family == "rpm":
        rows = [line.split("\t") for line in facts.out("pkg.dnf_lists").splitlines()]
        stamps = [datetime.fromisoformat(row[0]) for row in rows if len(row) > 2 and row[2] == "updateinfo"]
        if rows and not stamps:
            return None, "已启用的软件源都不提供安全公告（updateinfo）"
        return max(stamps, default=None), "" if repos.sources(facts) else "没有启用任何软件源"
    if not any(source.security for source in repos.sources(facts)):
        return None, "没有配置安全更新源"
    stamps = []
    for line in facts.out("pkg.apt_lists").splitlines():
        name, mtime, released, suite, label = [*line.split("\t"), "", "", "", ""][:5]
        if re.search(r"security|[-_]updates", f"{name} {suite} {label}".lower()):
            stamps.append(datetime.fromisoformat(mtime))
            if released:
                stamps.append(parsedate_to_datetime(released))
    return max(stamps, default=None), ""


def _pending(facts: Facts) -> list[dict[str, str]]:
    """Return outstanding security updates: package, installed, available, and for rpm advisory, severity and date."""
    if facts.family == "rpm":
        names: tuple[str, ...] = ("advisory", "severity", "date", "package", "installed", "available")
        text = facts.out("pkg.dnf_security")
    else:
        names = ("package", "installed", "available", "origin")
        text = facts.out("pkg.apt_security")
    return [dict(zip(names, line.split("\t"), strict=False)) for line in text.splitlines() if line]


def _overdue(facts: Facts, params: Params, update: dict[str, str]) -> bool:
    """Return whether an update is severe and old; what says neither severity nor date counts as both."""
    severity, issued = update.get("severity", ""), update.get("date", "")
    severe = not severity or severity.lower() in {word.lower() for word in params.value("security_severities")}
    try:
        days = (_audit_day(facts) - date.fromisoformat(issued)).days
    except ValueError:
        return severe
    return severe and not params.accepts("security_update_max_days", max(days, 0))


def _named(updates: list[dict[str, str]], limit: int = 5) -> str:
    names = [f"{u['package']} {u['installed']}→{u['available']}" for u in updates[:limit]]
    return "、".join(names) + (" 等" if len(updates) > limit else "")


@check("linux-patches")
def patches(facts: Facts, params: Params) -> Verdict:
    """No severe security update waits too long, and the host is in a position to know."""
    updates = _pending(facts)
    problem, without_source = _metadata_problem(facts, params)
    overdue = [update for update in updates if _overdue(facts, params, update)]
    if overdue:
        note = (
            "apt 的元数据不含公告日期，凡未安装的安全更新一律计入"
            if facts.family == "debian"
            else "严重等级以上且超过期限"
        )
        return failed(f"{len(overdue)} 个安全更新未安装：{_named(overdue)}", "；".join(filter(None, [note, problem])))
    if problem:
        return (failed if without_source else partial)("无法证明没有未安装的安全更新", problem)
    if updates:
        return partial(f"{len(updates)} 个安全更新未安装，均在期限内或等级较低：{_named(updates)}", "应在期限内安装")
    return passed("没有未安装的安全更新，更新元数据在有效期内")


@check("linux-os-supported")
def os_supported(facts: Facts, params: Params) -> Verdict:
    """The vendor still mends this release on the day of the audit, by the table of the catalogue."""
    release = _release(facts)
    ends = dict(entry.partition("=")[::2] for entry in params.value("os_end_of_life"))
    if release not in ends:
        return manual(release or "未知", "生命周期表（参数 os_end_of_life）中没有此版本，须凭厂商公布的生命周期核实")
    end = date.fromisoformat(ends[release])
    left = (end - _audit_day(facts)).days
    if left < 0:
        return failed(f"{release} 已于 {end} 停止维护", "停止维护后不再有安全更新；须迁移或购买延长支持并登记")
    if not params.accepts("os_end_of_life_warning_days", left):
        return partial(f"{release} 将于 {end} 停止维护，剩余 {left} 天", "应在停止维护前完成迁移")
    return passed(f"{release} 维护至 {end}")


def _release(facts: Facts) -> str:
    """Return ``ID-VERSION_ID`` of os-release(5), with ``-stream`` for CentOS Stream, which ends on its own dates."""
    lines = facts.text("/etc/os-release").splitlines()
    fields = {key: value.strip("\"'") for key, found, value in (line.partition("=") for line in lines) if found}
    name = fields.get("ID", "") + ("-stream" if "Stream" in fields.get("NAME", "") else "")
    major = fields.get("VERSION_ID", "")
    return f"{name}-{major.split('.')[0] if name in _MAJOR_ONLY else major}" if name and major else ""


# Their life cycle is that of the major release.
_MAJOR_ONLY = frozenset({"rhel", "centos", "centos-stream", "rocky", "almalinux", "ol", "anolis"})


@check("linux-openssh-openssl-version")
def openssh_openssl_version(facts: Facts, params: Params) -> Verdict:
    """OpenSSH and OpenSSL are the distribution's, without a waiting security update and not below a known mend."""
    packages = installed(facts)
    prefixes = params.value("crypto_packages")
    present = {name: p.version for name, p in sorted(packages.items()) if _listed(name, prefixes)}
    if not present:
        return failed(
            "没有发行版的 OpenSSH 或 OpenSSL 软件包", "软件包列表中没有；自行编译的版本得不到发行版的安全更新"
        )
    seen = "、".join(f"{name} {version}" for name, version in present.items())
    foreign = _self_built(facts, {name: upstream_version(version) for name, version in present.items()})
    pending = [update for update in _pending(facts) if _listed(update["package"], prefixes)]
    below = _below_minimum(facts, params, present)
    if foreign or pending or below:
        waiting = [f"有安全更新未安装：{_named(pending)}"] if pending else []
        return failed(seen, "；".join([*foreign, *waiting, *below]))
    problem, _ = _metadata_problem(facts, params)
    if problem:
        return partial(seen, f"未发现低于已知修复版本，但{problem}")
    return passed(seen, "以发行版修复为准：扫描器按版本号报出的漏洞，可用软件包更新日志说明已反向移植")


def _self_built(facts: Facts, versions: dict[str, str]) -> list[str]:
    """Return the programs whose own version is not that of their package: somebody has built them by hand."""
    said = facts.out("pkg.versions")
    found = []
    for program, pattern, names in (
        # without the p number: OpenSSH 10.0p1 itself says 10.0p2
        ("ssh", r"OpenSSH_(\d+\.\d+)", ("openssh-client", "openssh-clients")),
        ("openssl", r"(?m)^OpenSSL (\d+\.[\w.]*)", ("openssl",)),
    ):
        match = re.search(pattern, said)
        package = next((name for name in names if name in versions), "")
        if match is not None and package and not versions[package].startswith(match[1]):
            found.append(f"{program} 自报 {match[1]}，软件包 {package} 是 {versions[package]}，疑为自行编译")
    return found


def _below_minimum(facts: Facts, params: Params, present: dict[str, str]) -> list[str]:
    """Return what is older than the mend of a known severe hole (elements ``release package version CVE``)."""
    release = _release(facts)
    found = []
    for entry in params.value("crypto_minimum_versions"):
        where, package, version, hole = entry.split()
        if where == release and package in present and compare(facts.family, present[package], version) < 0:
            found.append(f"{package} {present[package]} 低于 {hole} 的修复版本 {version}")
    return found


@check("linux-repo-gpgcheck")
def repo_gpgcheck(facts: Facts, params: Params) -> Verdict:
    """Nothing unsigned can be installed from any enabled source."""
    enabled = repos.sources(facts)
    wrong = [f"{source.place}：{source.why}" for source in enabled if not source.verified]
    wrong += repos.loose_apt_settings(facts) if facts.family == "debian" else []
    if wrong:
        return failed("；".join(wrong), "未校验签名的软件源可被中间人植入软件包")
    if not enabled:
        return not_applicable("没有启用任何软件源", "没有可校验的软件源；软件来源须另行核实")
    return passed(f"{len(enabled)} 个软件源均校验签名")
