"""panshi lab up|down|status|ssh."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from panshi.errors import PanshiError
from panshi.lab import preflight, ssh, state
from panshi.lab.description import Device, Host, Lab, load
from panshi.lab.devices import Devices, bring_up
from panshi.lab.down import take_down
from panshi.lab.drivers import connect
from panshi.lab.errors import LabError, LabErrors
from panshi.lab.inventory import render_inventory
from panshi.lab.process import CommandError
from panshi.lab.status import Row, rows
from panshi.lab.up import execute, prepare

_DESCRIPTION = Path(__file__).parents[2] / "inventories" / "lab" / "lab.yml"

app = typer.Typer(no_args_is_help=True, help="试验环境：在本机启动一组真实的 Linux 主机与仿真的网络设备")
_console = Console()
_errors = Console(stderr=True)

_Description = Annotated[Path, typer.Option("--file", envvar="PANSHI_LAB_FILE", help="试验环境描述文件")]
_Only = Annotated[str, typer.Option(help="只操作这些主机，逗号分隔")]


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Show each failure as its one line, and end with status 1."""
    try:
        yield
    except LabErrors as failures:
        _show(*failures.errors)
    except PanshiError as error:
        _show(error)
    except (CommandError, OSError) as error:
        _show(LabError("PS-E2015", f"本机操作失败：{error}", "按原因处理后重新运行同一条命令"))
    except KeyboardInterrupt:
        _errors.print("已中断；重新运行 panshi lab up 会接着做完。")
        raise typer.Exit(130) from None


def _show(*errors: PanshiError) -> NoReturn:
    for error in errors:
        _errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def _open(description: Path) -> tuple[Lab, state.State]:
    lab = load(description)
    preflight.require_root()
    return lab, state.State(state.default_directory())


def _names(only: str) -> list[str]:
    return [name.strip() for name in only.split(",") if name.strip()]


@app.command()
def up(
    only: _Only = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="重做这些主机，回到刚装好的状态，正在运行的也重做")] = False,
    description: _Description = _DESCRIPTION,
) -> None:
    """启动试验环境；已经在运行的主机不受影响。"""
    with _one_line_errors():
        # A hardened operations host has a umask of 027 or 077; the images must not inherit it.
        os.umask(0o022)
        lab, place = _open(description)
        hosts, boxes = lab.select(_names(only)), lab.select_devices(_names(only))
        findings = preflight.look(hosts, place.root)
        preflight.require_packages(findings)
        place.prepare()
        with state.lock(place):
            started = time.monotonic()
            drivers = connect(lab, place)
            key = ssh.ensure_key(place)
            plan, specs = prepare(hosts, drivers, key, fresh=fresh)
            new = [one.host for one in plan.hosts if one.create]
            preflight.require(findings, lab, drivers.engine.network_interface(lab), new)
            place.link(description.parent)
            state.write(description.parent / "hosts.yml", render_inventory(lab))
            with _progress((*hosts, *boxes)) as report:
                outcome = execute(plan, specs, drivers, key, report)
                passwords = partial(_passwords, description.parent)
                switched_on, errors = bring_up(boxes, Devices(place), passwords, report, fresh=fresh)
                ssh.write_known_hosts(place, lab)
            seconds = time.monotonic() - started
            good = len(hosts) - len(outcome.errors)
            _console.print(
                f"{good} 台主机就绪，本次创建或启动 {len(outcome.changed)} 台，用时 {seconds:.1f} 秒。", highlight=False
            )
            if boxes:
                good = len(boxes) - len(errors)
                _console.print(f"{good} 台仿真网络设备就绪，本次创建或启动 {len(switched_on)} 台。", highlight=False)
            if outcome.errors or errors:
                raise LabErrors([*outcome.errors, *errors])


def _passwords(folder: Path, devices: Iterable[Device]) -> dict[str, str]:
    # The store needs Ansible, which takes longer to load than all else that there is to do.
    from panshi.lab.passwords import first_passwords

    return first_passwords(folder, devices)


@app.command()
def down(
    only: _Only = "",
    images: Annotated[bool, typer.Option("--images", help="同时删除缓存的镜像")] = False,
    description: _Description = _DESCRIPTION,
) -> None:
    """删除试验环境的主机与网络；只删除它自己创建的。"""
    with _one_line_errors():
        lab, place = _open(description)
        names = _names(only)
        hosts = lab.select(names) if names else ()
        boxes = [box.name for box in lab.select_devices(names)] if names else None
        place.prepare()
        with state.lock(place):
            devices = Devices(place)
            switched_off = [name for name in devices.found() if boxes is None or name in boxes]
            for name in switched_off:
                devices.remove(name)
            removed, errors = take_down(connect(lab, place), hosts, images=images) if hosts or not names else ([], [])
            ssh.write_known_hosts(place, lab)
            _console.print(f"已删除 {len(removed)} 台主机，{len(switched_off)} 台仿真网络设备。", highlight=False)
            if errors:
                raise LabErrors(errors)


@app.command()
def status(description: _Description = _DESCRIPTION) -> None:
    """列出试验环境的主机和它们的状态。"""
    with _one_line_errors():
        lab, place = _open(description)
        place.prepare()
        found = rows(connect(lab, place), Devices(place))
        _console.print(_table(found))
        if not all(row.answers for row in found):
            raise typer.Exit(1)


@app.command(name="ssh", context_settings={"ignore_unknown_options": True})
def open_shell(
    name: Annotated[str, typer.Argument(metavar="主机", help="主机名")],
    command: Annotated[list[str] | None, typer.Argument(metavar="[命令]", help="在主机上运行的命令")] = None,
    description: _Description = _DESCRIPTION,
) -> None:
    """登录一台主机，或在其上运行一条命令。"""
    with _one_line_errors():
        lab, place = _open(description)
        one: Host | Device = next(iter(lab.select([name])), None) or lab.select_devices([name])[0]
        place.prepare()
        found = (connect(lab, place).found() if isinstance(one, Host) else Devices(place).found()).get(name)
        if found is None or not found.running:
            raise LabError("PS-E2012", f"主机 {name} 没有运行", "先运行 panshi lab up")
        argv = [*ssh.command(place, one), *(command or [])]
        os.execvp(argv[0], argv)


@contextmanager
def _progress(hosts: tuple[Host | Device, ...]) -> Iterator[Callable[[str, str], None]]:
    """Yield a function that shows what is being done to a host: live on a terminal, else one line per step."""
    if not _console.is_terminal:
        yield lambda name, text: _console.print(f"{name}：{text}", highlight=False)
        return
    columns = (SpinnerColumn(), TextColumn("{task.fields[host]:<8}"), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=_console) as bar:
        tasks = {host.name: bar.add_task("等待", total=1, host=host.name) for host in hosts}

        def report(name: str, text: str) -> None:
            done = text.startswith(("就绪", "失败"))
            bar.update(tasks[name], description=text, completed=1 if done else 0)

        yield report


def _table(found: list[Row]) -> Table:
    table = Table(title="试验环境")
    for heading in ("主机", "类型", "地址", "状态", "SSH", "真实性"):
        table.add_column(heading, no_wrap=True)
    table.add_column("用途", overflow="fold")
    for row in found:
        table.add_row(
            row.name,
            row.kind,
            row.address,
            row.state,
            "应答" if row.answers else "无应答",
            "仿真" if row.emulated else "真实",
            row.purpose,
        )
    return table
