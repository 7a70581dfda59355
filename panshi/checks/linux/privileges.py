"""Least privilege: sudo, su, the three administrators, and services that need no root (8.1.4.2 d, e)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import Facts, accounts, packages, pam, sudo
from panshi.facts.sudo import Grant, Sudoers
from panshi.verdict import Verdict, failed, judge, not_applicable, partial, passed

# sudo's release notes: use_pty became the default with 1.9.14 (2023); timestamp_timeout is 5 minutes by default.
_USE_PTY_DEFAULT_SINCE = "1.9.14"
_TIMEOUT_DEFAULT = "5"
_ROLES = {"系统": "role_system", "安全": "role_security", "审计": "role_audit"}


def _root_equivalent(command: str, programs: Iterable[str]) -> bool:
    """Return whether a granted command opens everything: ALL, or a program of the list with free arguments."""
    if command == "ALL":
        return True
    path, _, arguments = command.partition(" ")
    if command.startswith("!") or arguments.strip() not in ("", '""', "*", "-", "root", "- root", "-l", "-i"):
        return False
    directory, _, name = path.rpartition("/")
    if not name:  # sudoers(5): a path that ends in a slash stands for every program of the directory
        return directory in ("/bin", "/sbin", "/usr/bin", "/usr/sbin")
    return any(fnmatchcase(program, name) for program in programs)


def _hostname(facts: Facts) -> str:
    return str(facts.document.get("hostname", ""))


def _powerful(policy: Sudoers, hostname: str, programs: Iterable[str]) -> list[Grant]:
    """Return the grants for this host that amount to being root."""
    names = list(programs)
    here = [g for g in policy.grants if g.command != "ALL" and sudo.as_root(g) and sudo.applies(g.hosts, hostname)]
    return [*sudo.full_grants(policy, hostname), *(g for g in here if _root_equivalent(g.command, names))]


@check("linux-sudo-restricted")
def sudo_restricted(facts: Facts, params: Params) -> Verdict:
    """Only the listed administrators become root by sudo, and only the listed automation without a password."""
    policy = sudo.read(facts)
    if policy is None:
        return not_applicable("未安装 sudo", "没有 /etc/sudoers，不存在 sudo 授权")
    admins = set(params.value("sudo_full_subjects"))
    automation = set(params.value("sudo_nopasswd_subjects"))
    wrong: list[tuple[str, str]] = []
    fine: list[str] = []
    for grant in _powerful(policy, _hostname(facts), params.value("sudo_root_equivalents")):
        free = grant.nopasswd or _no_authentication(policy)
        for subject in sudo.subjects(grant):
            accepted = subject in automation or (subject in admins and not (free and subject != "root"))
            text = f"{subject} {'免口令 ' if free else ''}{grant.command}"
            if accepted:
                fine.append(text)
            else:
                wrong.append((text, f"{grant.place}：{text}"))
    for user, place in _freed(policy):
        if user not in automation | {"root"}:
            wrong.append((f"{user} 免口令", f"{place}：Defaults:{user} !authenticate"))
    if policy.broken:
        wrong += [("无法识别的 sudoers 行", place) for place in policy.broken]
    if wrong:
        return failed("、".join(dict.fromkeys(t for t, _ in wrong)), "；".join(dict.fromkeys(w for _, w in wrong)))
    return passed(f"等同 root 的授权只有：{'、'.join(dict.fromkeys(fine)) or '无'}")


def _no_authentication(policy: Sudoers) -> bool:
    """Return whether ``Defaults !authenticate`` lifts the password for everybody (on this host, if it names hosts)."""
    found = [d.value for d in policy.defaults if d.name == "authenticate" and d.scope[:1] in ("", "@")]
    return bool(found) and found[-1] is False


def _freed(policy: Sudoers) -> list[tuple[str, str]]:
    """Return (user, place) of every ``Defaults:user !authenticate``: no password for whatever the user may run."""
    lines = [d for d in policy.defaults if d.name == "authenticate" and d.value is False and d.scope.startswith(":")]
    return [(user, d.place) for d in lines for user in d.scope[1:].split(",")]


@check("linux-sudo-pty")
def sudo_pty(facts: Facts, params: Params) -> Verdict:
    """Sudo gives each command its own terminal and asks again after a short while."""
    policy = sudo.read(facts)
    if policy is None:
        return not_applicable("未安装 sudo", "没有 /etc/sudoers，不存在 sudo 会话")
    wrong: list[str] = []
    pty = policy.default("use_pty")
    version = packages.upstream_version(packages.installed(facts)["sudo"].version)
    by_default = packages.compare(facts.family, version, _USE_PTY_DEFAULT_SINCE) >= 0
    use_pty = bool(pty.value) if pty is not None else by_default
    if not params.accepts("sudo_use_pty", use_pty):
        wrong.append(f"use_pty 关闭（{pty.place if pty is not None else f'sudo {version} 默认值'}）")
    timeout = policy.default("timestamp_timeout")
    minutes = str(timeout.value) if timeout is not None else _TIMEOUT_DEFAULT
    if not params.accepts("sudo_timestamp_timeout", _whole_minutes(minutes)):
        wrong.append(f"timestamp_timeout={minutes}（{timeout.place if timeout is not None else 'sudo 默认值'}）")
    weaker = [d for d in policy.defaults if d.scope and d.name == "use_pty" and d.value is False]
    wrong += [f"use_pty 对 {d.scope} 关闭（{d.place}）" for d in weaker]
    return judge(
        not wrong, f"use_pty {'开启' if use_pty else '关闭'}，timestamp_timeout {minutes} 分钟", "；".join(wrong)
    )


def _whole_minutes(text: str) -> int | None:
    """Return minutes rounded up; sudoers(5): a negative value never expires, fractions are allowed."""
    try:
        return math.ceil(float(text)) if float(text) >= 0 else math.floor(float(text))
    except ValueError:
        return None


@check("linux-su-wheel")
def su_wheel(facts: Facts, params: Params) -> Verdict:
    """Only members of the administrators' group can su: pam_wheel really keeps others out of every su service."""
    wrong: list[str] = []
    fine: list[str] = []
    for service in ("su", "su-l"):
        if not pam.has_service(facts, service):
            continue
        rules = pam.stack(facts, service, "auth")
        if _passes_without_group(facts, rules):
            wrong.append(f"{service}：不在管理组内的账户凭口令即可通过 /etc/pam.d/{service} 的 auth 栈")
        else:
            guards = [f"{r.place} {' '.join(r.args)}".strip() for r in rules if r.module == "pam_wheel.so"]
            fine.append(f"{service}：{'、'.join(guards) or '拒绝所有账户'}")
    if not wrong and not fine:
        return not_applicable("没有 su 的 PAM 配置", "主机上没有 su")
    why = "auth 栈中没有起作用的 pam_wheel（required，且不带 deny/trust 放行）" if wrong else ""
    return judge(not wrong, "；".join([*fine, *wrong]), why)


def _passes_without_group(facts: Facts, rules: tuple[pam.Rule, ...]) -> bool:
    """Walk the stack as an account outside the group that knows the password."""

    def wheel(rule: pam.Rule) -> str:
        if rule.module != "pam_wheel.so":
            return ""
        return "ignore" if rule.option("deny") is not None else "perm_denied"

    return pam.walk(rules, pam.answer_for(pam.Scene(right=True), pam.modules(facts), wheel)).granted


def _role_members(facts: Facts, names: Iterable[str]) -> set[str]:
    """Return the accounts behind the names of a role, each of which may be a group or an account."""
    wanted = set(names)
    known = {a.name: a.gid for a in accounts.accounts(facts)}
    groups = [g for g in accounts.groups(facts) if g.name in wanted]
    members = {member for g in groups for member in g.members} | wanted
    members |= {name for name, gid in known.items() if gid in {g.gid for g in groups}}
    return members & set(known)


def _groups_by_account(facts: Facts, names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of all groups, primary and further, of each account."""
    primary = {a.name: a.gid for a in accounts.accounts(facts)}
    groups = accounts.groups(facts)
    return {name: [g.name for g in groups if name in g.members or g.gid == primary.get(name)] for name in names}


@check("linux-three-roles")
def three_roles(facts: Facts, params: Params) -> Verdict:
    """System, security and audit administrators exist, are different people and hold different powers."""
    policy = sudo.read(facts) or Sudoers()
    here = [g for g in policy.grants if sudo.applies(g.hosts, _hostname(facts))]
    powerful = _powerful(policy, _hostname(facts), params.value("sudo_root_equivalents"))
    named = {title: params.value(parameter) for title, parameter in _ROLES.items()}
    roles = {title: _role_members(facts, names) for title, names in named.items()}
    groups = _groups_by_account(facts, set().union(*roles.values()))
    missing = [f"{title}管理员（{'、'.join(named[title])}）" for title, members in roles.items() if not members]
    powers: dict[str, set[str]] = {}
    wrong: list[str] = []
    for title, members in roles.items():
        if not members:
            continue
        granted = [g for g in here if any(sudo.favours(g, m, groups[m]) for m in members)]
        powers[title] = {g.command for g in granted if not g.command.startswith("!")}
        full = {m for m in members for g in powerful if sudo.favours(g, m, groups[m])}
        if full:
            wrong.append(f"{title}管理员 {'、'.join(sorted(full))} 经 sudo 等同 root")
        if not powers[title]:
            wrong.append(f"{title}管理员没有任何 sudo 命令，职责落不到账户上")
    for left, right in combinations(powers, 2):
        if both := roles[left] & roles[right]:
            wrong.append(f"{'、'.join(sorted(both))} 兼任{left}与{right}管理员")
        elif powers[left] and powers[right] and (powers[left] <= powers[right] or powers[right] <= powers[left]):
            wrong.append(f"{left}与{right}管理员的 sudo 命令没有分开")
    seen = "；".join(f"{title}：{'、'.join(sorted(members)) or '无'}" for title, members in roles.items())
    if not powers:
        return failed(seen, f"没有{'、'.join(missing)}的组或账户")
    problems = [*(f"缺少{m}" for m in missing), *wrong]
    return partial(seen, "；".join(problems)) if problems else passed(seen)


@dataclass(frozen=True, slots=True)
class Process:
    """One process; ``names`` are its command, executable and, for interpreters, main class or script."""

    user: str
    euid: int
    pid: int
    ppid: int
    names: set[str]


def _only_master(process: Process, services: Iterable[Process], masters: set[str]) -> bool:
    """Return whether a root process is a known master whose workers all gave up root."""
    workers = [p for p in services if p.ppid == process.pid and p.names & process.names]
    return bool(process.names & masters) and bool(workers) and all(p.euid != 0 for p in workers)


def _processes(facts: Facts) -> list[Process]:
    rows = (line.split("\t") for line in facts.out("proc.list").splitlines())
    return [Process(r[0], int(r[2]), int(r[3]), int(r[4]), {*r[5:8]} - {""}) for r in rows if len(r) >= 7]


@check("linux-services-nonroot")
def services_nonroot(facts: Facts, params: Params) -> Verdict:
    """Data bases, middleware and applications do not run as root; a master that only hands work to others may."""
    listed, masters = set(params.value("service_processes")), set(params.value("service_masters"))
    services = [p for p in _processes(facts) if p.names & listed]
    wrong = [p for p in services if p.euid == 0 and not _only_master(p, services, masters)]
    if wrong:
        seen = "、".join(f"{'/'.join(sorted(p.names & listed))}（pid {p.pid}，{p.user}）" for p in wrong)
        return failed(seen, "这些服务进程的有效用户是 root（见 proc.list）")
    names = sorted({name for p in services for name in p.names & listed})
    return passed(f"{'、'.join(names)} 未以 root 运行" if names else "没有运行数据库、中间件或应用进程")
