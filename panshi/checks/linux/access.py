"""What accounts get by default: umask, default accounts, expiry, anonymous shares, MAC (8.1.4.2 a, b, c, g)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import Facts, accounts, logindefs
from panshi.verdict import Verdict, failed, judge, not_applicable, partial, passed

_UMASK = re.compile(r"(?P<indent>\s*)(?:\S.*[;&]\s*)?umask\s+(?P<value>[0-7]{1,4})\b")
_YES = ("yes", "true", "1")


def _umask_lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield line number, umask and whether the line stands outside every condition (no indentation)."""
    for number, line in enumerate(text.splitlines(), start=1):
        found = _UMASK.match(line.split("#", 1)[0])
        if found is not None:
            yield number, f"{int(found['value'], 8):04o}", not found["indent"]


def _deciding_umasks(facts: Facts) -> list[tuple[str, str]]:
    """Return (umask, place) of every line that decides for some account.

    An unconditional line of /etc/profile.d comes last in a login shell and decides alone. Without one every line
    counts, because the conditions of EL's /etc/profile treat people (uid above 199) differently from root. When no
    profile sets it, pam_umask takes it from login.defs, which also decides for homes that useradd makes.
    """
    decided: list[tuple[str, str]] = []
    alone = False
    for item in facts.glob("/etc/profile.d/*.sh"):
        for number, value, always in _umask_lines(item.out):
            decided = [*([] if always else decided), (value, f"{item.id[5:]} 第 {number} 行")]
            alone = alone or always
    for path in () if alone else ("/etc/profile", "/etc/bashrc", "/etc/bash.bashrc"):
        decided += [(value, f"{path} 第 {number} 行") for number, value, _ in _umask_lines(facts.text(path))]
    value = logindefs.text(facts, "UMASK")
    if re.fullmatch("[0-7]{1,4}", value):
        decided.append((f"{int(value, 8):04o}", logindefs.place(facts, "UMASK")))
    return decided


@check("linux-umask")
def umask(facts: Facts, params: Params) -> Verdict:
    """New files of every account are closed to writing by others, whichever profile line decides."""
    decided = _deciding_umasks(facts)
    seen = "、".join(f"{value}（{place}）" for value, place in decided)
    wrong = [f"{place} 设为 {value}" for value, place in decided if not params.accepts("umask", value)]
    if not decided:
        return failed(
            "没有设置 umask", "/etc/profile、/etc/profile.d、bashrc 与 /etc/login.defs 均未设置，取决于启动方式"
        )
    return judge(not wrong, seen, "；".join(wrong))


@check("linux-default-accounts-locked")
def default_accounts_locked(facts: Facts, params: Params) -> Verdict:
    """Accounts that the distribution brings cannot be used to log in."""
    listed = set(params.value("default_accounts"))
    present = [a for a in accounts.accounts(facts) if a.name in listed and a.uid != 0]
    wrong = []
    for account in present:
        if account.has_password:
            wrong.append(f"{account.name} 有可用口令" if account.state == "set" else f"{account.name} 口令为空")
        if account.interactive:
            wrong.append(f"{account.name} 的 shell 是 {account.shell or '/bin/sh'}")
    if wrong:
        return failed("、".join(wrong), "系统默认账户应锁定口令并使用 nologin（/etc/passwd、/etc/shadow）")
    return passed(f"{len(present)} 个系统默认账户均已锁定且不能登录")


@check("linux-inactive-lock")
def inactive_lock(facts: Facts, params: Params) -> Verdict:
    """New accounts are disabled some days after their password has expired; -1 means never (useradd(8))."""
    value = logindefs.useradd_defaults(facts).get("INACTIVE", "")
    days = int(value) if re.fullmatch(r"-?\d+", value) else None
    place = next(
        (
            f"/etc/default/useradd 第 {number} 行"
            for number, line in enumerate(facts.text("/etc/default/useradd").splitlines(), start=1)
            if line.strip().startswith("INACTIVE=")
        ),
        "useradd 默认值",
    )
    return judge(params.accepts("inactive_days", days), f"INACTIVE={value or '未知'}", f"由 {place} 决定")


def _vsftpd_anonymous(facts: Facts) -> Iterator[str]:
    for item in [*facts.glob("/etc/vsftpd.conf"), *facts.glob("/etc/vsftpd/*.conf")]:
        found = re.findall(r"(?mi)^\s*anonymous_enable\s*=\s*(\w+)", item.out)
        # vsftpd.conf(5): anonymous access is on unless the file says no
        if (found[-1] if found else "yes").lower() in _YES:
            how = "anonymous_enable=YES" if found else "未设置 anonymous_enable，默认 YES"
            yield f"vsftpd 允许匿名（{item.id[5:]} {how}）"


def _proftpd_anonymous(facts: Facts) -> Iterator[str]:
    for item in facts.glob("/etc/proftpd/*.conf"):
        if re.search(r"(?mi)^\s*<Anonymous\b", item.out):
            yield f"proftpd 有 <Anonymous> 段（{item.id[5:]}）"


def _samba_guests(facts: Facts) -> Iterator[str]:
    section = ""
    for line in facts.text("/etc/samba/smb.conf").splitlines():
        if found := re.match(r"\s*\[(.+?)\]", line):
            section = found[1]
        elif (found := re.match(r"\s*(guest ok|public)\s*=\s*(\w+)", line, re.I)) and found[2].lower() in _YES:
            yield f"Samba 共享 [{section}] 允许来宾（{found[1].lower()} = {found[2]}）"


def _open_exports(facts: Facts) -> Iterator[str]:
    """Yield exports without a client limit, from the kernel's table (path, then ``client(options)``)."""
    exports = facts.item("net.exports")
    if exports.absent:
        return
    for line in facts.out("net.exports").splitlines():
        path, _, clients = line.replace("\t", " ").partition(" ")
        for client in clients.split():
            if re.match(r"(\*|<world>|0\.0\.0\.0/0|::/0)?\(", client):
                yield f"NFS 导出 {path} 未限制客户端"


@check("linux-anonymous-services")
def anonymous_services(facts: Facts, params: Params) -> Verdict:
    """No share and no FTP lets in somebody without a name."""
    found = [f(facts) for f in (_vsftpd_anonymous, _proftpd_anonymous, _samba_guests, _open_exports)]
    wrong = [text for texts in found for text in texts]
    if wrong:
        return failed("；".join(wrong), "匿名或来宾无须鉴别即可访问")
    return passed("FTP、Samba、NFS 均未向匿名者开放")


@check("linux-mac-enforcing")
def mac_enforcing(facts: Facts, params: Params) -> Verdict:
    """A mandatory access control of the kernel is enforced, now and after the next boot."""
    if facts.is_container:
        return not_applicable("容器", "容器共享宿主机内核，须在承载它的主机上判定")
    selinux, apparmor, kysec = (facts.item(f"mac.{name}") for name in ("selinux", "apparmor", "kysec"))
    state = selinux.out.strip().lower() if selinux.ok else ""
    if params.accepts("selinux_mode", state):
        boot = re.search(r"(?m)^\s*SELINUX=(\w+)", facts.text("/etc/selinux/config"))
        if boot is not None and not params.accepts("selinux_mode", boot[1].lower()):
            return partial(f"SELinux {state}", f"/etc/selinux/config 写的是 {boot[1]}，重启后失效")
        return passed(f"SELinux {state}")
    counts = dict(line.split()[:2] for line in apparmor.lines() if len(line.split()) >= 2) if apparmor.ok else {}
    enforced = int(counts.get("enforce", "0")) if counts.get("enabled") == "Y" else 0
    if params.accepts("apparmor_enforced", enforced):
        return passed(f"AppArmor 已启用，{enforced} 个配置文件处于 enforce")
    if kysec.ok and re.search(r"(?mi)status\W+(enabled|enforcing)\s*$|状态\W+(开启|启用|强制)", kysec.out):
        return passed(f"kysec 已启用：{kysec.lines()[0]}")
    seen = [f"SELinux {state or '没有'}", f"AppArmor {'enforce ' + str(enforced) if apparmor.ok else '没有'}"]
    seen.append(f"kysec {kysec.lines()[0] if kysec.ok and kysec.lines() else '没有'}")
    return failed("，".join(seen), "没有一种强制访问控制处于强制状态")
