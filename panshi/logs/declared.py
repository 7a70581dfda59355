"""The declared logs of a host: understood whole, or refused in one line (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from panshi.errors import PanshiError

REOPEN, COPY, SELF, TEMPORARY = "reopen", "copytruncate", "self", "temporary"
# How a kind of log is rotated, and what it is called in reports.
STYLES = {
    "nginx": REOPEN, "mariadb": REOPEN, "rsyslog": REOPEN, "reopen": REOPEN,
    "pipe": REOPEN, "tomcat": COPY, "copytruncate": COPY, "self": SELF, "temporary": TEMPORARY,
}  # fmt: skip
PIPE = "pipe"
KIND_ZH = {
    "nginx": "nginx", "mariadb": "MariaDB", "rsyslog": "rsyslog 写的日志", "reopen": "按信号或命令重新打开的应用日志",
    "pipe": "经管道接收的日志", "tomcat": "Tomcat/TongWeb 的 catalina.out", "copytruncate": "不能重新打开的日志",
    "self": "程序自行按日期换文件的日志", "temporary": "临时文件",
}  # fmt: skip
ENVIRONMENT_ZH = {"production": "生产", "trial": "试运行", "backup": "备份", "test": "测试"}
LOSS = "复制后截断：复制与截断之间写入的行会丢失，丢失的行数由证明实测；改用种类 pipe 就不丢"
# Nothing is deleted by logrotate: the archive alone knows how long a line must stay.
FOR_EVER = 9999
_KEYS = {
    *("name", "kind", "paths", "environment", "keep_days", "since", "period", "max_size", "owner", "group", "mode"),
    *("su", "reopen", "replaces", "probe", "managed", "config"),
}
_REOPENING: Mapping[str, Mapping[str, Any]] = {
    "nginx": {"signal": "USR1", "pidfile": "/run/nginx.pid"},
    "mariadb": {"command": ["mariadb-admin", "--local", "flush-error-log", "flush-general-log", "flush-slow-log"]},
    "rsyslog": {"signal": "HUP", "unit": "rsyslog.service"},
}
_REPLACES = {"nginx": "nginx", "mariadb": "mariadb"}
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_PATH = re.compile(r"/[\w.@%+*?\[\]/=:-]+")
_WORD = re.compile(r"[\w./:=@%+-]+")
_SIZE = re.compile(r"\d+[kMG]?")
# Where temporary files may lie; elsewhere a slip would cost a system. In the second ones in a folder that is named.
_TEMPORARY = ("/tmp/", "/var/tmp/")
_NAMED = ("/var/cache/", "/opt/", "/srv/", "/home/", "/data/", "/var/lib/")


def policies(
    host: str,
    declared: object,
    *,
    environments: Mapping[str, Mapping[str, Any]],
    legal_days: int,
    environment: str,
    mode: str,
    group: str,
) -> list[dict[str, Any]]:
    """Return the policies that the program on a host and the proof work from.

    Args:
        host: for messages.
        declared: the inventory's ``logs_files``.
        environments: by name, ``keep_days`` of logs, ``temporary_days`` of temporary files, and ``legal`` (whether
            the law's term holds there).
        legal_days: the law's term in days, from the catalogue.
        environment: of entries that say none.
        mode: the catalogue's limit for log files.
        group: group of archives where an entry says none.

    Raises:
        PanshiError: PS-E7320, one line that names host, entry and what is wrong.
    """
    if not isinstance(declared, Sequence) or isinstance(declared, str):
        raise _refused(host, "logs_files 须是列表")
    found = [
        _policy(host, number, entry, environments, legal_days, environment, mode, group)
        for number, entry in enumerate(declared, 1)
    ]
    names = [one["name"] for one in found]
    paths = [path for one in found for path in one["paths"]]
    files = [one["config"] for one in found if one["config"] and one["managed"]]
    for what, words in (("名称", names), ("路径", paths), ("logrotate 文件", files)):
        if twice := sorted({word for word in words if words.count(word) > 1}):
            raise _refused(host, f"{what} {'、'.join(twice)} 声明了两次")
    return found


def _policy(
    host: str,
    number: int,
    entry: object,
    environments: Mapping[str, Mapping[str, Any]],
    legal_days: int,
    environment: str,
    mode: str,
    group: str,
) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise _refused(host, f"第 {number} 项须是映射")
    where = f"第 {number} 项 {entry.get('name', '')}".strip()
    if unknown := sorted(set(entry) - _KEYS):
        raise _refused(host, f"{where}：没有 {'、'.join(map(str, unknown))} 这样的键")
    name, kind = str(entry.get("name", "")), str(entry.get("kind", ""))
    if not _NAME.fullmatch(name):
        raise _refused(host, f"{where}：name 须由小写字母、数字、点、横线组成")
    if kind not in STYLES:
        raise _refused(host, f"{where}：kind 须是 {'、'.join(STYLES)} 之一")
    style = STYLES[kind]
    paths = [str(path) for path in entry.get("paths") or ()]
    if not paths or not all(_PATH.fullmatch(path) and ".." not in path for path in paths):
        raise _refused(host, f"{where}：paths 须是绝对路径（可用 * ? []）的列表")
    if style == TEMPORARY and not all(_safe(path) for path in paths):
        within = f"{'、'.join(_TEMPORARY)} 之下，或 {'、'.join(_NAMED)} 之下写明的文件夹里（这一级不用通配符）"
        raise _refused(host, f"{where}：临时文件只能在 {within}")
    if style in (REOPEN, COPY) and any(path.endswith(("*", "?", "]")) for path in paths):
        raise _refused(host, f"{where}：通配符不能在末尾，否则轮转出的文件（以及二进制日志一类）会再被轮转；写成 *.log")
    place = str(entry.get("environment", environment))
    if place not in environments:
        raise _refused(host, f"{where}：environment 须是 {'、'.join(environments)} 之一")
    managed = bool(entry.get("managed", True))
    legal = int(legal_days) if environments[place]["legal"] and style != TEMPORARY else 0
    days = "temporary_days" if style == TEMPORARY else "keep_days"
    if "keep_days" not in entry and days not in environments[place]:
        raise _refused(host, f"{where}：须给 keep_days，环境 {place} 没有 {days}")
    keep = int(entry.get("keep_days", environments[place].get(days)))
    if keep < legal or keep < 1:
        raise _refused(host, f"{where}：keep_days {keep} 短于法定的 {legal} 天")
    if kind == PIPE and not (
        len(paths) == 1 and not set(paths[0]) & set("*?[") and entry.get("owner") and entry.get("group")
    ):
        raise _refused(host, f"{where}：pipe 须有一个不带通配符的路径，以及 owner、group（写日志的账户）")
    config = f"/etc/logrotate.d/{entry.get('replaces') or _REPLACES.get(kind) or 'panshi-log-' + name}"
    if not managed:
        config = str(entry.get("config", ""))
    return {
        "name": name,
        "kind": kind,
        "style": style,
        "paths": paths,
        "environment": place,
        "keep_days": keep,
        "legal_days": legal,
        "since": _since(host, where, entry.get("since")),
        "period": _one_of(
            host, where, "period", entry.get("period", "daily"), ("hourly", "daily", "weekly", "monthly")
        ),
        "max_size": _matching(host, where, "max_size", entry.get("max_size", ""), _SIZE),
        "owner": _matching(host, where, "owner", entry.get("owner", ""), _WORD),
        "group": _matching(host, where, "group", entry.get("group", group), _WORD),
        "create_mode": _matching(host, where, "mode", entry.get("mode", ""), re.compile(r"0?[0-7]{3}")),
        "mode": str(mode),
        "archive_mode": "0440",
        "su": _su(host, where, entry),
        "postrotate": _postrotate(host, where, style, entry.get("reopen") or _reopening(kind, name)),
        "config": "" if style in (SELF, TEMPORARY) else config,
        "managed": managed,
        "probe": _probe(host, where, entry.get("probe")),
    }


def pipe_of(name: str) -> str:
    """Return the pipe of a log of kind pipe."""
    return f"/run/panshi-logs/{name}"


def service_of(name: str) -> str:
    """Return the unit that writes a log of kind pipe."""
    return f"panshi-log-{name}.service"


def _reopening(kind: str, name: str) -> Mapping[str, Any] | None:
    return {"signal": "HUP", "unit": service_of(name)} if kind == PIPE else _REOPENING.get(kind)


def _postrotate(host: str, where: str, style: str, reopen: object) -> str:
    """Return the shell line after a rotation; its failure is logrotate's, since a log nobody reopens is being lost."""
    if style != REOPEN:
        return ""
    if not isinstance(reopen, Mapping):
        raise _refused(host, f"{where}：须给 reopen：signal 与 pidfile 或 unit，或者 command")
    words = [str(one) for one in reopen.get("command") or ()]
    if words and all(_WORD.fullmatch(word) for word in words):
        return " ".join(words) + " >/dev/null"
    signal, pidfile, unit = (str(reopen.get(key, "")) for key in ("signal", "pidfile", "unit"))
    if re.fullmatch(r"[A-Z0-9]+", signal) and re.fullmatch(r"/[\w./@-]+", pidfile):
        return f'[ ! -e {pidfile} ] || kill -{signal} "$(cat {pidfile})"'
    if re.fullmatch(r"[A-Z0-9]+", signal) and re.fullmatch(r"[\w@.-]+\.service", unit):
        return f"systemctl kill --signal={signal} {unit}"
    raise _refused(host, f"{where}：reopen 须是 signal 与 pidfile 或 unit，或者 command（没有空格与引号的单词）")


def _probe(host: str, where: str, probe: object) -> dict[str, Any]:
    """Return how the product itself is asked to write numbered lines; empty: a scratch log of the same policy."""
    if probe is None:
        return {}
    if isinstance(probe, Mapping):
        if set(probe) == {"url"} and re.match(r"http://(127\.0\.0\.1|localhost|\[::1\])[:/]", f"{probe['url']}/"):
            return {"url": str(probe["url"])}
        if set(probe) == {"syslog"} and re.fullmatch(r"[a-z]+\d?\.[a-z]+", str(probe["syslog"])):
            return {"syslog": str(probe["syslog"])}
        if {"command", "line"} <= set(probe) <= {"command", "line", "first", "end"} and "{mark}" in str(probe["line"]):
            command = [str(word) for word in probe["command"]]
            texts = {key: str(probe.get(key, "")) for key in ("line", "first", "end")}
            return {"command": command, **texts}
    raise _refused(
        host, f"{where}：probe 须是 url（本机的 http）、syslog（设施.级别），或 command 与带 {{mark}} 的 line"
    )


def _su(host: str, where: str, entry: Mapping[str, Any]) -> bool:
    su = bool(entry.get("su", False))
    if su and not (entry.get("owner") and entry.get("group")):
        raise _refused(host, f"{where}：su 须同时给 owner 与 group")
    return su


def _since(host: str, where: str, value: object) -> str:
    if value in (None, ""):
        return ""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError as error:
        raise _refused(host, f"{where}：since 须写成 2026-01-31") from error


def _one_of(host: str, where: str, key: str, value: object, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise _refused(host, f"{where}：{key} 须是 {'、'.join(allowed)} 之一")
    return str(value)


def _matching(host: str, where: str, key: str, value: object, pattern: re.Pattern[str]) -> str:
    text = "" if value is None else str(value)
    if text and not pattern.fullmatch(text):
        raise _refused(host, f"{where}：{key} {text} 写法不对")
    return text


def _safe(path: str) -> bool:
    folder = re.split(r"[*?\[]", path)[0].rpartition("/")[0]
    return path.startswith(_TEMPORARY) or folder.startswith(_NAMED)


def _refused(host: str, text: str) -> PanshiError:
    return PanshiError("PS-E7320", f"{host} 的日志声明：{text}", "改正清单里的 logs_files，见 docs/runbook-logs.md")
