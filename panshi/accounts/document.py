"""The permission table 权限清单 as people read and sign it: a workbook and a page, with the digest of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from panshi.accounts.declared import PURPOSE_ZH, ROLE_ZH
from panshi.accounts.judge import EVENTS_ZH
from panshi.accounts.permissions import DECLARED_ZH, NO_REQUEST, STATE_ZH, digest
from panshi.accounts.summary import WHAT_ZH, Summary
from panshi.errors import PanshiError
from panshi.record import PermissionRow
from panshi.report.html import new_environment
from panshi.report.sheet import A3, SIGNATURE, Table, new_book, packed
from panshi.report.text import beijing

TITLE = "权限清单"
_PASSWORD_ZH = {"empty": "空口令", "set": "已设置", "locked": "已锁定", "disabled": "没有口令"}
_COLUMNS = [
    ("主机", 12), ("账户", 14), ("责任人", 14), ("用途", 8), ("三权", 12), ("组", 20), ("sudo 实际授权", 40),
    ("公钥（指纹、注释）", 40), ("最近登录（终端）", 18), ("口令", 22), ("自何日起不能登录", 14), ("状态", 10),
    ("声明", 12), ("申请单号", 16), ("复核人", 10),
]  # fmt: skip


def write_documents(found: Summary, folder: Path) -> list[Path]:
    """Write workbook and page, and the file that ``sha256sum --check`` takes; return their paths.

    Raises:
        PanshiError: PS-E7207 they cannot be written.
    """
    files = {f"{TITLE}-{found.run}.xlsx": workbook(found), f"{TITLE}-{found.run}.html": page(found).encode("utf-8")}
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    files[f"{TITLE}-{found.run}.sha256"] = sums.encode("utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise PanshiError("PS-E7207", f"{TITLE}写不进 {folder}：{error.strerror}", "检查磁盘与权限") from error
    return [folder / name for name in files]


def workbook(found: Summary) -> bytes:
    """Return the workbook: cover, table, differences, findings."""
    book = new_book(TITLE)
    table = Table(book, "说明", [("项目", 24), ("内容", 90)], "A2")
    for name, value in cover(found):
        table.append([name, value])
    table.close()
    table = Table(book, TITLE, [*_COLUMNS, *SIGNATURE], "C2", A3)
    for row in found.rows:
        table.append([*cells(row), *[""] * len(SIGNATURE)])
    table.close()
    table = Table(book, "与上次的差异", [*CHANGES, *SIGNATURE], "C2", A3)
    for values in change_cells(found):
        table.append([*values, *[""] * len(SIGNATURE)])
    table.close()
    table = Table(book, "发现", [*FINDINGS, ("处理意见", 24), *SIGNATURE], "C2", A3)
    for values in finding_cells(found):
        table.append([*values, "", *[""] * len(SIGNATURE)])
    table.close()
    return packed(book)


def page(found: Summary) -> str:
    """Return the page."""
    tables = [
        (TITLE, [name for name, _ in _COLUMNS], [cells(row) for row in found.rows]),
        ("与上次的差异", [name for name, _ in CHANGES], list(change_cells(found))),
        ("发现", [name for name, _ in FINDINGS], list(finding_cells(found))),
    ]
    template = new_environment().get_template("permissions.html.j2")
    signature = [name for name, _ in SIGNATURE]
    return str(template.render(title=TITLE, found=found, cover=cover(found), tables=tables, signature=signature))


CHANGES = [("主机", 12), ("账户", 14), ("差异", 8), ("内容", 70), ("申请单号", 18)]
FINDINGS = [("主机", 12), ("账户", 14), ("发现", 20), ("内容", 70), ("申请单号", 18)]


def cover(found: Summary) -> list[tuple[str, str]]:
    """Return what stands on the first page."""
    counts = {what: sum(one.what == what for one in found.changes) for what in WHAT_ZH}
    differences = "，".join(f"{WHAT_ZH[what]} {count}" for what, count in counts.items())
    return [
        ("环境", found.estate),
        ("运行", f"{found.run}（{beijing(found.made.isoformat(timespec='seconds'))}）"),
        ("清单内容的 SHA-256", digest(found.rows)),
        ("与哪次相比", found.previous or "第一次，没有可比的"),
        ("差异", f"{differences}；其中无申请记录 {len(found.unrequested)}" if found.previous else "没有可比的"),
        ("账户", f"{len({row.host for row in found.rows})} 台主机，{len(found.rows)} 个账户"),
        ("没有应答的主机", "、".join(found.silent) or "无"),
        ("口令与公钥", "不含口令、口令散列与私钥；公钥只有指纹"),
        ("编制、审核、批准（签字、日期）", ""),
    ]


def cells(row: PermissionRow) -> list[str]:
    """Return a row of the table."""
    login = {"": "没有登录过", "unknown": "主机没有保存"}.get(row.last_login) or beijing(row.last_login)
    return [
        row.host, f"{row.account}（{row.uid}）", "、".join(row.owners) or "没有登记",
        PURPOSE_ZH.get(row.purpose, "没有登记"), ROLE_ZH.get(row.role, ""), "、".join(row.groups),
        "\n".join(row.sudo) or "无", "\n".join(row.keys) or "无",
        login, _password(row), row.expires or "不到期", STATE_ZH[row.state], DECLARED_ZH[row.declared],
        row.request or ("不适用" if row.declared == "system" else NO_REQUEST), row.reviewer,
    ]  # fmt: skip


def change_cells(found: Summary) -> Iterator[Sequence[str]]:
    """Yield the rows of the differences."""
    for one in found.changes:
        yield [one.row.host, one.row.account, WHAT_ZH[one.what], one.detail, one.request]


def finding_cells(found: Summary) -> Iterator[Sequence[str]]:
    """Yield the rows of what is to be said."""
    for row in found.accounts:
        yield [row.host, row.account, EVENTS_ZH[row.event], row.detail, row.request]


def _password(row: PermissionRow) -> str:
    words = [_PASSWORD_ZH.get(row.password, row.password)]
    if row.password in ("set", "locked"):
        words += [f"{row.changed or '未知'} 修改", f"期限 {row.max_days} 天" if row.max_days else "没有期限"]
    return "，".join(words)
