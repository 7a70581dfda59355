"""``panshi report``: verify a run and write its report, of one kind per subcommand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from panshi.record import read_run, verify_run
from panshi.report.write import (
    FORMATS,
    RESTORE_FORMATS,
    audit_after,
    audit_before,
    find_database,
    find_harden,
    find_network_backup,
    find_network_change,
    find_network_inspect,
    find_patch,
    find_recovery,
    find_restore,
    find_run,
    refuse,
    write_database,
    write_harden,
    write_network_backup,
    write_network_change,
    write_network_inspect,
    write_patch,
    write_recovery,
    write_reports,
    write_restore,
    write_tables,
)


class _AuditFirst(TyperGroup):
    """``panshi report <run>`` is ``panshi report audit <run>``: the common case needs no word more."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args[:1] and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named else ["audit", *args])


app = typer.Typer(
    name="report",
    cls=_AuditFirst,
    help="由运行记录生成报告，或校验运行记录；不写子命令即为 audit",
)
_Estate = Annotated[str, typer.Option(help="环境名（清单文件夹名）")]
_Out = Annotated[Path | None, typer.Option(help="输出文件夹；默认为运行文件夹下的 report")]
_Records = Annotated[Path, typer.Option(help="运行记录的根文件夹")]
_Formats = Annotated[str, typer.Option("--format", help="逗号分隔：html,xlsx,docx")]
_ALL = ",".join(FORMATS)
_TwoFormats = Annotated[str, typer.Option("--format", help="逗号分隔：html,docx")]
_TWO = ",".join(RESTORE_FORMATS)
_HighRisk = Annotated[str, typer.Option(help="高风险判例版本：2025 或 2020")]


@app.command(name="audit")
def report(
    run: Annotated[str, typer.Argument(help="运行编号或运行文件夹；不写则取最近一次完整的运行")] = "",
    estate: _Estate = "",
    job: Annotated[str, typer.Option(help="作业名")] = "audit",
    last: Annotated[bool, typer.Option("--last", help="最近一次完整的运行（默认）")] = False,
    formats: _Formats = _ALL,
    out: _Out = None,
    records: _Records = Path("records"),
    verify: Annotated[bool, typer.Option("--verify", help="只校验记录的散列链与采集文件，不生成报告")] = False,
    score_2021: Annotated[bool, typer.Option("--score-2021", help="另列 2021 版分数（公式未核实）")] = False,
    high_risk: _HighRisk = "2025",
) -> None:
    """由运行记录生成 HTML、xlsx、docx 报告。"""
    if run and last:
        raise typer.BadParameter("已写明运行时不能再用 --last")
    path = _find(records, run, estate, job)
    if verify:
        _verify(path)
        return
    for file in write_reports(path, formats=_words(formats), out=out, year=high_risk, with_2021=score_2021):
        typer.echo(str(file))


@app.command()
def harden(
    run: Annotated[str, typer.Option(help="加固运行；不写则取最近一次作了变更的加固")] = "",
    before: Annotated[str, typer.Option(help="加固前的审计；不写则取加固之前最后一次完整的审计")] = "",
    after: Annotated[str, typer.Option(help="加固后的审计；不写则取加固之后第一次完整的审计")] = "",
    estate: _Estate = "",
    formats: _Formats = _ALL,
    out: _Out = None,
    records: _Records = Path("records"),
    high_risk: _HighRisk = "2025",
) -> None:
    """加固前后对照报告：两次审计并列，作了什么、留下什么、代价几何。"""
    path = _say(*find_harden(records, run, estate))
    refuse(path, verify_run(path))
    job, root = read_run(path), path.resolve().parents[2]
    old = find_run(records, before, estate, "audit")[0] if before else audit_before(root, job)
    new = find_run(records, after, estate, "audit")[0] if after else audit_after(root, job)
    for file in write_harden(path, old, new, formats=_words(formats), out=out, year=high_risk):
        typer.echo(str(file))


@app.command()
def patch(
    run: Annotated[str, typer.Option(help="补丁实施的运行；不写则取最近一次，中断的也算")] = "",
    estate: _Estate = "",
    formats: _Formats = _ALL,
    out: _Out = None,
    records: _Records = Path("records"),
) -> None:
    """补丁实施报告：按同一份签字计划的全部运行，每台主机更新了什么、中断多久、什么没有完成。"""
    path = _say(*find_patch(records, run, estate))
    for file in write_patch(path, formats=_words(formats), out=out):
        typer.echo(str(file))


@app.command()
def restore(
    run: Annotated[str, typer.Option(help="恢复验证的运行；不写则取最近一次，中断的也算")] = "",
    estate: _Estate = "",
    formats: _TwoFormats = _TWO,
    out: _Out = None,
    records: _Records = Path("records"),
) -> None:
    """备份恢复验证报告：每台主机的备份恢复出了什么、与来源是否相同、RTO 与 RPO，没有证明的是什么。"""
    path = _say(*find_restore(records, run, estate))
    for file in write_restore(path, formats=_words(formats), out=out):
        typer.echo(str(file))


@app.command()
def recovery(
    run: Annotated[str, typer.Option(help="恢复的运行；不写则取最近一次，中断的也算")] = "",
    estate: _Estate = "",
    formats: _TwoFormats = _TWO,
    out: _Out = None,
    records: _Records = Path("records"),
) -> None:
    """恢复记录：丢失的是什么，恢复到哪一秒，到了多少，原有的内容在哪里。"""
    path = _say(*find_recovery(records, run, estate))
    for file in write_recovery(path, formats=_words(formats), out=out):
        typer.echo(str(file))


@app.command()
def database(
    run: Annotated[str, typer.Option(help="数据库审查的运行；不写则取最近一次，中断的也算")] = "",
    estate: _Estate = "",
    formats: _TwoFormats = _TWO,
    out: _Out = None,
    records: _Records = Path("records"),
) -> None:
    """数据库审查报告：索引、空间与完整性的发现，每项提案的语句、风险与撤回办法，不知道的是什么。"""
    path = _say(*find_database(records, run, estate))
    for file in write_database(path, formats=_words(formats), out=out):
        typer.echo(str(file))


@app.command()
def network_backup(
    run: Annotated[str, typer.Option(help="网络设备备份的运行；不写则取最近一次，中断的也算")] = "",
    estate: _Estate = "",
    out: _Out = None,
    records: _Records = Path("records"),
) -> None:
    """网络设备备份报告：每台设备是否读全并留存，运行配置是否已保存，最近一次备份是何时。"""
    typer.echo(str(write_network_backup(_say(*find_network_backup(records, run, estate)), out=out)))


@app.command()
def network_change(
    run: Annotated[str, typer.Option(help="网络设备变更的运行；不写则取最近一次，计划、实施、中断的都算")] = "",
    estate: _Estate = "",
    out: _Out = None,
    records: _Records = Path("records"),
) -> None:
    """网络设备变更计划或报告：每台设备的差异、命令、变更的各步与结果。"""
    typer.echo(str(write_network_change(_say(*find_network_change(records, run, estate)), out=out)))


@app.command()
def network_policy(
    run: Annotated[str, typer.Option(help="访问策略的运行；不写则取最近一次，计划、实施、中断的都算")] = "",
    estate: _Estate = "",
    out: _Out = None,
    records: _Records = Path("records"),
) -> None:
    """访问策略计划或报告：策略的问题与例证、连通矩阵，每台设备的差异、命令与变更的各步。"""
    job = "network_policy"
    found = _say(*find_network_change(records, run, estate, job))
    typer.echo(str(write_network_change(found, job, out=out)))


@app.command()
def network_restore(
    run: Annotated[str, typer.Option(help="网络设备恢复的运行；不写则取最近一次，只看的、实施的、中断的都算")] = "",
    estate: _Estate = "",
    out: _Out = None,
    records: _Records = Path("records"),
) -> None:
    """网络设备恢复报告：与备份的差异、命令、恢复的各步与结果。"""
    job = "network_restore"
    found = _say(*find_network_change(records, run, estate, job))
    typer.echo(str(write_network_change(found, job, out=out)))


@app.command()
def network_inspect(
    run: Annotated[str, typer.Option(help="网络设备巡检的运行；不写则取最近一次，中断的也算")] = "",
    estate: _Estate = "",
    out: _Out = None,
    records: _Records = Path("records"),
) -> None:
    """网络设备巡检报告：负载、电源、风扇、接口错误、邻居与运行时间，逐台逐项，附设备的原话。"""
    typer.echo(str(write_network_inspect(_say(*find_network_inspect(records, run, estate)), out=out)))


@app.command()
def tables(
    run: Annotated[str, typer.Option(help="审计运行；不写则取最近一次完整的审计")] = "",
    estate: _Estate = "",
    out: _Out = None,
    records: _Records = Path("records"),
) -> None:
    """台账：由审计采集的事实生成账户表、端口与服务表、软件清单、权限表，供核对签字。"""
    typer.echo(str(write_tables(_find(records, run, estate, "audit"), out=out)))


def _find(records: Path, run: str, estate: str, job: str) -> Path:
    return _say(*find_run(records, run, estate, job))


def _say(path: Path, passed: list[Path]) -> Path:
    for newer in passed:
        typer.echo(f"注意：更新的运行 {newer.name} 不完整，未采用", err=True)
    return path


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _verify(path: Path) -> None:
    problems = verify_run(path)
    for problem in problems:
        typer.echo(str(problem), err=True)
    refuse(path, problems)
    run = read_run(path)
    rows = f"{len(run.hosts)} 台主机、{len(run.verdicts)} 行结果"
    typer.echo(f"校验通过：{path.resolve().name}，{rows}，链头 {run.head}")
