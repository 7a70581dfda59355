"""``panshi``: one command per job; the words are the operator's, the work is elsewhere."""

from __future__ import annotations

import json
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from panshi.collect.client import Limits
from panshi.controls.cli import app as controls_app
from panshi.errors import PanshiError
from panshi.job import EXIT_BAD_INPUT, EXIT_CLEAN, EXIT_FINDINGS, EXIT_UNREAD, Request, prepare, run, summary
from panshi.judges.cli import judges
from panshi.lab.cli import app as lab_app
from panshi.progress import Progress, show_error, show_result
from panshi.report.cli import app as report_app
from panshi.report.write import write_reports
from panshi.secret.cli import app as secret_app

app = typer.Typer(
    help="磐石：面向等保三级与日常运维的只读审计与自动化",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(lab_app, name="lab")
app.add_typer(controls_app, name="controls")
app.add_typer(report_app)
app.add_typer(secret_app)
app.command()(judges)

_AUDIT = "审计范围"
_BOUNDS = "资源上限"
_OUTPUT = "输出"


@app.command(epilog="退出码：0 无发现；1 有不符合或部分符合；2 输入有误，什么都没有做；3 有主机或检查项未能判定。")
def audit(
    inventory: Annotated[Path, typer.Option("--inventory", "-i", help="清单文件或目录", rich_help_panel=_AUDIT)] = Path(
        "inventories/lab"
    ),
    limit: Annotated[str, typer.Option("--limit", "-l", help="主机范围，Ansible 写法", rich_help_panel=_AUDIT)] = "",
    control: Annotated[
        list[str] | None,
        typer.Option("--control", "-c", help="条款、标签或检查项编号，可用通配符，可重复", rich_help_panel=_AUDIT),
    ] = None,
    level: Annotated[int, typer.Option(min=2, max=3, help="等级：2 或 3", rich_help_panel=_AUDIT)] = 3,
    profile: Annotated[
        str, typer.Option(help="检查基线，默认 linux-l<等级>；指定时以它的等级为准", rich_help_panel=_AUDIT)
    ] = "",
    vault_password_file: Annotated[
        list[Path] | None, typer.Option(help="Ansible Vault 口令文件，可重复", rich_help_panel=_AUDIT)
    ] = None,
    forks: Annotated[int, typer.Option("--forks", "-f", min=1, help="同时连接的主机数", rich_help_panel=_BOUNDS)] = 32,
    timeout: Annotated[int, typer.Option(min=5, help="每台主机的采集时限（秒）", rich_help_panel=_BOUNDS)] = 30,
    connect_timeout: Annotated[int, typer.Option(min=1, help="建立连接的时限（秒）", rich_help_panel=_BOUNDS)] = 10,
    records: Annotated[Path, typer.Option(help="记录的根目录", rich_help_panel=_OUTPUT)] = Path("records"),
    report: Annotated[bool, typer.Option(help="审计后生成报告", rich_help_panel=_OUTPUT)] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="标准输出只给一个 JSON 对象，进度走标准错误", rich_help_panel=_OUTPUT)
    ] = False,
    accept_findings: Annotated[
        bool, typer.Option("--accept-findings", help="有发现时也返回 0（错误仍返回非 0）", rich_help_panel=_OUTPUT)
    ] = False,
) -> None:
    """只读审计：每台主机一次连接，逐项判定，留下记录与报告；不改动任何目标主机。"""
    request = Request(
        inventory=inventory,
        limit=limit,
        controls=tuple(control or ()),
        profile=profile or f"linux-l{level}",
        records=records,
        limits=Limits(forks=forks, timeout=timeout, connect_timeout=connect_timeout),
        vault_password_files=tuple(vault_password_file or ()),
    )
    prepared = prepare(request)
    console = Console(stderr=as_json)
    with Progress(prepared.estate.hosts, console) as progress:
        result = run(prepared, progress)
    show_result(result, console)
    reported = not report or _report(result.path, console)
    if as_json:
        typer.echo(json.dumps(summary(result), ensure_ascii=False))
    status = EXIT_CLEAN if accept_findings and result.exit == EXIT_FINDINGS else result.exit
    raise typer.Exit(status if reported else EXIT_UNREAD)


def _report(path: Path, console: Console) -> bool:
    """Write the reports of a finished run; a failure costs the report, never the run."""
    try:
        for file in write_reports(path):
            console.print(f"报告：{file}", markup=False, highlight=False, soft_wrap=True)
    except PanshiError as error:
        show_error(console, error)
        return False
    return True


class Interrupted(BaseException):
    """The operator or the system ends the program. No KeyboardInterrupt: the command line library swallows that."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def guarded(command: Callable[[], object]) -> int:
    """Run a command so that whatever goes wrong is one line with a code; return the exit status.

    Args:
        command: ends by SystemExit, by an error, or by returning.
    """
    errors = Console(stderr=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        command()
    except PanshiError as error:
        show_error(errors, error)
        return EXIT_BAD_INPUT
    except Interrupted as interrupted:
        show_error(
            errors,
            PanshiError("PS-E9003", "作业被中断，已完成的部分保留在记录中", "重新运行作业；未完成的记录可照常查看"),
        )
        return 128 + interrupted.number
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_BAD_INPUT
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line for the operator, the rest on request
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        show_error(
            errors,
            PanshiError("PS-E9002", f"内部错误 {type(error).__name__}: {error}（{place}）", "请把这一行反馈给维护者"),
        )
        return EXIT_BAD_INPUT
    return EXIT_CLEAN


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


def main() -> None:
    """Entry point of the program ``panshi``."""
    raise SystemExit(guarded(app))
