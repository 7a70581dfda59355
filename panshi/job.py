"""The audit job: inventory → collect → judge → record. Everything that can be wrong with the input is found first."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import panshi
import panshi.checks.linux
import panshi.checks.mysql
import panshi.checks.network
from panshi.audit import Plan, audit_host, describe_waiver, unread_host
from panshi.checks import CHECKS
from panshi.collect.client import Collected, Failed, Limits, Started
from panshi.collect.estate import collect_estate
from panshi.controls import (
    Catalogue,
    Check,
    Control,
    Params,
    Profile,
    load_catalogue,
    load_profile,
    load_waivers,
    resolve_params,
    select,
)
from panshi.errors import PanshiError
from panshi.facts import FactMissing, Facts
from panshi.facts.network import device
from panshi.inventory import Estate, Host, load_estate
from panshi.record import Begin, EndRow, HostRow, RecordWriter, VerdictRow
from panshi.verdict import Status

JOB = "audit"
FINDINGS = (Status.FAIL, Status.PARTIAL)
EXIT_CLEAN, EXIT_FINDINGS, EXIT_BAD_INPUT, EXIT_UNREAD = 0, 1, 2, 3
_TOOLS = ("ansible-core", "pyinfra", "paramiko", "netmiko")


@dataclass(frozen=True, slots=True)
class Request:
    """What the operator asked for.

    Args:
        inventory: file or folder.
        limit: Ansible host pattern.
        controls: clauses, tags, check ids or globs; empty for all of the profile.
        profile: name below ``controls/profiles``.
        records: root folder of the records.
        limits: bounds of the fleet read.
        vault_password_files: for vaulted variables.
    """

    inventory: Path
    limit: str = ""
    controls: tuple[str, ...] = ()
    profile: str = "linux-l3"
    records: Path = Path("records")
    limits: Limits = field(default_factory=Limits)
    vault_password_files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request whose every part was found and makes sense."""

    request: Request
    estate: Estate
    profile: Profile
    plan: Plan
    params: Mapping[str, Params]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostResult:
    """What became of one host: its row of the record and how often each status was given."""

    row: HostRow
    counts: Counter[Status]
    errors: tuple[VerdictRow, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a run.

    Args:
        path: folder of the record.
        hosts: by name, in the order in which they were finished.
        seconds: wall time.
        exit: exit status by ``docs/design.md`` section 6.
        warnings: Chinese lines.
    """

    path: Path
    hosts: Mapping[str, HostResult]
    seconds: float
    exit: int
    warnings: tuple[str, ...]


Listener = Callable[[Started | HostResult], None]


def prepare(request: Request) -> Prepared:
    """Find and check everything that a run needs, before any host is touched.

    Raises:
        PanshiError: PS-E1xxx for whatever is wrong with inventory, selection, overrides or waivers.
    """
    catalogue = load_catalogue()
    profile = load_profile(request.profile)
    select(catalogue, profile, request.controls)
    estate = load_estate(request.inventory, request.limit, request.vault_password_files)
    # What no host of the run has is no part of it.
    present = {target for host in estate.hosts for target in _known(host, catalogue)}
    profile = replace(profile, targets=tuple(target for target in profile.targets if target in present))
    selected = select(catalogue, profile, request.controls)
    params = {host.name: resolve_params(catalogue, profile.level, host.variables, host.name) for host in estate.hosts}
    loaded = load_waivers(estate.folder / "waivers.yml", catalogue)
    waivers = {f"W{number}": waiver for number, waiver in enumerate(loaded, start=1)}
    today = dt.date.today()
    expired = tuple(
        f"[PS-E1106] 豁免 {key}（{waiver.selector}，{waiver.owner}）已于 {waiver.expires} 到期，对应的发现照常计入"
        for key, waiver in waivers.items()
        if waiver.expired(today)
    )
    plan = Plan(catalogue, profile.level, selected, CHECKS, waivers, today)
    return Prepared(request, estate, profile, plan, params, (*estate.warnings, *expired))


def _known(host: Host, catalogue: Catalogue) -> tuple[str, ...]:
    known = {check.target for check in catalogue.checks.values()}
    if unknown := [target for target in host.targets if target not in known]:
        raise PanshiError(
            "PS-E1006",
            f"主机 {host.name} 的变量 panshi_targets 有不认识的对象：{'、'.join(unknown)}",
            f"应是列表，例如 [linux, mysql]；目录里有：{'、'.join(sorted(known))}",
        )
    return host.targets


def run(prepared: Prepared, listener: Listener = lambda _: None) -> Result:
    """Read, judge and record every host of a prepared request.

    Args:
        prepared: what :func:`prepare` returned.
        listener: is told when a host is begun and when it is finished.

    Raises:
        PanshiError: PS-E4xxx when the record cannot be written. What was written before stays valid.
        BaseException: an interruption is passed on; the record stays without its last line, that is incomplete.
    """
    began = time.monotonic()
    request, estate = prepared.request, prepared.estate
    hosts = {host.name: host for host in estate.hosts}
    results: dict[str, HostResult] = {}
    with RecordWriter(request.records, estate=estate.name, job=JOB) as record:
        record.write(_begin(prepared, record.run))
        for event in collect_estate(estate.hosts, request.limits):
            if isinstance(event, Started):
                listener(event)
                continue
            results[event.host] = _finish(prepared, hosts[event.host], event, record)
            listener(results[event.host])
        status = _exit(results.values())
        seconds = time.monotonic() - began
        record.write(
            EndRow(
                counts={key.value: n for key, n in sum((r.counts for r in results.values()), Counter()).items()},
                hosts=dict(Counter(result.row.state for result in results.values())),
                seconds=round(seconds, 3),
                exit=status,
            )
        )
    judged = {name for control, check in prepared.plan.selected for name in (control.id, check.id)}
    unused = tuple(
        f"豁免 {key}（{waiver.selector}）没有用到：所指的发现已不存在，或不在本次范围内"
        for key, waiver in prepared.plan.waivers.items()
        if not waiver.used and waiver.selector in judged
    )
    return Result(record.path, results, seconds, status, (*prepared.warnings, *unused))


def summary(result: Result) -> dict[str, Any]:
    """Return a result as plain JSON values, for programs."""
    return {
        "record": str(result.path.resolve()),
        "exit": result.exit,
        "seconds": round(result.seconds, 3),
        "warnings": list(result.warnings),
        "hosts": {
            name: {
                "state": found.row.state,
                "code": found.row.code,
                "message": found.row.message,
                "rows": {status.value: found.counts[status] for status in Status if found.counts[status]},
            }
            for name, found in result.hosts.items()
        },
    }


def _finish(prepared: Prepared, host: Host, event: Collected | Failed, record: RecordWriter) -> HostResult:
    if isinstance(event, Collected):
        try:
            facts = Facts(event.document)
            row = (_device_row if host.is_device else _host_row)(host, facts, event.seconds)
        except (TypeError, KeyError, AttributeError, FactMissing) as error:
            broken = PanshiError(
                "PS-E3007", f"主机 {host.name} 的采集结果结构不对：{error}", "采集程序与控制端版本应一致，请重新运行"
            )
            event = Failed(host.name, "failed", broken, event.seconds)
        else:
            record.write_host(row, event.document)
            rows = audit_host(prepared.plan, host.name, host.targets, facts, prepared.params[host.name])
    if isinstance(event, Failed):
        row = HostRow(
            host=host.name,
            state=event.state,
            code=event.error.code,
            message=event.error.message,
            seconds=event.seconds,
            address=host.address,
            emulated=host.emulated,
        )
        record.write_host(row, None)
        rows = unread_host(prepared.plan, host.name, host.targets, f"[{event.error.code}] {event.error.message}")
    record.write(*rows)
    errors = tuple(row for row in rows if row.status is Status.ERROR)
    return HostResult(row, Counter(row.status for row in rows), errors)


def _host_row(host: Host, facts: Facts, seconds: float) -> HostRow:
    skipped = list(facts.document.get("skipped", ()))
    root = facts.document.get("uid") == 0
    message = f"{len(skipped)} 项没有采集到" if skipped else ""
    if not root:
        message = f"以普通用户采集（uid {facts.document.get('uid')}），只有 root 能读的内容缺失"
    return HostRow(
        host=host.name,
        state="partial" if skipped or not root else "collected",
        code="" if root else "PS-E3012",
        message=message,
        seconds=seconds,
        address=host.address,
        os=_os_name(facts),
        kernel=" ".join(_out(facts, "host.uname").split()[1:2]),
        container=_out(facts, "host.container") not in ("", "none"),
        emulated=host.emulated,
        skipped=skipped,
    )


def _device_row(host: Host, facts: Facts, seconds: float) -> HostRow:
    skipped = list(facts.document.get("skipped", ()))
    return HostRow(
        host=host.name,
        state="partial" if skipped else "collected",
        message=f"{len(skipped)} 项没有采集到" if skipped else "",
        seconds=seconds,
        address=host.address,
        os=device(facts).system,
        emulated=host.emulated,
        skipped=skipped,
    )


def _out(facts: Facts, item: str) -> str:
    try:
        return facts.out(item).strip()
    except FactMissing:
        return ""


def _os_name(facts: Facts) -> str:
    try:
        text = facts.text("/etc/os-release")
    except FactMissing:
        return ""
    pairs = (line.partition("=") for line in text.splitlines())
    return next((value.strip("\"'") for key, _, value in pairs if key == "PRETTY_NAME"), "")


def _exit(results: Any) -> int:
    seen = Counter[Status]()
    for result in results:
        seen += result.counts
    if seen[Status.ERROR]:
        return EXIT_UNREAD
    return EXIT_FINDINGS if any(seen[status] for status in FINDINGS) else EXIT_CLEAN


def _begin(prepared: Prepared, run_id: str) -> Begin:
    plan, profile = prepared.plan, prepared.profile
    controls = {control.id: control for control, _ in plan.selected}
    parameters = plan.catalogue.parameters(profile.level)
    used = {name for _, check in plan.selected for name in check.parameters}
    return Begin(
        run=run_id,
        estate=prepared.estate.name,
        job=JOB,
        operator=_operator(),
        profile=profile.id,
        profile_title=profile.title,
        level=profile.level,
        versions=_versions(),
        catalogue=plan.catalogue.digest,
        inventory=str(prepared.request.inventory),
        hosts=[
            {"name": host.name, "targets": list(host.targets), "groups": list(host.groups)}
            for host in prepared.estate.hosts
        ],
        controls={key: _control_snapshot(control) for key, control in controls.items()},
        checks={check.id: _check_snapshot(plan, check) for _, check in plan.selected},
        parameters={
            name: {
                "title": parameter.title,
                "unit": parameter.unit,
                "value": parameter.default,
                "accept": parameter.text,
                "origin": parameter.origin,
                "source": parameter.source,
            }
            for name, parameter in parameters.items()
            if name in used
        },
        overrides=_overrides(prepared.estate.hosts),
        waivers=[describe_waiver(number, waiver) for number, waiver in plan.waivers.items()],
    )


def _control_snapshot(control: Control) -> dict[str, Any]:
    keys = ("title", "area", "control_point", "sag", "requirement", "weight_2021", "weight_origin", "high_risk")
    return {key: getattr(control, key) for key in keys}


def _check_snapshot(plan: Plan, check: Check) -> dict[str, Any]:
    keys = ("control", "target", "mode", "title", "fix", "read", "also_covers", "scored", "note")
    values = {key: getattr(check, key) for key in keys}
    return {
        **values,
        "also_covers": list(check.also_covers),
        "risk": asdict(check.risk),
        "planned": plan.planned(check),
    }


def _overrides(hosts: Sequence[Host]) -> list[dict[str, Any]]:
    """Return the overrides in force, hosts with the same value together."""
    scopes: dict[str, list[tuple[Any, list[str]]]] = defaultdict(list)
    for host in hosts:
        for variable, value in host.variables.items():
            same = next((names for other, names in scopes[variable] if other == value), None)
            if same is None:
                scopes[variable].append((value, [host.name]))
            else:
                same.append(host.name)
    return [
        {
            "parameter": variable.removeprefix("mlps_"),
            "scope": "全部主机" if len(names) == len(hosts) else "、".join(names),
            "value": value,
        }
        for variable, values in sorted(scopes.items())
        for value, names in values
    ]


def _operator() -> str:
    # Under sudo the person behind root is the one who answers for the run.
    return f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{platform.node()}"


def _versions() -> dict[str, str]:
    found = {"panshi": panshi.__version__, "python": platform.python_version()}
    for tool in _TOOLS:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            continue
    return found
