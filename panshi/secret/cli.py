"""``panshi secret``: how old passwords are, one of them for a person with a reason, envelopes, what people know."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import panshi
from panshi.errors import PanshiError
from panshi.harden.estate import estate_of
from panshi.inventory import host_variables, plain
from panshi.record import Begin, EndRow, RecordWriter, RotationRow, utc_now
from panshi.secret import glass
from panshi.secret.declared import Declared
from panshi.secret.envelope import Sheet, render
from panshi.secret.estate import VARIABLES, accounts_of, break_glass_of, store_of
from panshi.secret.kinds import KINDS
from panshi.secret.model import LONG_AGO, Entry, SecretId
from panshi.secret.rotate import IMPORTED, due, imported, rotation_row
from panshi.secret.store import Store, missing

app = typer.Typer(name="secret", help="密码库：期限与状态；查看一个密码要说明原因并留下记录", no_args_is_help=True)
_Inventory = Annotated[Path, typer.Option("--inventory", "-i", help="清单文件或目录")]
_Vault = Annotated[list[Path] | None, typer.Option(help="Ansible Vault 口令文件，可重复")]
_Records = Annotated[Path, typer.Option(help="记录的根目录")]


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
    records: _Records = Path("records"),
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
    version = entry.current or entry.pending
    # The record first; without it nothing is shown.
    with _recorded(records, "secret_show", variables, [entry.secret]) as keep:
        keep.append(rotation_row(entry, "shown", version.id if version else "", detail=reason))
    for title, version in versions:
        if version is not None:
            typer.echo(f"{title}\t{version.when}\t{version.value}")


@app.command(name="import")
def bring_in(
    secret: Annotated[str, typer.Argument(metavar="主机/种类/账户", help="例如 web1/linux/ops")],
    ticket: Annotated[str, typer.Option(help="单号，存入密码库与记录")],
    inventory: _Inventory = Path("inventories/lab"),
    vault_password_file: _Vault = None,
    records: _Records = Path("records"),
) -> None:
    """把人手里已有的密码存入库，作为现用密码；它随即到期，第一次轮换会证明它不再能用。

    密码在终端上问两次，或从标准输入读一行；SSH 私钥从标准输入整个读入。
    """
    hosts = host_variables(inventory, "", VARIABLES, tuple(vault_password_file or ()))
    wanted = SecretId(*parts) if len(parts := secret.split("/", 2)) == 3 else None
    owner = next((host for host in hosts.values() if wanted in {one.secret for one in accounts_of(*host)}), None)
    if wanted is None or owner is None:
        raise PanshiError(
            "PS-E7260",
            f"清单没有声明账户 {secret}",
            "写成 主机/种类/账户，例如 web1/linux/ops；先写进 accounts_passwords；没有存入任何密码",
        )
    store = store_of(*owner)
    _not_kept(store, wanted)
    # Asked before the scope is held: nobody's rotation waits for somebody's typing.
    value = _asked(wanted)
    with store.hold(wanted.scope):
        entry = _not_kept(store, wanted)
        version = imported(value, ticket)
        with _recorded(records, "secret_import", owner[0], [wanted]) as keep:
            entry = store.write(replace(entry, current=version))
            keep.append(rotation_row(entry, "imported", version.id, detail=ticket))
    typer.echo(f"已存入 {wanted}；它已到期，下一次轮换会更换它")


@app.command()
def envelope(
    out: Annotated[Path, typer.Option(help="写到哪个文件（HTML，只有自己可读）；打印后销毁")],
    inventory: _Inventory = Path("inventories/lab"),
    limit: Annotated[str, typer.Option("--limit", "-l", help="主机范围，Ansible 写法")] = "",
    vault_password_file: _Vault = None,
    records: _Records = Path("records"),
) -> None:
    """打印应急账户的信封密码单，每个账户一页：只在终端上，先问原因，先记下谁打印了哪一封，再写文件。"""
    hosts = host_variables(inventory, limit, (*VARIABLES, "ansible_host"), tuple(vault_password_file or ()))
    sheets = [sheet for host in hosts.values() for sheet in _sheets(*host)]
    if not sheets:
        raise PanshiError(
            "PS-E7253",
            f"所选主机没有声明应急账户（变量 {glass.VARIABLE}）",
            "写法见 docs/runbook-secrets.md“应急账户”一节",
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise PanshiError("PS-E7255", "信封密码单只在终端上由人打印", "登录到运维机的终端再运行；没有写文件")
    variables = next(iter(hosts.values()))[0]
    name, folder = estate_of(variables)
    if any(out.resolve().is_relative_to(kept.resolve()) for kept in (records, folder)):
        raise PanshiError("PS-E7256", f"{out} 在记录或清单的文件夹里，会被备份或入库", "换一个自己的文件夹")
    reason = str(typer.prompt(f"打印 {len(sheets)} 张信封密码单的原因（写入记录）")).strip()
    typer.confirm(f"密码将以明文写入 {out}，打印后须立即销毁，确认？", abort=True)
    with _recorded(records, "secret_envelope", variables, [one.declared.secret for one in sheets]) as keep:
        keep.extend(rotation_row(Entry(one.declared.secret), "printed", one.number, detail=reason) for one in sheets)
    _write_privately(out, render(sheets, estate=name, printed=utc_now(), by=_operator()))
    typer.echo(f"{out}：{len(sheets)} 张。打印、密封之后：shred -u {out}")


_GOOD, _UNDECLARED = "正常", "未声明"


def _lines(hosts: Mapping[str, Any], store: Store, everything: bool) -> list[Line]:
    declared = {one.secret: one for host in hosts.values() for one in accounts_of(*host)}
    kept = set(store.names()) if everything else set()
    known = store.outlines(sorted({*declared, *kept}))
    return [
        _line(entry, declared[secret].max_age_days if secret in declared else None) for secret, entry in known.items()
    ]


def _line(entry: Entry, allowed: int | None) -> Line:
    now, current = utc_now(), entry.current
    if entry.pending is not None:
        state = "没有做完（再运行轮换会继续）"
    elif current is None:
        state = "从未轮换"
    elif entry.used:
        state = f"应急已使用（{entry.used}），到期"
    elif allowed is None:
        state = _UNDECLARED
    else:
        state = "到期" if due(entry, allowed, now) else _GOOD
    changed, age, why = (current.when[:10], str(current.age(now).days), current.why) if current else ("", "", "")
    if current is not None and current.when == LONG_AGO:
        changed, age = f"不详（{IMPORTED}）", ""
    return Line(entry.secret, changed, age, str(allowed or ""), state, why)


def _not_kept(store: Store, secret: SecretId) -> Entry:
    """Return the empty entry of an account whose password is not kept yet.

    Raises:
        PanshiError: PS-E7261.
    """
    entry = store.read(secret)
    if entry.current is not None or entry.pending is not None:
        raise PanshiError(
            "PS-E7261", f"密码库里已有 {secret} 的密码，不覆盖", "用 panshi secret status 查看；要换密码就轮换"
        )
    return entry


def _asked(secret: SecretId) -> str:
    """Return what a person knows: a password, asked twice without an echo, or a line of standard input; or a whole key.

    Raises:
        PanshiError: PS-E7262; for a key PS-E7292.
    """
    whole = KINDS[secret.target].whole
    if whole is not None:
        if sys.stdin.isatty():
            raise _unusable("私钥不在终端上粘贴，那会显示出来", "从标准输入给整个文件：… < 私钥文件")
        return whole(sys.stdin.read(), "标准输入")
    if sys.stdin.isatty():
        value = getpass.getpass(f"{secret} 现在的密码：")
        if value != getpass.getpass("再输一次："):
            raise _unusable("两次输入不同")
    else:
        value = sys.stdin.readline().rstrip("\r\n")
    if not value:
        raise _unusable("没有输入（标准输入是空的，也不是终端）" if not sys.stdin.isatty() else "没有输入")
    if not value.isprintable():
        raise _unusable("含有控制字符")
    return value


def _unusable(why: str, what: str = "在终端上输入两次，或经标准输入给一行") -> PanshiError:
    return PanshiError("PS-E7262", f"没有存入密码：{why}", what)


def _sheets(variables: Mapping[str, Any], template: Any) -> Iterator[Sheet]:
    """Yield what is printed about a host.

    Raises:
        PanshiError: PS-E7006 a password is not kept; PS-E7254 it is being changed, was used, or is due.
    """
    accounts: Sequence[Declared] = break_glass_of(variables, template)
    store = store_of(variables, template)
    for one in accounts:
        entry = store.read(one.secret)
        if entry.current is None and entry.pending is None:
            raise missing(str(one.secret))
        if entry.current is None or due(entry, one.max_age_days, utc_now()):
            why = f"已在 {entry.used} 使用" if entry.used else "轮换没有做完" if entry.pending else "已到期"
            raise PanshiError("PS-E7254", f"{one.secret} {why}，不打印", "先以 -e due_only=true 轮换；没有写文件")
        yield Sheet(one, entry.current, str(plain(template(variables.get("ansible_host"))) or ""))


def _write_privately(path: Path, text: str) -> None:
    """Write a new file for its owner alone.

    Raises:
        PanshiError: PS-E7256 it exists, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise PanshiError(
            "PS-E7256", f"{path} 没有写成：{error.strerror}", "换一个不存在的文件名；打印的记录已经留下"
        ) from None


@contextmanager
def _recorded(
    records: Path, job: str, variables: Mapping[str, Any], secrets_of: Sequence[SecretId]
) -> Iterator[list[RotationRow]]:
    """Open a record before what it tells of is done; the rows that the caller puts into the list close it."""
    estate, folder = estate_of(variables)
    hosts = sorted({(one.scope, one.target) for one in secrets_of})
    rows: list[RotationRow] = []
    with RecordWriter(records, estate, job) as record:
        record.write(
            Begin(
                run=record.run,
                estate=estate,
                job=job,
                operator=_operator(),
                profile="",
                level=3,
                versions={"panshi": panshi.__version__},
                inventory=str(folder),
                hosts=[{"name": scope, "targets": [target], "groups": []} for scope, target in hosts],
            )
        )
        yield rows
        record.write(*rows, EndRow(counts={"rotation": len(rows)}, hosts={}, seconds=0.0, exit=0))


def _operator() -> str:
    return f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{os.uname().nodename}"
