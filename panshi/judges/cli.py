"""``panshi judges``: ask Lynis, OpenSCAP and ssh-audit about the hosts of an estate, before or after a change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panshi.errors import PanshiError
from panshi.inventory import load_estate
from panshi.judges.compare import result_text
from panshi.judges.figures import PHASE_ZH, Figure
from panshi.judges.session import JUDGES, hold

EXIT_JUDGED, EXIT_NOT_ALL = 0, 3


def judges(
    inventory: Annotated[Path, typer.Option("--inventory", "-i", help="清单文件或目录")] = Path("inventories/lab"),
    phase: Annotated[str, typer.Option(help="before 加固前，after 加固后")] = "before",
    limit: Annotated[str, typer.Option("--limit", "-l", help="主机范围，Ansible 写法")] = "",
    judge: Annotated[str, typer.Option(help=f"逗号分隔：{','.join(JUDGES)}")] = ",".join(JUDGES),  # noqa: B008
    records: Annotated[Path, typer.Option(help="记录的根目录")] = Path("records"),
) -> None:
    """外部评判：Lynis、OpenSCAP、ssh-audit 对各主机的结论，前后各取一次，列入加固前后对照报告；不改动目标主机。"""
    wanted = [name.strip() for name in judge.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in JUDGES] + [phase] * (phase not in PHASE_ZH)
    if unknown or not wanted:
        raise PanshiError(
            "PS-E4201",
            f"没有这种评判或阶段：{'、'.join(unknown) or '（空）'}",
            f"评判可用 {'、'.join(JUDGES)}；阶段可用 {'、'.join(PHASE_ZH)}",
        )
    estate = load_estate(inventory, limit)
    hosts = [host for host in estate.hosts if not host.is_device]
    judgement, file = hold(estate.name, hosts, phase, wanted, records, _tell)
    typer.echo(f"评判：{file}")
    # A release without SCAP content is no failure of the asking; a host that nobody could judge is.
    judged = {figure.host for figure in judgement.figures if figure.judged}
    raise typer.Exit(EXIT_JUDGED if judged >= {host.name for host in hosts} else EXIT_NOT_ALL)


def _tell(figure: Figure) -> None:
    typer.echo(f"{figure.host:<16} {figure.judge:<10} {figure.seconds:6.1f} 秒  {result_text(figure)}")
