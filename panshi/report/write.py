"""Verify a run, compute its report, and put the files on the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from panshi.errors import PanshiError
from panshi.record import Problem, list_runs, previous_run, read_run, verify_run
from panshi.report import docx, html, xlsx
from panshi.report.model import Report, build

FORMATS = ("html", "xlsx", "docx")
YEARS = ("2025", "2020")


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
    folder = out or path / "report"
    files = []
    for kind in formats:
        file = (
            folder
            / f"panshi-{path.resolve().parent.name}-{path.resolve().parents[1].name}-{path.resolve().name}.{kind}"
        )
        _save(file, _RENDER[kind](report, with_2021))
        files.append(file)
    return files


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
    estates = [estate] if estate else sorted(path.parent.name for path in records.glob(f"*/{job}"))
    if len(estates) != 1:
        known = f"{records} 中有环境：{'、'.join(estates)}" if estates else f"{records} 中没有 {job} 的运行记录"
        raise PanshiError("PS-E4004", known, "用 --estate 指定环境，或先执行 panshi audit")
    passed: list[Path] = []
    for path in reversed(list_runs(records, estates[0], job)):
        if all(not problem.incomplete for problem in verify_run(path)):
            return path, passed
        passed.append(path)
    raise PanshiError("PS-E4004", f"{records} 中没有环境 {estates[0]} 的完整 {job} 运行", "先执行 panshi audit")


def _known(values: Sequence[str], allowed: Sequence[str], what: str) -> None:
    unknown = [value for value in values if value not in allowed]
    if unknown or not values:
        raise PanshiError(
            "PS-E4009", f"没有这种{what}：{'、'.join(unknown) or '（空）'}", f"可用：{'、'.join(allowed)}"
        )


def _save(file: Path, data: bytes) -> None:
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


_RENDER: dict[str, Callable[[Report, bool], bytes]] = {
    "html": lambda report, with_2021: html.render(report, with_2021=with_2021).encode(),
    "xlsx": lambda report, with_2021: xlsx.render(report, with_2021=with_2021),
    "docx": lambda report, with_2021: docx.render(report, with_2021=with_2021),
}
