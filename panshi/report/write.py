"""Verify a run, compute its report, and put the files on the disk."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from panshi.errors import PanshiError
from panshi.judges.accepted import load_answers
from panshi.judges.compare import Comparison
from panshi.judges.figures import around, only_hosts
from panshi.record import Problem, RestoreRow, Run, is_running, list_runs, previous_run, read_run, verify_run
from panshi.report import (
    database,
    docx,
    harden,
    harden_docx,
    harden_html,
    harden_xlsx,
    html,
    network_backup,
    network_change,
    network_inspection,
    patch,
    patch_docx,
    patch_html,
    patch_xlsx,
    recovery,
    restore,
    restore_docx,
    restore_html,
    tables,
    xlsx,
)
from panshi.report.model import Report, build

FORMATS = ("html", "xlsx", "docx")
YEARS = ("2025", "2020")
_PATCH = "patch_apply"
_RESTORE = "restore_verify"
_RECOVERY = "restore"
_DATABASE = "db_review"
_NETWORK_BACKUP = "network_backup"
_NETWORK_CHANGES = {"network_change": "网络设备变更", "network_policy": "访问策略", "network_restore": "网络设备恢复"}
_NETWORK_INSPECT = "network_inspect"
RESTORE_FORMATS = ("html", "docx")


def write_reports(
    path: Path,
    *,
    formats: Sequence[str] = FORMATS,
    out: Path | None = None,
    year: str = "2025",
    with_2021: bool = False,
) -> list[Path]:
    """Write the reports of a run.

    Args:
        path: the run's folder.
        formats: of ``html``, ``xlsx``, ``docx``.
        out: folder for the files; ``report`` inside the run's folder when not given.
        year: rules for high risks.
        with_2021: also print the 2021 score.

    Returns:
        The files, in the order of ``formats``.

    Raises:
        PanshiError: PS-E4003 the record was changed; PS-E4005 rows are not checks × hosts; PS-E4007 the run is
            incomplete; PS-E4008 a file cannot be written; PS-E4009 an unknown format or year.
    """
    _known(formats, FORMATS, "格式")
    _known([year], YEARS, "判例版本")
    refuse(path, verify_run(path))
    run = read_run(path)
    report = build(run, previous_run(run), year)
    return [_save(file_of(path, kind, out), _RENDER[kind](report, with_2021)) for kind in formats]


def write_harden(
    path: Path,
    before: Path,
    after: Path,
    *,
    formats: Sequence[str] = FORMATS,
    out: Path | None = None,
    year: str = "2025",
) -> list[Path]:
    """Write the before-and-after reports of a hardening run.

    Args:
        path: folder of the hardening run.
        before: folder of an audit before it.
        after: folder of an audit after it.
        formats, out, year: as in :func:`write_reports`.

    Returns:
        The files, in the order of ``formats``.

    Raises:
        PanshiError: as :func:`write_reports`; PS-E4010 when the three do not belong together; PS-E4202, PS-E4204 for
            figures of outside judges that cannot be read.
    """
    _known(formats, FORMATS, "格式")
    _known([year], YEARS, "判例版本")
    for one in (path, before, after):
        refuse(one, verify_run(one))
    run, old, new = read_run(path), read_run(before), read_run(after)
    _belong(run, old, new)
    root = path.resolve().parents[2]
    judged = around(root, run.begin.estate, run.begin_time)
    hosts = [host["name"] for host in run.begin.hosts]
    judges = Comparison(only_hosts(judged[0], hosts), only_hosts(judged[1], hosts), load_answers())
    report = harden.compare(run, old, new, judges, year)
    return [_save(file_of(path, kind, out), _RENDER_HARDEN[kind](report)) for kind in formats]


def write_patch(path: Path, *, formats: Sequence[str] = FORMATS, out: Path | None = None) -> list[Path]:
    """Write the reports of a patch plan: of all runs of the estate that carried out the plan of one of them.

    Args:
        path: folder of one of these runs; one that was killed will do.
        formats, out: as in :func:`write_reports`.

    Returns:
        The files, in the order of ``formats``.

    Raises:
        PanshiError: PS-E4003 the record of one of these runs was changed; PS-E4007 the run is still being written;
            PS-E4008, PS-E4009 as :func:`write_reports`; PS-E6401 the run holds no signed plan.
    """
    _known(formats, FORMATS, "格式")
    report = _patching(path)
    return [_save(file_of(path, kind, out), _RENDER_PATCH[kind](report)) for kind in formats]


def write_restore(path: Path, *, formats: Sequence[str] = RESTORE_FORMATS, out: Path | None = None) -> list[Path]:
    """Write the report of a run of ``restore_verify``.

    Args:
        path: folder of the run; one that was killed will do.
        formats: of ``html``, ``docx``.
        out: as in :func:`write_reports`.

    Returns:
        The files, in the order of ``formats``.

    Raises:
        PanshiError: PS-E4003 the record was changed; PS-E4007 the run is still being written; PS-E4008, PS-E4009 as
            :func:`write_reports`; PS-E4211 the run is of another job; PS-E4212 a row cannot be read.
    """
    _known(formats, RESTORE_FORMATS, "格式")
    run = _ended_run(path, _RESTORE, "恢复验证")
    report = restore.proving(run, *_proofs_before(path, run))
    return [_save(file_of(path, kind, out), _RENDER_RESTORE[kind](report)) for kind in formats]


def write_recovery(path: Path, *, formats: Sequence[str] = RESTORE_FORMATS, out: Path | None = None) -> list[Path]:
    """Write the record of a run of ``restore``; as :func:`write_restore`.

    Raises:
        PanshiError: as :func:`write_restore`; PS-E4211 also for a run that tells of nothing that was to come back.
    """
    _known(formats, RESTORE_FORMATS, "格式")
    run = _ended_run(path, _RECOVERY, "恢复")
    if not run.recoveries:
        raise PanshiError(
            "PS-E4211", f"运行 {path.resolve().name} 没有做到恢复这一步，无可报告", "用 --run 指定另一次 restore 的运行"
        )
    return [_save(file_of(path, kind, out), _RENDER_RECOVERY[kind](run)) for kind in formats]


def write_database(path: Path, *, formats: Sequence[str] = RESTORE_FORMATS, out: Path | None = None) -> list[Path]:
    """Write the report of a run of ``db_review``; as :func:`write_restore`.

    Raises:
        PanshiError: as :func:`write_restore`, with PS-E7510 for a row that cannot be read.
    """
    _known(formats, RESTORE_FORMATS, "格式")
    run = _ended_run(path, _DATABASE, "数据库审查")
    return [_save(file_of(path, kind, out), _RENDER_DATABASE[kind](run)) for kind in formats]


def write_network_backup(path: Path, *, out: Path | None = None) -> Path:
    """Write the report of a run of ``network_backup``; one that was killed will do.

    Raises:
        PanshiError: PS-E4003 the record was changed; PS-E4007 the run is still being written; PS-E4008 the file cannot
            be written; PS-E4211 the run is of another job.
    """
    run = _ended_run(path, _NETWORK_BACKUP, "网络设备备份")
    return _save(file_of(path, "html", out), network_backup.html(run))


def write_network_change(path: Path, job: str = "network_change", *, out: Path | None = None) -> Path:
    """Write the report of a run of ``network_change``, ``network_policy`` or ``network_restore``, planned or done.

    Args, returns and errors as :func:`write_network_backup`.
    """
    run = _ended_run(path, job, _NETWORK_CHANGES[job])
    return _save(file_of(path, "html", out), network_change.html(run))


def write_network_inspect(path: Path, *, out: Path | None = None) -> Path:
    """Write the report of a run of ``network_inspect``; as :func:`write_network_backup`."""
    run = _ended_run(path, _NETWORK_INSPECT, "网络设备巡检")
    return _save(file_of(path, "html", out), network_inspection.html(run))


def _ended_run(path: Path, job: str, what: str) -> Run:
    """Return a run that is not being written any more, unchanged and of a job; one that was killed will do."""
    refuse(path, [one for one in verify_run(path) if not one.incomplete or is_running(path)])
    run = read_run(path)
    if run.begin.job != job:
        raise PanshiError(
            "PS-E4211", f"运行 {path.resolve().name} 是 {run.begin.job}，不是{what}", f"用 --run 指定 {job} 的运行"
        )
    return run


def write_tables(path: Path, *, out: Path | None = None) -> Path:
    """Write the tables that an assessor asks for, from the facts of an audit.

    Args:
        path: folder of the audit run.
        out: folder for the file; ``report`` inside the run's folder when not given.

    Raises:
        PanshiError: PS-E4003, PS-E4007 the record was changed or is incomplete; PS-E4008 the file cannot be written;
            PS-E4011 the run collected nothing.
    """
    refuse(path, verify_run(path))
    return _save(file_of(path, "xlsx", out, "tables"), tables.render(read_run(path)))


def find_harden(records: Path, name: str, estate: str) -> tuple[Path, list[Path]]:
    """Return the hardening run that the operator means, as :func:`find_run`; without a name the last that changed
    anything, because a rehearsal and a second run that finds nothing to do leave a record too.
    """
    last, passed = find_run(records, name, estate, "harden")
    if name:
        return last, passed
    older = (path for path in reversed(list_runs(last.parents[2], last.parents[1].name, "harden")) if path <= last)
    return next((path for path in older if not verify_run(path) and read_run(path).changes), last), passed


def find_patch(records: Path, name: str, estate: str) -> tuple[Path, list[Path]]:
    """Return the patch run that the operator means, and newer ones that were passed over because they still go on.

    A killed run counts: it is when it was killed that its report is needed.

    Raises:
        PanshiError: PS-E4004 when there is none, or it is of another estate.
    """
    return _find_ended(records, name, estate, _PATCH)


def find_restore(records: Path, name: str, estate: str) -> tuple[Path, list[Path]]:
    """Return the run of ``restore_verify`` that the operator means; as :func:`find_patch`."""
    return _find_ended(records, name, estate, _RESTORE)


def find_recovery(records: Path, name: str, estate: str) -> tuple[Path, list[Path]]:
    """Return the run of ``restore`` that the operator means; as :func:`find_patch`."""
    return _find_ended(records, name, estate, _RECOVERY)


def find_database(records: Path, name: str, estate: str) -> tuple[Path, list[Path]]:
    """Return the run of ``db_review`` that the operator means; as :func:`find_patch`."""
    return _find_ended(records, name, estate, _DATABASE)


def find_network_backup(records: Path, name: str, estate: str) -> tuple[Path, list[Path]]:
    """Return the run of ``network_backup`` that the operator means; as :func:`find_patch`."""
    return _find_ended(records, name, estate, _NETWORK_BACKUP)


def find_network_change(records: Path, name: str, estate: str, job: str = "network_change") -> tuple[Path, list[Path]]:
    """Return the run of a job that changes network devices that the operator means; as :func:`find_patch`."""
    return _find_ended(records, name, estate, job)


def find_network_inspect(records: Path, name: str, estate: str) -> tuple[Path, list[Path]]:
    """Return the run of ``network_inspect`` that the operator means; as :func:`find_patch`."""
    return _find_ended(records, name, estate, _NETWORK_INSPECT)


def _find_ended(records: Path, name: str, estate: str, job: str) -> tuple[Path, list[Path]]:
    if name:
        path, passed = find_run(records, name, estate, job)
        if estate and (owner := read_run(path).begin.estate) != estate:
            raise PanshiError("PS-E4004", f"运行 {path.name} 属于环境 {owner}，不是 {estate}", "核对 --run 与 --estate")
        return path, passed
    known = list_runs(records, _estate(records, estate, job), job)
    running = [path for path in known if is_running(path)]
    if ended := [path for path in known if path not in running]:
        return ended[-1], [path for path in running if path > ended[-1]]
    raise PanshiError("PS-E4004", f"{records} 中没有环境 {estate} 的 {job} 运行", f"先执行 playbooks/{job}.yml")


def audit_before(records: Path, run: Run) -> Path:
    """Return the last complete audit before a hardening run that shows all of its plan.

    The playbook audits on its own between taking its run id and planning, so times are compared, not ids.

    Args:
        records: the folder ``records``.
        run: the hardening run.

    Raises:
        PanshiError: PS-E4010 when there is none.
    """
    return _fitting(reversed(list_runs(records, run.begin.estate, "audit")), run, before=True)


def audit_after(records: Path, run: Run) -> Path:
    """Return the first complete audit after a hardening run that shows all of its plan; as :func:`audit_before`."""
    return _fitting(list_runs(records, run.begin.estate, "audit"), run, before=False)


def file_of(path: Path, kind: str, out: Path | None, what: str = "") -> Path:
    """Return where a report of a run goes; the name tells job, estate and run."""
    place = path.resolve()
    name = f"panshi-{what or place.parent.name}-{place.parents[1].name}-{place.name}.{kind}"
    return (out or path / "report") / name


def _fitting(paths: Iterable[Path], run: Run, *, before: bool) -> Path:
    wanted = {(plan.host, plan.check) for plan in run.plans}
    moment = re.sub("[-:]", "", run.begin_time)  # a run id begins with the time in this form
    for path in paths:
        if (path.name[: len(moment)] <= moment) is not before or verify_run(path):
            continue
        audit = read_run(path)
        if audit.begin.level == run.begin.level and wanted <= {(row.host, row.check) for row in audit.verdicts}:
            return path
    raise PanshiError(
        "PS-E4010",
        f"加固运行 {run.begin.run} {'之前' if before else '之后'}没有含其全部主机与检查项的完整审计",
        "执行 panshi audit 后重试，或用 --before、--after 指定运行",
    )


def _patching(path: Path) -> patch.Patching:
    """Read a run, those that carried out the same plan, and those that changed packages of the estate before them."""
    refuse(path, [one for one in verify_run(path) if not one.incomplete or is_running(path)])
    run = read_run(path)
    if run.signed is None:
        raise PanshiError(
            "PS-E6401", f"运行 {path.resolve().name} 的记录中没有签过字的补丁计划", "用 --run 指定 patch_apply 的运行"
        )
    place = path.resolve()
    same, others, damaged = {place.name: run}, [], []
    for other in _changing(place.parents[1]):
        if other == place or is_running(other):
            continue
        problems = [one for one in verify_run(other) if not one.incomplete]
        try:
            found = read_run(other)
        except PanshiError:
            damaged.append(other.name)
            continue
        if found.signed is not None and found.signed.sha256 == run.signed.sha256:
            refuse(other, problems)
            same[other.name] = found
        elif problems:
            damaged.append(other.name)
        else:
            others.append(found)
    runs = tuple(same[name] for name in sorted(same))
    first = runs[0].begin.run
    earlier = sorted((one for one in others if one.begin.run < first), key=lambda one: one.begin.run)
    return patch.Patching(runs, tuple(earlier), tuple(name for name in sorted(damaged) if name < first))


def _proofs_before(path: Path, run: Run) -> tuple[dict[str, list[tuple[Run, RestoreRow]]], list[str]]:
    """Return up to twelve earlier results of each host of a run, the oldest first, and runs that cannot be used."""
    found: dict[str, list[tuple[Run, RestoreRow]]] = {row.host: [] for row in run.restores}
    damaged: list[str] = []
    place = path.resolve()
    for other in reversed(list_runs(place.parents[2], place.parents[1].name, _RESTORE)):
        if other.name >= place.name or is_running(other):
            continue
        if all(len(rows) >= restore.EARLIER for rows in found.values()):
            break
        try:
            problems = [one for one in verify_run(other) if not one.incomplete]
            rows = {row.host: (one, row) for one in (read_run(other),) for row in one.restores}
        except PanshiError:
            damaged.append(other.name)
            continue
        if problems:
            damaged.append(other.name)
            continue
        for host, known in found.items():
            if host in rows and len(known) < restore.EARLIER:
                known.insert(0, rows[host])
    return found, damaged


def _changing(estate: Path) -> Iterator[Path]:
    """Yield the runs of an estate that may have changed a package: neither audits nor rehearsals."""
    for job in sorted(one.name for one in estate.iterdir() if one.is_dir()):
        if job != "audit" and not job.endswith("-check"):
            yield from list_runs(estate.parent, estate.name, job)


def _belong(run: Run, before: Run, after: Run) -> None:
    audits = (before, after)
    faults = [
        *([f"{run.begin.run} 是审计"] if run.verdicts else []),
        *(f"{one.begin.run} 不是审计" for one in audits if not one.verdicts),
        *(f"{one.begin.run} 不是同一环境的" for one in audits if one.begin.estate != run.begin.estate),
        *([] if before.begin_time <= run.begin_time < after.begin_time else ["时间次序不是 审计、加固、审计"]),
    ]
    if faults:
        raise PanshiError(
            "PS-E4010",
            f"不能与加固运行 {run.begin.run} 对照：{'；'.join(faults)}",
            "用 --before、--after 指定前后两次审计",
        )


def refuse(path: Path, problems: Sequence[Problem]) -> None:
    """Raise what :func:`verify_run` found as one line: PS-E4003 for changes, PS-E4007 for an incomplete run."""
    changed = [problem for problem in problems if not problem.incomplete]
    if changed:
        words = "；".join(map(str, changed[:3])) + (f" 等 {len(changed)} 处" if len(changed) > 3 else "")
        raise PanshiError(
            "PS-E4003",
            f"运行 {path.resolve().name} 的记录已损坏：{words}",
            "从备份取回该运行的文件夹，或重新执行审计；panshi report --verify 列出全部问题",
        )
    if problems:
        words = "；".join(map(str, problems))
        raise PanshiError("PS-E4007", f"运行 {path.resolve().name} 不完整：{words}", "等作业结束，或重新执行审计")


def find_run(records: Path, name: str, estate: str, job: str) -> tuple[Path, list[Path]]:
    """Return the run that the operator means, and newer runs that were passed over because they are incomplete.

    Args:
        records: the folder ``records``.
        name: a run's folder or its run id; empty for the last run of ``estate``.
        estate: name of the estate; may be empty when ``records`` holds only one.
        job: for example ``audit``.

    Raises:
        PanshiError: PS-E4004 when there is none.
    """
    if name:
        found = [Path(name)] if Path(name).is_dir() else sorted(records.glob(f"*/*/{Path(name).name}"))
        if len(found) != 1:
            raise PanshiError(
                "PS-E4004", f"{records} 中没有运行 {name}", "写运行文件夹的路径，或用 --estate 环境名 --last"
            )
        return found[0], []
    known = _estate(records, estate, job)
    passed: list[Path] = []
    for path in reversed(list_runs(records, known, job)):
        if all(not problem.incomplete for problem in verify_run(path)):
            return path, passed
        passed.append(path)
    raise PanshiError("PS-E4004", f"{records} 中没有环境 {known} 的完整 {job} 运行", "先执行 panshi audit")


def _estate(records: Path, estate: str, job: str) -> str:
    estates = [estate] if estate else sorted(path.parent.name for path in records.glob(f"*/{job}"))
    if len(estates) != 1:
        known = f"{records} 中有环境：{'、'.join(estates)}" if estates else f"{records} 中没有 {job} 的运行记录"
        raise PanshiError("PS-E4004", known, "用 --estate 指定环境，或先执行 panshi audit")
    return estates[0]


def _known(values: Sequence[str], allowed: Sequence[str], what: str) -> None:
    unknown = [value for value in values if value not in allowed]
    if unknown or not values:
        raise PanshiError(
            "PS-E4009", f"没有这种{what}：{'、'.join(unknown) or '（空）'}", f"可用：{'、'.join(allowed)}"
        )


def _save(file: Path, data: bytes) -> Path:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(data)
            draft.chmod(0o600)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise PanshiError(
            "PS-E4008", f"无法写入报告 {file}：{error.strerror}", "用 --out 指定可写且有空间的文件夹"
        ) from error
    return file


_RENDER: dict[str, Callable[[Report, bool], bytes]] = {
    "html": lambda report, with_2021: html.render(report, with_2021=with_2021).encode(),
    "xlsx": lambda report, with_2021: xlsx.render(report, with_2021=with_2021),
    "docx": lambda report, with_2021: docx.render(report, with_2021=with_2021),
}
_RENDER_HARDEN: dict[str, Callable[[harden.Hardening], bytes]] = {
    "html": lambda report: harden_html.render(report).encode(),
    "xlsx": harden_xlsx.render,
    "docx": harden_docx.render,
}
_RENDER_PATCH: dict[str, Callable[[patch.Patching], bytes]] = {
    "html": lambda report: patch_html.render(report).encode(),
    "xlsx": patch_xlsx.render,
    "docx": patch_docx.render,
}
_RENDER_RESTORE: dict[str, Callable[[restore.Proving], bytes]] = {
    "html": lambda report: restore_html.render(report).encode(),
    "docx": restore_docx.render,
}
_RENDER_RECOVERY: dict[str, Callable[[Run], bytes]] = {"html": recovery.html, "docx": recovery.docx}
_RENDER_DATABASE: dict[str, Callable[[Run], bytes]] = {"html": database.html, "docx": database.docx}
