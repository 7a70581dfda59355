"""A plan of changes of network devices: made from what they run, reviewed, and carried out only as it was reviewed.

The plan is a YAML file. What is approved is its digest, the SHA-256 of its content in canonical JSON, as for patch
plans. It names for each device the digest of the configuration that it was made from, so that a plan is never carried
out on a device that has changed since.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from panshi.document import digest, read_document
from panshi.errors import PanshiError

FORMAT = 1
_HEAD = "# 磐石网络变更计划：逐台设备的差异与将要输入的命令。批准的是它的摘要（SHA-256）；改动任何内容都须重新批准。\n"
_AGAIN = "重新生成计划并批准；没有改动任何设备"


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """What is planned for one device.

    Args:
        running: SHA-256 of the configuration that it was made from, volatile lines aside.
        commands: from the first view of the configuration mode.
        review: what a person reads, Chinese lines by heading.
    """

    running: str
    commands: tuple[str, ...]
    review: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan.

    Args:
        job: what it was made by, for example ``network_policy``.
        estate: name of the estate.
        run: id of the run that made it.
        made: ISO 8601, UTC.
        operator: who made it.
        about: what it was made from besides the devices; compared with what there is when it is carried out.
        devices: by name; those with nothing to do are left out.
    """

    job: str
    estate: str
    run: str
    made: str
    operator: str
    about: Mapping[str, str]
    devices: Mapping[str, DevicePlan]

    def document(self) -> dict[str, Any]:
        """Return the content of the file."""
        found: dict[str, Any] = json.loads(json.dumps({"panshi_network_plan": FORMAT, **asdict(self)}))
        return found

    def sha256(self) -> str:
        """Return what is approved."""
        return digest(self.document())

    def device(self, name: str) -> DevicePlan:
        """Return what is planned for a device; nothing for one that the plan does not name."""
        return self.devices.get(name, DevicePlan("", (), {}))


def save_plan(path: Path, plan: Plan) -> str:
    """Write a plan, for its owner alone, and return its digest.

    Raises:
        PanshiError: PS-E8108 it cannot be written.
    """
    text = _HEAD + yaml.safe_dump(plan.document(), allow_unicode=True, sort_keys=False, width=200)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise PanshiError("PS-E8108", f"计划写不进 {path}：{error.strerror}", "检查磁盘与权限") from error
    return plan.sha256()


def load_plan(path: Path, job: str) -> Plan:
    """Return the plan of a file.

    Args:
        path: of the file.
        job: that shall carry it out.

    Raises:
        PanshiError: PS-E8108 not readable, or no plan of that job.
    """
    try:
        document = read_document(path.read_bytes())
        if not isinstance(document, Mapping) or document.get("panshi_network_plan") != FORMAT:
            raise ValueError("不是网络变更计划")
        given = json.loads(json.dumps({key: one for key, one in document.items() if key != "panshi_network_plan"}))
        devices = {
            name: DevicePlan(one["running"], tuple(one["commands"]), one["review"])
            for name, one in given["devices"].items()
        }
        plan = Plan(**{**given, "devices": devices})
        if plan.document() != {**given, "panshi_network_plan": FORMAT}:
            raise ValueError("有不认识的键")
    except OSError as error:
        raise PanshiError("PS-E8108", f"读不了计划 {path}：{error.strerror}", "用 -e plan=<文件> 指明") from error
    except yaml.YAMLError as error:
        raise PanshiError("PS-E8108", f"计划 {path} 不是 YAML", _AGAIN) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PanshiError("PS-E8108", f"计划 {path} 的内容不对：{error}", _AGAIN) from error
    if plan.job != job:
        what = f"计划 {path} 是 {plan.job} 的，不是 {job} 的"
        raise PanshiError("PS-E8108", what, f"用 playbooks/{plan.job}.yml 执行")
    return plan


def approved(plan: Plan, sha256: str) -> None:
    """Refuse a plan that is not the one that was approved.

    Args:
        plan: as it is on the disk.
        sha256: the digest that the operator was given with the approval; a shorter beginning will not do.

    Raises:
        PanshiError: PS-E8109.
    """
    if not sha256:
        raise PanshiError("PS-E8109", "没有给出批准的摘要", "加 -e plan_sha256=<生成计划时显示的摘要>")
    if sha256.strip().lower() != plan.sha256():
        raise PanshiError("PS-E8109", "计划的内容与批准的摘要不符：批准之后被改过，或摘要抄错", _AGAIN)


def lines_of(plan: Plan) -> list[str]:
    """Return what the operator is shown of a plan."""
    found = []
    for name, one in plan.devices.items():
        found.append(f"设备 {name}：{len(one.commands)} 条命令")
        found += [f"  {title}：{line}" for title, lines in one.review.items() for line in lines]
    return found
