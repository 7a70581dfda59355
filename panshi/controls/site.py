"""What a site says about the catalogue: overrides inside ``accept`` and waivers with owner, reason and expiry."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from panshi.controls.catalogue import Catalogue, Check
from panshi.controls.params import Params
from panshi.errors import PanshiError

PREFIX = "mlps_"
_FIELDS = {"control", "check", "hosts", "owner", "reason", "expires", "compensation", "ticket"}
_REQUIRED = ("hosts", "owner", "reason", "expires")


def resolve_params(catalogue: Catalogue, level: int, host_vars: Mapping[str, Any], host: str = "") -> Params:
    """Return the parameters of one host: the catalogue's, with the estate's ``mlps_<name>`` variables on top.

    Precedence between estate, group and host is Ansible's own and already resolved in ``host_vars``.

    Args:
        catalogue: the loaded catalogue.
        level: 2 or 3.
        host_vars: the host's inventory variables; only names with the prefix ``mlps_`` are looked at.
        host: name for the error line.

    Raises:
        PanshiError: PS-E1104 an override names no parameter; PS-E1103 a value outside the accepted range.
    """
    parameters = catalogue.parameters(level)
    values: dict[str, Any] = {}
    for variable in sorted(key for key in host_vars if key.startswith(PREFIX)):
        name, value = variable.removeprefix(PREFIX), host_vars[variable]
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, n=1)
            hint = f"是否想写 {PREFIX}{near[0]}" if near else "用 panshi controls show 查看可覆盖的参数"
            raise PanshiError("PS-E1104", f"主机 {host} 的变量 {variable} 不对应任何参数", hint)
        if not parameters[name].accepts(value):
            raise PanshiError(
                "PS-E1103",
                f"主机 {host} 的变量 {variable} = {value!r} 不在可接受范围内（{parameters[name].text}）",
                "改为范围内的值；确需例外请在 waivers.yml 中登记豁免",
            )
        values[name] = value
    return Params(parameters, values)


@dataclass(slots=True)
class Waiver:
    """A signed exception: the finding stays visible, is not counted as conforming, and ends by itself.

    Args:
        selector: clause id or check id.
        hosts: host name patterns; ``all`` means every host.
        owner: who answers for it.
        reason: why, and with what compensation.
        expires: last day on which it holds.
        compensation: the measure that stands in.
        ticket: request number.
        used: whether a finding of this run was waived by it (set by the audit).
    """

    selector: str
    hosts: tuple[str, ...]
    owner: str
    reason: str
    expires: dt.date
    compensation: str = ""
    ticket: str = ""
    used: bool = False

    def expired(self, today: dt.date) -> bool:
        """Return whether the last day has passed."""
        return today > self.expires

    def covers(self, host: str, check: Check) -> bool:
        """Return whether this waiver names the host and the check or its clause."""
        return self.selector in (check.id, check.control) and any(
            pattern == "all" or fnmatchcase(host, pattern) for pattern in self.hosts
        )


def load_waivers(path: Path, catalogue: Catalogue) -> list[Waiver]:
    """Load an estate's ``waivers.yml``; a missing file is an estate without waivers.

    Raises:
        PanshiError: PS-E1105 malformed, a field is missing, or it names no control of the catalogue.
    """
    if not path.exists():
        return []
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _malformed(path, f"无法读取：{error}") from error
    entries = document.get("waivers") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise _malformed(path, "顶层需要一个名为 waivers 的列表")
    return [_waiver(path, number, entry, catalogue) for number, entry in enumerate(entries, start=1)]


def find_waiver(waivers: Iterable[Waiver], host: str, check: Check) -> Waiver | None:
    """Return the waiver that covers this finding, the one that holds longest first, expired or not."""
    fitting = [waiver for waiver in waivers if waiver.covers(host, check)]
    return max(fitting, key=lambda waiver: waiver.expires, default=None)


def _malformed(path: Path, message: str) -> PanshiError:
    return PanshiError(
        "PS-E1105", f"豁免文件 {path.name}：{message}", "每条需要 control 或 check、hosts、owner、reason、expires"
    )


def _waiver(path: Path, number: int, entry: Any, catalogue: Catalogue) -> Waiver:
    where = f"第 {number} 条"
    if not isinstance(entry, dict):
        raise _malformed(path, f"{where}不是键值结构")
    if unknown := set(entry) - _FIELDS:
        raise _malformed(path, f"{where}有未知字段 {'、'.join(sorted(map(str, unknown)))}")
    if missing := [name for name in _REQUIRED if not entry.get(name)]:
        raise _malformed(path, f"{where}缺少 {'、'.join(missing)}")
    if ("control" in entry) == ("check" in entry):
        raise _malformed(path, f"{where}必须且只能写 control 与 check 之一")
    selector = str(entry.get("control") or entry.get("check"))
    if selector not in catalogue.controls and selector not in catalogue.checks:
        raise _malformed(path, f"{where}的 {selector} 不是目录中的条款或检查项")
    hosts = entry["hosts"] if isinstance(entry["hosts"], list) else [entry["hosts"]]
    if not isinstance(entry["expires"], dt.date) or isinstance(entry["expires"], dt.datetime):
        raise _malformed(path, f"{where}的 expires 需要形如 2027-03-31 的日期")
    return Waiver(
        selector=selector,
        hosts=tuple(str(host) for host in hosts),
        owner=str(entry["owner"]),
        reason=str(entry["reason"]),
        expires=entry["expires"],
        compensation=str(entry.get("compensation", "")),
        ticket=str(entry.get("ticket", "")),
    )
