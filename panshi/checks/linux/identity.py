"""8.1.4.1 a), identity: every login is one person, and none gets in without proving who it is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import Facts, accounts, filesystem, sshd, systemd
from panshi.verdict import Verdict, failed, judge, not_applicable, partial, passed

_CONTAINER = "容器共享宿主机内核，须在承载它的主机上判定"
_TRUE = frozenset(("true", "1", "yes", "on"))


@check("linux-no-empty-password")
def no_empty_password(facts: Facts, params: Params) -> Verdict:
    """No account opens without a password."""
    empty = [a for a in accounts.accounts(facts) if a.state == "empty"]
    if not empty:
        return passed("没有空口令账户", "account.shadow 与 /etc/passwd 第 2 字段")
    return failed(f"空口令账户：{'、'.join(a.name for a in empty)}", "口令字段为空，无需口令即可登录")


def _duplicates(pairs: Iterable[tuple[Hashable, str]]) -> dict[Hashable, list[str]]:
    by_key: dict[Hashable, list[str]] = defaultdict(list)
    for key, name in pairs:
        by_key[key].append(name)
    return {key: names for key, names in by_key.items() if len(names) > 1}


@check("linux-uid-unique")
def uid_unique(facts: Facts, params: Params) -> Verdict:
    """One UID, one account: files and audit records name the UID only."""
    shared = _duplicates((a.uid, a.name) for a in accounts.accounts(facts))
    if not shared:
        return passed("UID 没有重复", "/etc/passwd")
    text = "；".join(f"UID {uid}：{'、'.join(names)}" for uid, names in shared.items())
    return failed(text, "/etc/passwd：共用 UID 的账户在审计记录和文件属主中无法区分")


@check("linux-username-unique")
def username_unique(facts: Facts, params: Params) -> Verdict:
    """Account names, group names and GIDs are unique."""
    groups = accounts.groups(facts)
    text = [
        f"账户名 {name} 出现 {len(n)} 次"
        for name, n in _duplicates((a.name, a.name) for a in accounts.accounts(facts)).items()
    ]
    text += [f"组名 {name} 出现 {len(n)} 次" for name, n in _duplicates((g.name, g.name) for g in groups).items()]
    text += [f"GID {gid}：{'、'.join(names)}" for gid, names in _duplicates((g.gid, g.name) for g in groups).items()]
    if text:
        return failed("；".join(text), "/etc/passwd、/etc/group：后出现的同名行不起作用，同号的组权限相同")
    return passed("账户名、组名和 GID 均不重复", "/etc/passwd、/etc/group")


@check("linux-uid0-only-root")
def uid0_only_root(facts: Facts, params: Params) -> Verdict:
    """Only root has UID 0."""
    names = [a.name for a in accounts.accounts(facts) if a.uid == 0]
    others = [name for name in names if name != "root"]
    if others:
        return failed(f"UID 为 0 的其他账户：{'、'.join(others)}", "/etc/passwd：这些账户就是 root")
    return judge(names == ["root"], f"UID 为 0 的账户：{'、'.join(names) or '无'}", "/etc/passwd")


@check("linux-no-rhosts")
def no_rhosts(facts: Facts, params: Params) -> Verdict:
    """Nobody is let in because of the host that he comes from."""
    scan = filesystem.scan(facts)
    found = [f"{found.path} 存在" for found in scan.of("rhosts")]
    if scan.cut("rhosts"):
        found.append("信任主机文件过多，清单不完整")
    if sshd.installed(facts):
        for keyword, wanted in (("ignorerhosts", "yes"), ("hostbasedauthentication", "no")):
            value = sshd.value(facts, keyword)
            if value and value != wanted:
                found.append(f"sshd {keyword} {value}（{sshd.origin(facts, keyword)}）")
    if found:
        return failed("；".join(found), "按来源主机信任登录者，不再鉴别身份")
    return passed("没有信任主机文件，sshd 不按主机信任", "全盘扫描与 sshd -T")


@check("linux-ssh-empty-passwords")
def ssh_empty_passwords(facts: Facts, params: Params) -> Verdict:
    """The SSH server refuses empty passwords."""
    if not sshd.installed(facts):
        return not_applicable("未安装 sshd", "主机没有 SSH 服务")
    value = sshd.value(facts, "permitemptypasswords")
    origin = sshd.origin(facts, "permitemptypasswords")
    inside = [s for s in sshd.match_overrides(facts, "permitemptypasswords") if s.value.lower() == "yes"]
    if value == "no" and inside:
        return failed("部分连接允许空口令", inside[0].place)
    return judge(value == "no", f"PermitEmptyPasswords {value}", origin)


def _ini(text: str) -> Iterable[tuple[int, str, str]]:
    """Yield line number, lower-case key and value of an ini file, whatever the section."""
    for number, line in enumerate(text.splitlines(), 1):
        key, equals, value = line.split("#", 1)[0].partition("=")
        if equals:
            yield number, key.strip().lower(), value.strip()


def _automatic_logins(facts: Facts) -> list[str]:
    found = []
    for pattern in ("/etc/lightdm/*.conf", "/etc/lightdm/lightdm.conf.d/*"):
        for item in facts.glob(pattern):
            hits = [(n, v) for n, key, v in _ini(item.out) if key == "autologin-user" and v]
            found += [f"图形登录自动进入 {v}（{item.id[5:]} 第 {n} 行）" for n, v in hits]
    for item in facts.glob("/etc/gdm*/*.conf"):
        keys = ("automaticloginenable", "timedloginenable")
        hits = [(n, key) for n, key, v in _ini(item.out) if key in keys and v.lower() in _TRUE]
        found += [f"图形登录自动进入（{item.id[5:]} 第 {n} 行）" for n, _ in hits]
    for pattern in ("getty@*", "serial-getty@*", "console-getty*"):
        for item in facts.glob(f"/etc/systemd/system/{pattern}.d/*"):
            lines = enumerate(item.out.splitlines(), 1)
            hit = [n for n, line in lines if re.match(r"\s*ExecStart=.*agetty.*\s(--autologin|-a)\b", line)]
            found += [f"控制台自动登录（{item.id[5:]} 第 {n} 行）" for n in hit]
    members = [m for g in accounts.groups(facts) if g.name == "nopasswdlogin" for m in g.members]
    if members:
        found.append(f"免口令图形登录：{'、'.join(members)}（nopasswdlogin 组）")
    return found


@check("linux-no-autologin")
def no_autologin(facts: Facts, params: Params) -> Verdict:
    """Neither desktop nor console logs anybody in by itself."""
    found = _automatic_logins(facts)
    if found:
        return failed("；".join(found), "开机即进入会话，没有身份鉴别")
    return passed("没有自动登录", "lightdm、gdm、getty 配置与 nopasswdlogin 组")


def _rescue_problems(facts: Facts) -> list[str]:
    problems = []
    for name in ("rescue", "emergency"):
        starts = systemd.unit(facts, f"{name}.service").properties.get("ExecStart", "")
        forced = [
            item.id[5:]
            for folder in ("/etc", "/usr/lib", "/lib")
            for item in facts.glob(f"{folder}/systemd/system/{name}.service*")
            if re.search(r"^\s*Environment=.*SYSTEMD_SULOGIN_FORCE=[\"']?(1|y|t|on)", item.out, re.M | re.I)
        ]
        if "sulogin" not in starts:
            problems.append(f"{name}.service 不经 sulogin 就给出 root 命令行")
        elif forced or "--force" in starts:
            problems.append(f"{name}.service 在 root 无口令时免鉴别（{forced[0] if forced else 'sulogin --force'}）")
    if any(a.name == "root" and a.state == "empty" for a in accounts.accounts(facts)):
        problems.append("root 口令为空，sulogin 形同虚设")
    return problems


def _boot_loader_protected(facts: Facts) -> bool:
    """Return whether GRUB asks for a password before a menu entry or the kernel command line can be changed.

    The RPM family ships /etc/grub.d/01_users, whose lines are in grub.cfg even without a password; there only
    GRUB2_PASSWORD in user.cfg, or more password lines than the template has, count.
    """
    lines = facts.out("grub.password").splitlines()
    stored = [line for line in lines if re.match(r"/boot/\S*user\.cfg:GRUB2_PASSWORD=", line)]
    configured = [line for line in lines if re.match(r"/boot/\S*grub\.cfg:\s*password", line)]
    template = [line for line in lines if re.match(r"/etc/grub\.d/01_users:\s*password", line)]
    superusers = any(re.match(r"/boot/\S*grub\.cfg:.*superusers", line) for line in lines)
    return superusers and bool(stored or len(configured) > len(template))


@check("linux-single-user-auth")
def single_user_auth(facts: Facts, params: Params) -> Verdict:
    """Rescue mode asks for root's password, and the boot loader does not let anybody go around it."""
    if facts.is_container:
        return not_applicable("容器", _CONTAINER)
    problems = _rescue_problems(facts)
    loader = facts.out("grub.password").partition("\n")[0].removeprefix("boot_loader ")
    if loader == "none":
        where = "主机内没有引导程序（由虚拟化平台直接加载内核）"
        return failed("；".join(problems), where) if problems else passed("救援模式需要 root 口令", where)
    if not _boot_loader_protected(facts):
        problems.append(f"引导程序 {loader} 没有口令，可改内核参数绕过鉴别")
    if not problems:
        return passed("救援模式和引导程序都需要口令", "rescue、emergency 单元与 GRUB 配置")
    only_loader = problems[0].startswith("引导程序")
    return (partial if only_loader else failed)("；".join(problems), "rescue、emergency 单元与 GRUB 配置")
