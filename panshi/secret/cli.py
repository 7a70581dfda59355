"""``panshi secret``: how old passwords are, and, for a person with a reason, one password."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import panshi
from panshi.harden.estate import estate_of
from panshi.inventory import host_variables
from panshi.record import Begin, EndRow, RecordWriter, utc_now
from panshi.secret.estate import VARIABLES, accounts_of, store_of
from panshi.secret.model import Entry, SecretId
from panshi.secret.rotate import due, rotation_row
from panshi.secret.store import Store, missing

app = typer.Typer(name="secret", help="密码库：期限与状态；查看一个密码要说明原因并留下记录", no_args_is_help=True)
_Inventory = Annotated[Path, typer.Option("--inventory", "-i", help="清单文件或目录")]
_Vault = Annotated[list[Path] | None, typer.Option(help="Ansible Vault 口令文件，可重复")]


@dataclass(frozen=True, slots=True)
class Line:
    """One account in the table of ``status``; never a value."""

    secret: SecretId
    changed: str
    age: str
    allowed: str
    state: str
    ticket: str


@app.command(epilog="退出码：0 都没有到期；1 有到期、没有做完或没有轮换过的；2 输入有误。")
def status(
    inventory: _Inventory = Path("inventories/lab"),
    limit: Annotated[str, typer.Option("--limit", "-l", help="主机范围，Ansible 写法")] = "",
    vault_password_file: _Vault = None,
) -> None:
    """列出声明的与库里的账户：上次更换、天数、是否到期、是否没有做完。不显示密码。"""
    hosts = host_variables(inventory, limit, VARIABLES, tuple(vault_password_file or ()))
    store = store_of(*next(iter(hosts.values())))
    lines = _lines(hosts, store, everything=not limit)
    table = Table("主机", "账户", "上次更换", "天数", "期限（天）", "状态", "单号")
    for line in lines:
        name = f"{line.secret.target}/{line.secret.account}"
        table.add_row(line.secret.scope, name, line.changed, line.age, line.allowed, line.state, line.ticket)
    Console().print(table)
    raise typer.Exit(1 if any(line.state not in (_GOOD, _UNDECLARED) for line in lines) else 0)


@app.command()
def show(
    host: Annotated[str, typer.Argument(help="主机")],
    account: Annotated[str, typer.Argument(help="账户")],
    inventory: _Inventory = Path("inventories/lab"),
    target: Annotated[str, typer.Option(help="账户的种类")] = "linux",
    vault_password_file: _Vault = None,
    records: Annotated[Path, typer.Option(help="记录的根目录")] = Path("records"),
) -> None:
    """显示一个账户的密码：先问原因，先记下谁在何时为何查看，再显示。"""
    hosts = host_variables(inventory, "", VARIABLES, tuple(vault_password_file or ()))
    variables, template = next(iter(hosts.values()))
    store = store_of(variables, template)
    entry = store.read(SecretId(host, target, account))
    versions = [("待证明", entry.pending), ("现用", entry.current), *(("以前", one) for one in entry.previous)]
    if entry.current is None and entry.pending is None:
        raise missing(str(entry.secret))
    reason = str(typer.prompt(f"查看 {entry.secret} 的原因（写入记录）")).strip()
    typer.confirm("将在屏幕上显示密码，确认？", abort=True)
    name, folder = estate_of(variables)
    _record_look(records, name, folder, entry, reason)
    for title, version in versions:
        if version is not None:
            typer.echo(f"{title}\t{version.when}\t{version.value}")


_GOOD, _UNDECLARED = "正常", "未声明"


def _lines(hosts: Mapping[str, Any], store: Store, everything: bool) -> list[Line]:
    declared = {one.secret: one for host in hosts.values() for one in accounts_of(*host)}
    kept = set(store.names()) if everything else set()
    lines = []
    for secret in sorted({*declared, *kept}):
        one = declared.get(secret)
        lines.append(_line(store.read(secret), one.max_age_days if one else None))
    return lines


def _line(entry: Entry, allowed: int | None) -> Line:
    now, current = utc_now(), entry.current
    if entry.pending is not None:
        state = "没有做完（再运行轮换会继续）"
    elif current is None:
        state = "从未轮换"
    elif allowed is None:
        state = _UNDECLARED
    else:
        state = "到期" if due(entry, allowed, now) else _GOOD
    changed, age, why = (current.when[:10], str(current.age(now).days), current.why) if current else ("", "", "")
    return Line(entry.secret, changed, age, str(allowed or ""), state, why)


def _record_look(records: Path, estate: str, folder: Path, entry: Entry, reason: str) -> None:
    """Leave the record before anything is shown; without it nothing is."""
    version = entry.current or entry.pending
    with RecordWriter(records, estate, "secret_show") as record:
        record.write(
            Begin(
                run=record.run,
                estate=estate,
                job="secret_show",
                operator=f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{os.uname().nodename}",
                profile="",
                level=3,
                versions={"panshi": panshi.__version__},
                inventory=str(folder),
                hosts=[{"name": entry.secret.scope, "targets": [entry.secret.target], "groups": []}],
            ),
            rotation_row(entry, "shown", version.id if version else "", detail=reason),
            EndRow(counts={"rotation": 1}, hosts={}, seconds=0.0, exit=0),
        )
