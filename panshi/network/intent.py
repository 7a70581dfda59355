"""The configuration that is written down for a device: held against what it runs, and brought onto it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panshi.errors import PanshiError
from panshi.network.change import Change, Changed, Probe, Tell, change, digest
from panshi.network.config import Scope, compose, differences, is_whole, masked, normal, parse, patch, render
from panshi.network.estate import Login
from panshi.network.plan import DevicePlan, Plan
from panshi.network.session import Session

JOB = "network_change"
DIFFERENCES = "差异"


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """What is written down, as the device shows it; what speaks for less of the device is laid over what does for more.

    Args:
        whole: the whole configuration.
        sections: views that become exactly as written.
        lines: lines that shall be there, or not be there (``undo``, ``no``), whatever else is.
    """

    whole: str = ""
    sections: str = ""
    lines: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a device runs, held against what is written down.

    Args:
        platform: of the device.
        running: SHA-256 of its configuration, volatile lines aside.
        commands: from the first view of the configuration mode; they may hold secrets.
        differences: unified, secrets masked.
        before: what it runs, secrets masked.
        after: what it shall run, secrets masked.
    """

    platform: str
    running: str
    commands: tuple[str, ...]
    differences: str
    before: str
    after: str

    @property
    def shown(self) -> tuple[str, ...]:
        """The commands with secrets masked."""
        return tuple(masked(line, self.platform) for line in self.commands)


def compare(running: str, intent: Intent, platform: str) -> Found:
    """Hold a configuration against what is written down (pure).

    Raises:
        PanshiError: PS-E8070 to PS-E8072 of the configuration tree; PS-E8073 a text for the whole device has no end.
    """
    if intent.whole and not is_whole(intent.whole, platform):
        raise PanshiError(
            "PS-E8073",
            "整机的配置没有以结束行（return 或 end）结尾：可能是写了一半的文本",
            "补上结束行，或改用 network_sections、network_lines；没有改动",
        )
    before = after = parse(running, platform)
    for text, scope in (
        (intent.whole, Scope.WHOLE),
        (intent.sections, Scope.SECTIONS),
        (intent.lines, Scope.MERGE),
    ):
        if text:
            after = compose(after, parse(text, platform), platform, scope)
    return Found(
        platform=platform,
        running=digest(normal(running, platform)),
        commands=tuple(line for command in patch(before, after, platform) for line in command.split("\n")),
        differences=differences(before, after, platform),
        before=masked(render(before, platform), platform),
        after=masked(render(after, platform), platform),
    )


def look(login: Login, intent: Intent) -> Found:
    """Read a device; changes nothing.

    Raises:
        PanshiError: as :func:`compare`, and as a session does.
    """
    with login.session() as session:
        running = session.running()
    return compare(running, intent, login.device.platform)


def carry_out(
    login: Login,
    intent: Intent,
    found: Found,
    *,
    state: Path,
    minutes: int,
    probes: Sequence[Probe],
    tell: Tell,
) -> Changed:
    """Make the change that was found, prove it by a new login, and save it; all of it or nothing.

    Args:
        login: to the device.
        intent: what is written down for it.
        found: as :func:`look` gave it; the device must not have changed since.
        state: folder of the estate's change journals.
        minutes: until the device goes back by itself, where it can.
        probes: further ones.
        tell: told of every step.

    Raises:
        PanshiError: as ``panshi.network.change.change``.
    """

    def failing(session: Session) -> str:
        left = compare(session.running(), intent, found.platform).shown
        return f"还差 {len(left)} 行：{'；'.join(left[:3])}" if left else ""

    return change(
        Change(found.commands, made_from=found.running, minutes=minutes),
        login.session,
        state=state,
        probes=(Probe("运行配置与数据一致", failing), *probes),
        tell=tell,
    )


def plan_of(answers: Mapping[str, Mapping[str, Any]], **whose: str) -> Plan:
    """Return the plan of what devices have answered.

    Args:
        answers: by device, what ``net_config`` has returned in check mode.
        **whose: ``estate``, ``run``, ``made`` and ``operator`` of the plan.
    """
    devices = {
        name: DevicePlan(one["running"], tuple(one["commands"]), {DIFFERENCES: one["differences"].splitlines()})
        for name, one in sorted(answers.items())
        if one["commands"]
    }
    return Plan(job=JOB, about={}, devices=devices, **whose)


def as_planned(plan: Plan, name: str, found: Found) -> None:
    """Refuse a plan that is not what would be done now; one that has been carried out already is no matter.

    Args:
        plan: that was approved.
        name: of the device.
        found: what the device runs now.

    Raises:
        PanshiError: PS-E8110 device or data have changed since.
    """
    planned = plan.device(name)
    what = ""
    if not found.commands:
        return
    if not planned.commands:
        what = f"计划里没有设备 {name}，而它现在与数据不同"
    elif planned.running != found.running:
        what = f"设备 {name} 的配置自计划以来变了"
    elif planned.commands != found.shown:
        what = f"设备 {name} 的命令与计划不同：数据自计划以来变了"
    if what:
        raise PanshiError("PS-E8110", f"{what}；没有改动", "重新生成计划，核对后再执行")
