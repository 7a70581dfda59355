"""``panshi report``: verify a run and write its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panshi.record import read_run, verify_run
from panshi.report.write import FORMATS, find_run, refuse, write_reports

app = typer.Typer(help="由运行记录生成报告，或校验运行记录")


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="运行编号或运行文件夹；不写则取最近一次完整的运行")] = "",
    estate: Annotated[str, typer.Option(help="环境名（清单文件夹名）")] = "",
    job: Annotated[str, typer.Option(help="作业名")] = "audit",
    last: Annotated[bool, typer.Option("--last", help="最近一次完整的运行（默认）")] = False,
    formats: Annotated[str, typer.Option("--format", help="逗号分隔：html,xlsx,docx")] = ",".join(FORMATS),
    out: Annotated[Path | None, typer.Option(help="输出文件夹；默认为运行文件夹下的 report")] = None,
    records: Annotated[Path, typer.Option(help="运行记录的根文件夹")] = Path("records"),
    verify: Annotated[bool, typer.Option("--verify", help="只校验记录的散列链与采集文件，不生成报告")] = False,
    score_2021: Annotated[bool, typer.Option("--score-2021", help="另列 2021 版分数（公式未核实）")] = False,
    high_risk: Annotated[str, typer.Option(help="高风险判例版本：2025 或 2020")] = "2025",
) -> None:
    """由运行记录生成 HTML、xlsx、docx 报告。"""
    if run and last:
        raise typer.BadParameter("已写明运行时不能再用 --last")
    path, passed = find_run(records, run, estate, job)
    for newer in passed:
        typer.echo(f"注意：更新的运行 {newer.name} 不完整，未采用", err=True)
    if verify:
        _verify(path)
        return
    chosen = [kind.strip() for kind in formats.split(",") if kind.strip()]
    for file in write_reports(path, formats=chosen, out=out, year=high_risk, with_2021=score_2021):
        typer.echo(str(file))


def _verify(path: Path) -> None:
    problems = verify_run(path)
    for problem in problems:
        typer.echo(str(problem), err=True)
    refuse(path, problems)
    run = read_run(path)
    rows = f"{len(run.hosts)} 台主机、{len(run.verdicts)} 行结果"
    typer.echo(f"校验通过：{path.resolve().name}，{rows}，链头 {run.head}")
