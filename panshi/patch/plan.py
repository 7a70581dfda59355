"""A patch plan: which host gets which versions, in which wave, and what that costs (pure but for load and save).

The plan is a YAML file that a person may edit and then signs. What is signed is its digest (``panshi/document.py``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from panshi.document import read_document
from panshi.errors import PanshiError

FORMAT = 1
_NAME_IT = "用 -e plan=<文件> 指明计划文件"
# Measured on lab containers and the lab's machine (docs/performance.md): fixed part per host, per package, per reboot.
_MINUTES_HOST, _MINUTES_PACKAGE, _MINUTES_REBOOT = 1.0, 0.1, 4.0
# Whoever runs on these has to be looked at by a person before it is restarted; a reboot is the way for them.
NEVER_RESTARTED = ("dbus.service", "systemd-logind.service", "systemd-journald.service", "systemd-udevd.service")


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it was read.

    Args:
        path: of the file.
        document: its content.
    """

    path: Path
    document: Mapping[str, Any]

    @property
    def waves(self) -> list[list[str]]:
        """Hosts by wave, in their order."""
        return [list(wave["hosts"]) for wave in self.document["waves"]]

    @property
    def hosts(self) -> Mapping[str, Mapping[str, Any]]:
        """What is planned, by host name."""
        found: Mapping[str, Mapping[str, Any]] = self.document["hosts"]
        return found


def make_plan(
    estate: str, run: str, made: str, facts: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a plan for hosts that have something to install; what stands in the way of a host is named in it.

    Args:
        estate: name of the estate.
        run: id of the run that asked the hosts.
        made: time of that, ISO 8601.
        facts: by host name, what the module ``panshi_updates`` returned.
        settings: by host name: ``group`` (redundancy group, of which one member at a time is touched), ``order``
            (within it; replicas before primaries), ``drained_by`` (hosts that send it work and are told not to),
            ``canary``, ``backup_hours`` (most age of the last backup), ``share`` (part of the remaining hosts in the
            second wave), ``only`` (names of packages; empty for all).
    """
    hosts = {name: _host(found, settings.get(name, {})) for name, found in sorted(facts.items())}
    # What could not be asked, and what is locked, is seen by somebody before a host has nothing to install.
    busy = {
        name: host
        for name, host in hosts.items()
        if host["packages"] or host["reboot"] or facts[name]["problems"] or _kept_back(facts[name])
    }
    return {
        "panshi_patch_plan": FORMAT,
        "estate": estate,
        "run": run,
        "made": made,
        "window": {"from": "", "until": ""},
        "test_copy": {"host": "", "patched_on": "", "days": 1},
        "waves": [{"name": name, "hosts": names} for name, names in order_waves(busy, settings)],
        "hosts": busy,
        "unchanged": sorted(set(hosts) - set(busy)),
        "exceptions": [],
    }


def _host(found: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    only = set(settings.get("only") or ())
    held = {one["name"] for one in found.get("held", ())}
    packages = [
        {key: one[key] for key in ("name", "arch", "from", "to", "origin", "security", "advisories", "kernel")}
        for one in sorted(found["updates"], key=lambda one: (one["name"], one["arch"]))
        if one["name"] not in held and (not only or one["name"] in only)
    ]
    kernels = [f"{one['name']} {one['to']}" for one in packages if one["kernel"]]
    reboot = found["reboot_needed"] or (
        f"更新内核（{'、'.join(kernels)}）" if kernels and found["kernel"]["newest"] else ""
    )
    minutes = _MINUTES_HOST + _MINUTES_PACKAGE * len(packages) + (_MINUTES_REBOOT if reboot else 0)
    blockers = [f"[{one['code']}] {one['text']}" for one in found["problems"]] + _blockers(found, settings)
    return {
        "os": found["os"],
        "family": found["family"],
        "group": str(settings.get("group", "")),
        "drained_by": sorted(settings.get("drained_by") or ()),
        "minutes": math.ceil(minutes),
        "reboot": reboot,
        "restarts": [name for name in found["affected"] if name not in NEVER_RESTARTED],
        "partners": [one["state"] for one in found["partners"] if one["state"]],
        "held": sorted(held),
        "download_mib": math.ceil(found["disk"]["download_bytes"] / 2**20),
        "not_reversible": _not_reversible(packages, found),
        "blockers": blockers,
        "packages": packages,
    }


def _kept_back(found: Mapping[str, Any]) -> bool:
    return any(one["candidate"] not in ("", one["version"]) for one in found.get("held", ()))


def _blockers(found: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    blockers = [f"[PS-E6006] 更新会卸载 {one['name']} {one['version']}" for one in found["removes"]]
    most, age = settings.get("backup_hours"), found["backup_age_hours"]
    if most and (age is None or age > float(most)):
        told = "没有找到备份完成标记" if age is None else f"最近一次备份在 {age} 小时前"
        blockers.append(f"[PS-E6007] {told}，要求不超过 {most} 小时")
    blockers += [f"[PS-E6009] {one['problem']}" for one in found["partners"] if one["problem"]]
    return blockers + [f"[PS-E6008] {unit} 处于失败状态" for unit in found["failed_units"]]


def _not_reversible(packages: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> list[str]:
    gone = set(found.get("gone", ()))
    lines = [f"{one['name']}：软件源已没有 {one['from']}" for one in packages if f"{one['name']}={one['from']}" in gone]
    if any(one["kernel"] for one in packages):
        lines.append("内核：正在使用，退回之后再重启一次才换回旧内核；启动不了时在引导菜单中选旧内核")
    return lines


def order_waves(hosts: Iterable[str], settings: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return waves: a canary, a share of the rest, the rest; members of one redundancy group in different waves.

    Args:
        hosts: names.
        settings: as of :func:`make_plan`.
    """
    names = sorted(hosts, key=lambda name: (int(settings.get(name, {}).get("order", 0)), name))
    if not names:
        return []
    marked = [name for name in names if settings.get(name, {}).get("canary")]
    canary = marked[:1] or names[:1]
    rest = [name for name in names if name not in canary]
    share = float(next((one["share"] for one in settings.values() if "share" in one), 0.34))
    count = min(len(rest), max(1, math.ceil(len(rest) * share)))
    waves = [("先行", canary), ("一部分", []), ("其余", [])]
    for position, name in enumerate(rest):
        _place(waves, 1 if position < count else 2, name, settings)
    return [(title, wave) for title, wave in waves if wave]


def _place(
    waves: list[tuple[str, list[str]]], first: int, name: str, settings: Mapping[str, Mapping[str, Any]]
) -> None:
    """Put a host into the first wave from a position on in which nobody is its partner."""
    position = first
    while any(_partners(name, other, settings) for other in waves[position][1]):
        position += 1
        if position == len(waves):
            waves.append((f"其余（{position - 1}）", []))
    waves[position][1].append(name)


def _partners(one: str, other: str, hosts: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether two hosts must not be touched at once: of one group, or one sends work to the other."""
    mine, yours = hosts.get(one, {}), hosts.get(other, {})
    if mine.get("group") and mine.get("group") == yours.get("group"):
        return True
    return other in (mine.get("drained_by") or ()) or one in (yours.get("drained_by") or ())


def save_plan(path: Path, document: Mapping[str, Any]) -> None:
    """Write a plan.

    Raises:
        PanshiError: PS-E6101 it cannot be written.
    """
    head = "# 磐石补丁计划。可以删减主机与软件包、调整各批、填写窗口；改完重新生成方案，签的是它的摘要（SHA-256）。\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = head + yaml.safe_dump(dict(document), allow_unicode=True, sort_keys=False, width=120)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PanshiError("PS-E6101", f"计划写不进 {path}：{error.strerror}", "检查磁盘与权限") from error


def load_plan(path: Path) -> Plan:
    """Read a plan and check its shape.

    A process and those it forks read a file once, as long as it stays as it is: a job asks for its plan on every host.

    Raises:
        PanshiError: PS-E6101 not readable; PS-E6102 not a plan, or one that contradicts itself.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise PanshiError("PS-E6101", f"读不了计划 {path}：{error}", _NAME_IT) from error
    return _load(path, state.st_ino, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1)
def _load(path: Path, *_state: int) -> Plan:
    try:
        document = read_document(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PanshiError("PS-E6101", f"读不了计划 {path}：{error}", _NAME_IT) from error
    except yaml.YAMLError as error:
        raise PanshiError("PS-E6102", f"{path} 不是 YAML：{_one_line(error)}", "改正之后重新生成方案") from error
    try:
        # YAML makes a date of what looks like one; the digest is of its text, and so is the record.
        document = json.loads(json.dumps(document, default=str))
    except (TypeError, ValueError) as error:
        raise PanshiError("PS-E6102", f"{path} 有写不成 JSON 的内容：{error}", "改正之后重新生成方案") from error
    if wrong := _wrong(document):
        raise PanshiError("PS-E6102", f"{path}：{wrong}", "改正之后重新生成方案；格式见 docs/runbook-patch.md")
    return Plan(path, document)


def _wrong(document: Any) -> str:
    if not isinstance(document, Mapping) or document.get("panshi_patch_plan") != FORMAT:
        return "不是补丁计划"
    hosts, waves = document.get("hosts"), document.get("waves")
    if not isinstance(hosts, Mapping) or not isinstance(waves, list):
        return "缺少 hosts 或 waves"
    if not all(isinstance(wave, Mapping) and isinstance(wave.get("hosts"), list) for wave in waves):
        return "waves 的每一批应有 hosts 列表"
    queued = [name for wave in waves for name in wave["hosts"]]
    if twice := sorted({name for name in queued if queued.count(name) > 1}):
        return f"主机 {'、'.join(twice)} 在各批中出现不止一次"
    if missing := sorted(set(queued) - set(hosts)):
        return f"主机 {'、'.join(missing)} 列在某一批，却没有计划内容"
    if left := sorted(set(hosts) - set(queued)):
        return f"主机 {'、'.join(left)} 有计划内容，却不在任何一批"
    for name, host in hosts.items():
        packages = host.get("packages") if isinstance(host, Mapping) else None
        if not isinstance(packages, list) or not all(_is_package(one) for one in packages):
            return f"主机 {name} 的 packages 应为 {{name, arch, from, to}} 的列表"
    exceptions = document.get("exceptions") or []
    if not isinstance(exceptions, list) or not all(_is_exception(one) for one in exceptions):
        return "exceptions 应为 {host, package, reason, owner, due} 的列表，host、reason 必填"
    return _paired(waves, hosts)


def _is_package(one: Any) -> bool:
    return isinstance(one, Mapping) and all(isinstance(one.get(key), str) for key in ("name", "arch", "from", "to"))


def _is_exception(one: Any) -> bool:
    if not isinstance(one, Mapping) or not set(one) <= {"host", "package", "reason", "owner", "due"}:
        return False
    return all(isinstance(one.get(key), str) and one[key] for key in ("host", "reason"))


def _paired(waves: Sequence[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]]) -> str:
    for wave in waves:
        for one, other in combinations(wave["hosts"], 2):
            if _partners(one, other, hosts):
                return f"同一批中有 {one} 与 {other}：同属一个冗余组，或一台为另一台分流，会同时中断"
    return ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
