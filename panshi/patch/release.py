"""What a release of an unpacked product is asked to be: do the values make sense, before anything is done (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# A version is a folder's name, and `.` begins the names of unfinished ones.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ROOT = re.compile(r"/[A-Za-z0-9._+-]+(/[A-Za-z0-9._+-]+)+")
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._@-]*\.(service|target)")
_PROBES = {"url", "port", "unit"}


def wrong(spec: Mapping[str, Any]) -> str:
    """Return what is wrong with the values of a release in one Chinese line, or nothing.

    Args:
        spec: ``name``, ``version``, ``archive``, ``sha256``, ``root``, ``strip``, ``shared``, ``unit``, ``probes``,
            ``keep`` and ``drop``, each as the role's variable ``app_release_<key>`` of that name.
    """
    for key, pattern, shape in (
        ("name", _NAME, "字母、数字与 . _ + -"),
        ("version", _NAME, "字母、数字与 . _ + -；写成带引号的文本"),
        ("sha256", _SHA256, "64 位小写十六进制"),
        ("root", _ROOT, "至少两层的绝对路径，例如 /opt/shop"),
    ):
        value = spec.get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value) or ".." in value:
            return f"app_release_{key} = {value!r} 不合规（{shape}）"
    if not isinstance(spec.get("archive"), str) or not spec["archive"]:
        return "没有给出 app_release_archive"
    for key in ("strip", "keep"):
        if not isinstance(spec[key], int) or isinstance(spec[key], bool) or spec[key] < 0:
            return f"app_release_{key} = {spec[key]!r} 不是非负整数"
    if spec["unit"] and not _UNIT.fullmatch(str(spec["unit"])):
        return f"app_release_unit = {spec['unit']!r} 不是 .service 或 .target 单元"
    if told := [one for one in spec["drop"] if not isinstance(one, str) or not _NAME.fullmatch(one)]:
        return f"app_release_drop 中的 {told[0]!r} 不是版本号（写成带引号的文本）"
    if spec["version"] in spec["drop"]:
        return f"app_release_drop 中有要发布的版本 {spec['version']}"
    return _wrong_shared(spec["shared"]) or _wrong_probes(spec["probes"], bool(spec["unit"]))


def _wrong_shared(shared: Sequence[Any]) -> str:
    paths = [one.get("path") if isinstance(one, Mapping) else None for one in shared]
    for entry, path in zip(shared, paths, strict=True):
        if not isinstance(path, str) or not all(_NAME.fullmatch(part) for part in path.split("/")):
            return f"app_release_shared 中的 {entry!r} 没有合规的相对路径 path"
        if unknown := set(entry) - {"path", "owner", "group", "mode"}:
            return f"app_release_shared 的 {path} 有不认识的字段 {'、'.join(sorted(unknown))}"
        if not re.fullmatch(r"0?[0-7]{3}", str(entry.get("mode", "755"))):
            return f'app_release_shared 的 {path}：mode = {entry["mode"]!r} 不合规（写成带引号的 "0750"）'
    for path in paths:
        if any(other != path and f"{other}/".startswith(f"{path}/") for other in paths) or paths.count(path) > 1:
            return f"app_release_shared 的 {path} 与另一项重叠"
    return ""


def _wrong_probes(probes: Sequence[Any], unit: bool) -> str:
    if unit and not probes:
        return "没有给出 app_release_probes：有服务的产品至少要有一项健康探测"
    for probe in probes:
        if not isinstance(probe, Mapping) or len(_PROBES & set(probe)) != 1:
            return f"app_release_probes 中的 {probe!r} 应恰好有 url、port、unit 之一"
    return ""
