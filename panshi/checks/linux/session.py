"""8.1.4.1 b), sessions: an idle or half-open one ends by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from panshi.checks.registry import check
from panshi.controls.params import Params
from panshi.facts import Facts, accounts, packages, shell, sshd, systemd
from panshi.verdict import Verdict, failed, judge, manual, not_applicable, partial, passed

_DISPLAY_MANAGERS = ("gdm", "gdm3", "lightdm", "sddm", "lxdm", "xdm", "slim", "wdm", "display-manager")
# Desktops whose idle lock is kept in places that no system-wide text file shows.
_OTHER_DESKTOPS = ("ukui-session-manager", "startdde", "dde-session-shell", "plasma-desktop", "xfce4-session")
_UNSET = "未设置"


def _timeout(value: int | None) -> str:
    return _UNSET if value is None else f"{value} 秒"


@check("linux-tmout")
def tmout(facts: Facts, params: Params) -> Verdict:
    """An idle login shell ends, and its user cannot switch that off."""
    value = shell.number(facts, shell.LOGIN, "TMOUT")
    place = shell.place(facts, "TMOUT")
    if not params.accepts("session_idle_seconds", value):
        return failed(f"登录 shell 的 TMOUT {_timeout(value)}", place)
    if shell.variables(facts, shell.LOGIN).get("TMOUT_READONLY") != "yes":
        return partial(f"TMOUT {value} 秒，但未设为只读", f"{place}：用户可以自行取消")
    return passed(f"TMOUT {value} 秒，只读", place)


def _other_shells(facts: Facts, params: Params) -> Iterator[str]:
    """Yield what is wrong with csh and zsh, as far as an account uses them."""
    used = {(a.shell or "").rsplit("/", 1)[-1] for a in accounts.accounts(facts) if a.interactive}
    for names, pattern, setting, scale in (
        ({"csh", "tcsh"}, "/etc/csh.*", r"^\s*set\s+(?:-r\s+)?autologout\s*=\s*(\d+)", 60),
        ({"zsh"}, "/etc/zsh/*", r"^[^#\n]*\bTMOUT=(\d+)", 1),
    ):
        if names & used:
            found = [int(m[1]) * scale for item in facts.glob(pattern) for m in re.finditer(setting, item.out, re.M)]
            if not found or not params.accepts("session_idle_seconds", found[-1]):
                yield f"{'/'.join(sorted(names & used))} {_timeout(found[-1] if found else None)}（{pattern}）"


@check("linux-tmout-effective")
def tmout_effective(facts: Facts, params: Params) -> Verdict:
    """The limit also holds for shells that are no login shells, and for csh and zsh where accounts use them."""
    login = shell.number(facts, shell.LOGIN, "TMOUT")
    plain = shell.number(facts, shell.INTERACTIVE, "TMOUT")
    text = f"登录 shell {_timeout(login)}，非登录 shell {_timeout(plain)}"
    others = list(_other_shells(facts, params))
    if others:
        text += "，" + "，".join(others)
    if not params.accepts("session_idle_seconds", login):
        return failed(text, shell.place(facts, "TMOUT"))
    if others or not params.accepts("session_idle_seconds", plain):
        return partial(text, "图形终端和不带 - 的 su 启动非登录 shell；把设置同时写入 /etc/bashrc 或 /etc/bash.bashrc")
    return passed(text, shell.place(facts, "TMOUT"))


def _no_sshd() -> Verdict:
    return not_applicable("未安装 sshd", "主机没有 SSH 服务")


def _ssh_number(facts: Facts, keyword: str) -> int:
    """Return an effective number; sshd -T always prints these keywords, so an odd value is an odd server."""
    value = sshd.value(facts, keyword)
    return int(value) if value.isdigit() else -1


def _zero_disconnects(facts: Facts) -> bool:
    """Return whether ClientAliveCountMax 0 ends the session at once: before OpenSSH 8.2; since then it never ends."""
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", facts.item("sshd.version").out)
    return found is not None and (int(found[1]), int(found[2])) < (8, 2)


@check("linux-ssh-client-alive")
def ssh_client_alive(facts: Facts, params: Params) -> Verdict:
    """A client that no longer answers is cut off."""
    if not sshd.installed(facts):
        return _no_sshd()
    interval, count = _ssh_number(facts, "clientaliveinterval"), _ssh_number(facts, "clientalivecountmax")
    text = f"ClientAliveInterval {interval}，ClientAliveCountMax {count}"
    place = sshd.origin(facts, "clientaliveinterval")
    if interval <= 0:
        return failed(text, f"不探测断线的客户端；{place}")
    if count == 0 and not _zero_disconnects(facts):
        return failed(text, "OpenSSH 8.2 起 ClientAliveCountMax 0 表示永不断开")
    total = interval * max(count, 1)
    return judge(params.accepts("ssh_alive_seconds", total), f"{text}，{total} 秒后断开", place)


@check("linux-ssh-max-auth-tries")
def ssh_max_auth_tries(facts: Facts, params: Params) -> Verdict:
    """How often one connection may try."""
    if not sshd.installed(facts):
        return _no_sshd()
    value = _ssh_number(facts, "maxauthtries")
    return judge(
        params.accepts("ssh_max_auth_tries", value), f"MaxAuthTries {value}", sshd.origin(facts, "maxauthtries")
    )


@check("linux-ssh-login-grace")
def ssh_login_grace(facts: Facts, params: Params) -> Verdict:
    """How long a connection may stay without having logged in."""
    if not sshd.installed(facts):
        return _no_sshd()
    value = _ssh_number(facts, "logingracetime")
    origin = sshd.origin(facts, "logingracetime")
    reason = f"0 表示不限时；{origin}" if value == 0 else origin
    return judge(params.accepts("ssh_login_grace_seconds", value), f"LoginGraceTime {value} 秒", reason)


def _dconf(facts: Facts) -> dict[str, str]:
    """Return full key -> value of the system-wide dconf databases; a later file wins."""
    values: dict[str, str] = {}
    for item in facts.glob("/etc/dconf/db/*.d/*"):
        if "/locks" in item.id:
            continue
        section = ""
        for line in item.out.splitlines():
            key, equals, value = line.split("#", 1)[0].strip().partition("=")
            if key.startswith("["):
                section = key.strip("[]")
            elif equals:
                values[f"/{section}/{key.strip()}"] = value.strip()
    return values


def _uint(text: str) -> int | None:
    found = re.fullmatch(r"(?:uint32\s+|int32\s+)?(\d+)", text)
    return int(found[1]) if found else None


_IDLE = "/org/gnome/desktop/session/idle-delay"
_LOCK = "/org/gnome/desktop/screensaver/lock-enabled"
_LOCK_DELAY = "/org/gnome/desktop/screensaver/lock-delay"


@check("linux-gui-lock")
def gui_lock(facts: Facts, params: Params) -> Verdict:
    """An idle desktop locks itself."""
    units = systemd.units(facts)
    if not any(f"{name}.service" in units and units[f"{name}.service"].exists for name in _DISPLAY_MANAGERS):
        return not_applicable("没有图形登录管理器", "主机没有图形会话")
    values = _dconf(facts)
    if _IDLE not in values:
        other = [name for name in _OTHER_DESKTOPS if name in packages.installed(facts)]
        if other:
            return manual(f"桌面环境：{other[0]}", "其锁屏设置不在系统级文本配置中，须在桌面设置里核查空闲锁定时间")
        return failed("没有系统级的空闲锁屏设置", f"/etc/dconf/db/*.d 未设置 {_IDLE}")
    idle, delay = _uint(values[_IDLE]), _uint(values.get(_LOCK_DELAY, "0"))
    total = (idle or 0) + (delay or 0) if idle else 0
    text = f"空闲 {total} 秒后锁屏" if idle else "空闲不锁屏（idle-delay 为 0）"
    # GNOME locks by default, so only an explicit false switches it off
    if values.get(_LOCK, "true") != "true":
        return failed("空闲后不锁屏", f"{_LOCK} 为 false")
    if not params.accepts("gui_lock_seconds", total):
        return failed(text, _IDLE)
    locked = {line.strip() for item in facts.glob("/etc/dconf/db/*.d/locks/*") for line in item.out.splitlines()}
    if _IDLE not in locked:
        return partial(text, f"/etc/dconf/db/*.d/locks 未锁定 {_IDLE}，用户可自行更改")
    return passed(text, f"{_IDLE} 已设置并锁定")
