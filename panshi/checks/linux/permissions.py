"""Who may read and write which file: modes, owners, set-id programs, shared directories (8.1.4.2 a, e, f)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import FactMissing, Facts, Item, accounts, filesystem, shell, systemd
from panshi.facts.filesystem import Found, describe, mode_of, within
from panshi.verdict import Verdict, failed, judge, passed

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Limit:
    """One line ``path mode owner:group[,group]`` of a parameter: the widest accepted permissions of a file.

    Args:
        pattern: path, may hold shell wildcards.
        mode: no bit outside it may be set.
        owner: the only accepted owner.
        groups: accepted groups; any group is fine when the file grants it nothing.
    """

    pattern: str
    mode: int
    owner: str
    groups: tuple[str, ...]

    @classmethod
    def parse(cls, line: str) -> Limit:
        """Read one line of the parameter."""
        pattern, mode, names = line.split()
        owner, _, groups = names.partition(":")
        return cls(pattern, int(mode, 8), owner, tuple(groups.split(",")))

    def problem(self, mode: int, owner: str, group: str) -> str:
        """Return in Chinese what is wider than the limit, "" when nothing is."""
        wrong = []
        if not within(mode, self.mode):
            wrong.append(f"权限应不宽于 {self.mode:04o}")
        if owner != self.owner:
            wrong.append(f"属主应为 {self.owner}")
        if group not in self.groups and mode & 0o070:
            wrong.append(f"属组应为 {' 或 '.join(self.groups)}")
        return "，".join(wrong)


def _listing(found: Iterable[str]) -> str:
    names = list(found)
    more = f" 等 {len(names)} 项" if len(names) > _SHOWN else ""
    return "、".join(names[:_SHOWN]) + more


def _by_limits(facts: Facts, lines: Iterable[str]) -> Verdict:
    """Judge every existing file that a list of limits names."""
    wrong, seen = [], 0
    for limit in map(Limit.parse, lines):
        for item in _files(facts, limit.pattern):
            seen += 1
            problem = limit.problem(mode_of(item), item.stat["owner"], item.stat["group"])
            if problem:
                wrong.append((describe(item), f"{item.id[5:]} {problem}"))
    if not seen:
        raise FactMissing("要求检查的文件一个也没有采集到")
    if wrong:
        return failed(_listing(text for text, _ in wrong), _listing(why for _, why in wrong))
    return passed(f"{seen} 个文件的权限与属主均不宽于要求")


def _files(facts: Facts, pattern: str) -> list[Item]:
    if "*" in pattern:
        return facts.glob(pattern)
    item = facts.file(pattern)
    return [item] if item is not None else []


@check("linux-perm-account-files")
def perm_account_files(facts: Facts, params: Params) -> Verdict:
    """Account files and their backups are not wider than the family's own packaging needs."""
    name = "account_file_modes_rpm" if facts.family == "rpm" else "account_file_modes_debian"
    return _by_limits(facts, params.value(name))


@check("linux-perm-sshd-config")
def perm_sshd_config(facts: Facts, params: Params) -> Verdict:
    """The SSH server's configuration and private host keys are for root only."""
    return _by_limits(facts, params.value("ssh_file_modes"))


def _unlisted(found: Iterable[Found], allowed: Iterable[str]) -> list[Found]:
    """Return what no pattern allows; /bin, /sbin and /lib count as /usr/…, which they are since usrmerge."""
    patterns = list(allowed)
    return [f for f in found if not any(fnmatchcase(_merged(f.path), _merged(pattern)) for pattern in patterns)]


def _merged(path: str) -> str:
    return f"/usr{path}" if path.startswith(("/bin/", "/sbin/", "/lib/", "/lib64/")) else path


def _complete(scan: filesystem.Scan, *kinds: str) -> None:
    """A clean but cut list proves nothing."""
    if scan.cut(*kinds):
        raise FactMissing(
            f"文件系统扫描结果被截断（{'、'.join(sorted(scan.truncated & set(kinds)))}），无法判定没有其他文件"
        )


def _none_left(facts: Facts, left: Iterable[Found], kinds: tuple[str, ...], fine: str, why: str) -> Verdict:
    names = [f.text for f in left]
    if names:
        return failed(f"{len(names)} 个：{_listing(names)}", why)
    _complete(filesystem.scan(facts), *kinds)
    return passed(fine)


@check("linux-perm-config-exec")
def perm_config_exec(facts: Facts, params: Params) -> Verdict:
    """Nobody but the owner writes configuration files and programs."""
    kinds = ("etc_wide", "exec_wide")
    bits = int(params.value("shared_write_bits"), 8)
    wide = [f for f in filesystem.scan(facts).of(*kinds) if f.mode & bits]
    left = _unlisted(wide, params.value("wide_mode_exceptions"))
    return _none_left(facts, left, kinds, "/etc 与程序目录下没有属组或其他人可写的文件", f"权限含 {bits:04o} 中的写位")


@check("linux-world-writable")
def world_writable(facts: Facts, params: Params) -> Verdict:
    """No world-writable file; a world-writable directory carries the sticky bit."""
    kinds = ("ww_file", "ww_dir")
    left = _unlisted(filesystem.scan(facts).of(*kinds), params.value("world_writable_exceptions"))
    fine = "没有任何人可写的文件；公共目录均有粘滞位"
    return _none_left(facts, left, kinds, fine, "任何人可写的文件，或没有粘滞位的公共目录")


@check("linux-suid-sgid")
def suid_sgid(facts: Facts, params: Params) -> Verdict:
    """Every set-id program is in the baseline of the family or of the estate."""
    kinds = ("suid", "sgid")
    name = "suid_baseline_rpm" if facts.family == "rpm" else "suid_baseline_debian"
    found = filesystem.scan(facts).of(*kinds)
    left = _unlisted(found, [*params.value(name), *params.value("suid_site_baseline")])
    fine = f"{len(found)} 个 SUID/SGID 程序均在基线内"
    return _none_left(facts, left, kinds, fine, f"不在基线 {name} 与 suid_site_baseline 中，须确认来源或取消特权位")


@check("linux-root-path")
def root_path(facts: Facts, params: Params) -> Verdict:
    """Root's PATH has no relative or empty part and no directory that somebody else can fill."""
    parts = shell.variables(facts, shell.LOGIN).get("PATH", "").split(":")
    wrong = [f"“{part}”是相对或空的目录" for part in parts if not part.startswith("/")]
    owners = params.value("root_path_owners")
    for line in facts.out("shell.root_path_dirs").splitlines():
        mode, owner, _, path = line.split(" ", 3)
        if not path.startswith("/") or mode == "missing":
            continue
        if int(mode, 8) & 0o002:
            wrong.append(f"{path} 任何人可写（{mode}）")
        if owner not in owners:
            wrong.append(f"{path} 属于 {owner}")
    return judge(not wrong, f"PATH={':'.join(parts)}", "；".join(wrong))


@check("linux-home-perms")
def home_perms(facts: Facts, params: Params) -> Verdict:
    """Homes of people are closed to others, and nobody else can write their dot files."""
    limit, bits = int(params.value("home_mode"), 8), int(params.value("shared_write_bits"), 8)
    # packages place the homes of system accounts in shared directories such as /usr/games
    system = {account.name for account in accounts.accounts(facts) if account.kind == "system"}
    exempt = {*params.value("home_mode_exceptions"), *system}
    wrong, seen = [], 0
    for line in facts.out("fs.homes").splitlines():
        kind, account, mode, owner, _, path = line.split(" ", 5)
        if account in exempt or mode in ("missing", "remote") or path == "/":
            continue
        seen += kind == "home"
        if kind == "home" and not within(int(mode, 8), limit):
            wrong.append(f"{path}（{mode} {owner}）宽于 {limit:04o}")
        elif kind == "home" and owner not in (account, "root"):
            wrong.append(f"{path} 属于 {owner} 而不是 {account}")
        elif kind == "dotfile" and int(mode, 8) & bits:
            wrong.append(f"{path}（{mode} {owner}）可被属组或其他人写")
    if wrong:
        return failed(_listing(wrong), "可登录账户的主目录或其中的隐藏文件权限过宽")
    return passed(f"{seen} 个可登录账户的主目录均不宽于 {limit:04o}")


@check("linux-perm-cron")
def perm_cron(facts: Facts, params: Params) -> Verdict:
    """Cron tables are for root only, and who may use cron and at is listed by name."""
    entries = {}
    for line in facts.out("cron.files").splitlines():
        mode, owner, group, _, _, path = line.split(" ", 5)
        entries[path] = Found("cron", int(mode, 8), owner, group, path)
    wrong = []
    for limit in map(Limit.parse, params.value("cron_file_modes")):
        found = entries.get(limit.pattern)
        problem = limit.problem(found.mode, found.owner, found.group) if found else ""
        if found and problem:
            wrong.append(f"{found.text} {problem}")
    for service, units in (("cron", ("cron", "crond")), ("at", ("atd",))):
        if not any(systemd.unit(facts, name).exists for name in units):
            continue
        if f"/etc/{service}.allow" not in entries:
            wrong.append(f"没有 /etc/{service}.allow，未列入 {service}.deny 的账户都可使用 {service}")
        if f"/etc/{service}.deny" in entries:
            wrong.append(f"存在 /etc/{service}.deny，应只保留允许名单")
    if wrong:
        return failed(_listing(wrong), "计划任务的文件或使用名单宽于要求")
    return passed("计划任务文件不宽于要求，使用者由允许名单限定" if entries else "没有计划任务文件")
