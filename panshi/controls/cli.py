"""``panshi controls list|show|coverage``: look into the catalogue."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import panshi.checks.linux  # noqa: F401 - fills the register
import panshi.checks.mysql  # noqa: F401 - fills the register
import panshi.checks.network  # noqa: F401 - fills the register
from panshi.checks import CHECKS
from panshi.controls.catalogue import Catalogue, Check, Control, load_catalogue
from panshi.controls.coverage import STATES, coverage, state
from panshi.controls.profile import file_stem
from panshi.errors import PanshiError

app = typer.Typer(help="控制项目录：条款、参数、检查项与覆盖情况", no_args_is_help=True)

STATE_ZH = {"written": "已编写", "planned": "计划中", "evidence": "取证后人工判", "manual": "人工"}
CONFIDENCE_ZH = {"verified": "已核实", "digest": "依据第三方摘要", "unverified": "未核实"}
GROUP_ZH = {
    "clause": "编号与控制点",
    "level2": "二级对应",
    "high_risk_2020": "高风险判例 2020",
    "high_risk_2025": "高风险判例 2025",
    "weight_2021": "2021 版权重",
    "not_applicable": "默认不适用",
}
ORIGIN_ZH = {"clause": "条款", "law": "法律法规", "guide": "测评指南", "site": "本单位"}


@app.command("list")
def list_(
    target: Annotated[str, typer.Option(help="只看一种技术，如 linux")] = "",
    level: Annotated[int, typer.Option(help="等级：2 或 3", min=2, max=3)] = 3,
) -> None:
    """逐条列出条款及其检查项数量。"""
    table = Table("条款", "二级对应", "控制点", "名称", "高风险", *STATE_ZH.values(), title=f"控制项目录（{level} 级）")
    for control in load_catalogue().of_level(level):
        checks = [check for check in control.checks if not target or check.target == target]
        if target and not checks:
            continue
        counts = Counter(state(check, CHECKS) for check in checks)
        table.add_row(
            control.id,
            str(control.level2["id"]) if control.level2 else "（三级新增）",
            control.control_point,
            control.title,
            "/".join(year for year, rule in control.high_risk.items() if rule) or "—",
            *(str(counts[name]) if counts[name] else "" for name in STATES),
        )
    Console().print(table)


@app.command()
def show(name: Annotated[str, typer.Argument(help="条款（8.1.4.1_a）、标签或检查项编号")]) -> None:
    """显示一个条款或检查项的全部内容。"""
    catalogue = load_catalogue()
    if name in catalogue.checks:
        _show_check(catalogue, catalogue.checks[name])
        return
    for control in catalogue.controls.values():
        if name in (control.id, control.tag, file_stem(control.id)):
            _show_control(catalogue, control)
            return
    raise PanshiError("PS-E1108", f"没有名为 {name} 的条款或检查项", "用 panshi controls list 查看编号")


@app.command("coverage")
def coverage_(
    target: Annotated[str, typer.Option(help="只看一种技术，如 linux")] = "",
) -> None:
    """条款 × 技术的覆盖矩阵：已编写/计划中/取证/人工。"""
    catalogue = load_catalogue()
    found = coverage(catalogue, CHECKS)
    targets = [target] if target else sorted(found.totals)
    console = Console()
    if target and target not in found.totals:
        raise PanshiError("PS-E1108", f"目录中没有技术 {target}", f"可用：{'、'.join(sorted(found.totals))}")
    matrix = Table("条款", *targets, title="条款 × 技术：已编写/计划中/取证/人工", padding=(0, 0))
    for clause in catalogue.controls:
        cells = [found.cells.get((clause, name)) for name in targets]
        if any(cells):
            matrix.add_row(clause, *("/".join(str(c[s]) for s in STATES) if c else "·" for c in cells))
    console.print(matrix)
    totals = Table("技术", *STATE_ZH.values(), "合计", title="合计")
    for name in targets:
        counts = found.totals[name]
        totals.add_row(name, *(str(counts[s]) for s in STATES), str(counts.total()))
    console.print(totals)
    for name in targets:
        unwritten = found.totals[name]["planned"]
        typer.echo(f"{name}：自动检查项 {found.totals[name]['written'] + unwritten} 个，未编写 {unwritten} 个")


def _show_control(catalogue: Catalogue, control: Control) -> None:
    console = Console()
    level2 = f"{control.level2['id']}（{control.level2['note']}）" if control.level2 else "二级无此要求"
    lines = {
        "条款": f"{control.id} {control.title}（{control.area} / {control.control_point}，{control.sag}）",
        "要求": control.requirement,
        "为什么": control.rationale or "（待补充）",
        "二级对应": level2,
        "适用对象": "、".join(control.applies_to),
        "默认不适用": "、".join(control.not_applicable) or "无",
        "证据": "；".join(control.evidence),
    }
    for year, rule in control.high_risk.items():
        lines[f"高风险判例 {year}"] = "；".join(f"{k}：{v}" for k, v in rule.items()) if rule else "无独立判例"
    lines["可信度"] = "；".join(f"{GROUP_ZH[k]} {CONFIDENCE_ZH[v]}" for k, v in control.confidence.items()) or "未标注"
    for key, value in lines.items():
        console.print(f"[bold]{key}[/bold] {value}", highlight=False)
    for check in control.checks:
        console.print(f"  · {check.id} [{check.target}，{STATE_ZH[state(check, CHECKS)]}] {check.title}", markup=False)


def _show_check(catalogue: Catalogue, check: Check) -> None:
    console = Console()
    parameters = catalogue.parameters()
    risk = check.risk
    lines = {
        "检查项": f"{check.id}（条款 {check.control}，{check.target}，{STATE_ZH[state(check, CHECKS)]}）",
        "名称": check.title,
        "期望": check.expected_text(parameters),
        "读取方法": check.read,
        "整改方法": check.fix,
        "整改风险": f"中断 {risk.disruption}"
        + ("；须重启后生效" if risk.reboot else "")
        + ("；可能锁定登录" if risk.lockout else ""),
        "兼顾条款": "、".join(check.also_covers) or "无",
        "说明": check.note or "无",
    }
    for key, value in lines.items():
        console.print(f"[bold]{key}[/bold] {value}", highlight=False)
    for name in check.parameters:
        p = parameters[name]
        console.print(
            f"  参数 mlps_{name}（{p.title}）：默认 {p.default}{p.unit}，接受 {p.text}，"
            f"来源：{ORIGIN_ZH[p.origin]}，{p.source}",
            highlight=False,
        )
