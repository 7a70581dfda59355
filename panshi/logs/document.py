"""The proof 日志轮转与留存证明 and the review 日志审查记录单 as people read and sign them: a workbook and a page."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from panshi.errors import PanshiError
from panshi.logs.declared import ENVIRONMENT_ZH, KIND_ZH
from panshi.logs.proof import RETENTION_ZH, STATUS_ZH, WAY_ZH, totals
from panshi.logs.review import compared
from panshi.record import LogProofRow, LogReviewRow
from panshi.report.html import new_environment
from panshi.report.sheet import A3, SIGNATURE, Table, new_book, packed
from panshi.report.text import beijing, printable

PROOF, REVIEW = "日志轮转与留存证明", "日志审查记录单"
SEVERITY_ZH = {
    "0": "紧急", "1": "警报", "2": "严重", "3": "错误", "4": "警告", "5": "注意", "6": "信息", "7": "调试",
    "unknown": "未标级别",
}  # fmt: skip
_METHOD = (
    "产品实测：请产品自己写带编号的行，轮转真实日志；副本实测：同一份 logrotate 指令、同一种写法的副本日志，"
    "真实日志里没有写入任何内容"
)
_SOURCE = "日志、轮转出的文件与归档中读到的最早一行的时间，不看文件名与文件时间；归档逐个按清单核对 SHA-256"
Columns = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Document:
    """What is written down: ``cover`` lines, and ``tables`` of (name, columns with widths, rows)."""

    title: str
    intro: str
    estate: str
    run: str
    cover: Sequence[tuple[str, str]]
    tables: Sequence[tuple[str, Columns, Sequence[Sequence[Any]]]] = field(default_factory=tuple)


def proof_document(
    estate: str, run: str, made: datetime, rows: Sequence[LogProofRow], silent: Sequence[str]
) -> Document:
    """Return the proof of all hosts of a run."""
    sums = totals(rows)
    statuses = "，".join(f"{name} {sums[status]}" for status, name in STATUS_ZH.items())
    cover = [
        ("环境", estate),
        ("运行", f"{run}（{beijing(made.isoformat(timespec='seconds'))}）"),
        ("日志", f"{len({row.host for row in rows})} 台主机，{sums['logs']} 个：{statuses}"),
        ("轮转中写入的行", f"{sums['lines']} 行：丢失 {sums['lost']}，重复 {sums['doubled']}"),
        ("复制后截断的日志实测丢失", f"{sums['lost_said']} 行（这种方式不能保证不丢，另列）"),
        ("计数的方法", _METHOD),
        ("留存的依据", _SOURCE),
        ("没有应答的主机", "、".join(silent) or "无"),
        ("编制、审核、批准（签字、日期）", ""),
    ]  # fmt: skip
    columns = [
        ("主机", 12), ("日志", 16), ("种类", 18), ("环境", 8), ("结论", 10), ("方法", 10), ("写入", 9), ("丢失", 7),
        ("重复", 7), ("轮转", 7), ("写到新文件", 9), ("归档（份）", 9), ("最早一行", 18), ("已留存（天）", 9),
        ("声明（天）", 9), ("法定（天）", 9), ("留存", 16), ("防删除属性", 10), ("轮转 CPU（秒）", 9), ("发现", 60),
    ]  # fmt: skip
    cells: list[Sequence[Any]] = [
        [
            row.host, row.name, KIND_ZH.get(row.style, row.style), ENVIRONMENT_ZH.get(row.environment, row.environment),
            STATUS_ZH[row.status], WAY_ZH[row.way], row.lines, row.lost, row.doubled, row.rotations,
            ("是" if row.reopened else "否") if row.way != "none" else "—", row.archives,
            beijing(row.oldest) if row.oldest else "—", row.days, row.keep_days, row.legal_days or "不适用",
            RETENTION_ZH[row.retention], "有" if row.immutable else "文件系统或内核不支持" if row.archives else "—",
            row.cpu, "\n".join(row.findings) or "无",
        ]
        for row in rows
    ]  # fmt: skip
    heads: list[Sequence[Any]] = [[row.host, row.name, "\n".join(row.paths), row.said, row.head or "—"] for row in rows]
    tables: list[tuple[str, Columns, Sequence[Sequence[Any]]]] = [
        (PROOF, columns, cells),
        ("方法与链头", [("主机", 12), ("日志", 16), ("路径", 40), ("怎样计数", 50), ("归档清单的链头", 40)], heads),
    ]
    return Document(PROOF, "轮转时不丢、不重，归档完整，留存到期限；由主机上实测", estate, run, cover, tables)


def review_document(
    estate: str,
    run: str,
    made: datetime,
    rows: Sequence[LogReviewRow],
    silent: Sequence[str],
    before: Mapping[str, LogReviewRow],
) -> Document:
    """Return the review sheet of all hosts of a run, held against each host's review before."""
    since, until = min((row.since for row in rows), default=""), max((row.until for row in rows), default="")
    period = f"{beijing(since)} 至 {beijing(until)}" if rows else "没有主机应答"
    cover = [
        ("环境", estate),
        ("运行", f"{run}（{beijing(made.isoformat(timespec='seconds'))}）"),
        ("审查的时段", period),
        ("主机", f"{len(rows)} 台，{sum(row.messages for row in rows)} 条"),
        ("没有应答的主机", "、".join(silent) or "无"),
        ("审查结论", ""),
        ("审查人、复核人、批准人（签字、日期）", ""),
    ]
    counted = [
        [row.host, row.messages, *(row.severities.get(one, 0) for one in SEVERITY_ZH),
         sum(one[0] for one in row.failed), sum(one[0] for one in row.privilege),
         len(row.accounts), sum(row.audit.values()), len(row.gaps),
         beijing(row.oldest) if row.oldest else "—", "\n".join(row.sources), row.cut or "全部读完"]
        for row in rows
    ]  # fmt: skip
    counts: Columns = [
        ("主机", 12), ("条数", 10), *((name, 8) for name in SEVERITY_ZH.values()), ("失败登录", 9), ("特权使用", 9),
        ("账户变更", 9), ("审计事件", 9), ("间断", 7), ("最早一行", 18), ("来源", 24), ("是否读完", 24),
    ]  # fmt: skip

    def each(name: str) -> list[list[Any]]:
        return [[row.host, *one] for row in rows for one in getattr(row, name)]

    events = [[row.host, *one] for row in rows for one in row.audit.items()]
    logs = [[row.host, *one[:-1], beijing(one[-1]) if one[-1] else "没有"] for row in rows for one in row.applications]
    tables: list[tuple[str, Columns, Sequence[Sequence[Any]]]] = [
        ("汇总", counts, counted),
        ("最多的错误", [("主机", 12), ("次数", 8), ("程序", 16), ("内容（数字、地址已归并）", 90)], each("errors")),
        (
            "产品与应用日志",
            [("主机", 12), ("日志", 20), ("行数", 12), ("错误", 10), ("拒绝（401、403）", 14), ("最新一行", 22)],
            logs,
        ),
        (
            "产品与应用的错误",
            [("主机", 12), ("次数", 8), ("日志", 16), ("内容（数字、地址已归并）", 90)],
            each("application_errors"),
        ),
        ("失败登录", [("主机", 12), ("次数", 8), ("账户", 20), ("来源", 40)], each("failed")),
        ("特权使用", [("主机", 12), ("次数", 8), ("账户", 20), ("命令", 60)], each("privilege")),
        ("账户变更", [("主机", 12), ("时间", 22), ("内容", 90)], each("accounts")),
        ("审计事件", [("主机", 12), ("类型", 24), ("条数", 10)], events),
        ("时间间断", [("主机", 12), ("自", 22), ("至", 22), ("分钟", 10)], each("gaps")),
        (
            "与上次审查相比",
            [("主机", 12), ("上次的时段", 40), ("项目", 90), ("上次", 10), ("本次", 10)],
            compared(rows, before),
        ),
    ]  # fmt: skip
    return Document(REVIEW, "由主机的日志统计而成，只读；处理意见与签字由审查人填写", estate, run, cover, tables)


def write(document: Document, folder: Path) -> list[Path]:
    """Write workbook and page, and the file that ``sha256sum --check`` takes; return their paths.

    Raises:
        PanshiError: PS-E7324 they cannot be written.
    """
    stem = f"{document.title}-{document.run}"
    files = {f"{stem}.xlsx": workbook(document), f"{stem}.html": page(document).encode("utf-8")}
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    files[f"{stem}.sha256"] = sums.encode("utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise PanshiError("PS-E7324", f"{document.title}写不进 {folder}：{error.strerror}", "检查磁盘与权限") from error
    return [folder / name for name in files]


def _signed(document: Document) -> Columns:
    return [("处理意见", 24), *SIGNATURE] if document.title == REVIEW else SIGNATURE


def workbook(document: Document) -> bytes:
    """Return the workbook: cover and tables, with columns to sign."""
    book = new_book(document.title)
    cover = Table(book, "说明", [("项目", 30), ("内容", 90)], "A2")
    for line in document.cover:
        cover.append(list(line))
    cover.close()
    signed = _signed(document)
    for name, columns, rows in document.tables:
        table = Table(book, name, [*columns, *signed], "C2", A3)
        for row in rows:
            table.append([*row, *[""] * len(signed)])
        table.close()
    return packed(book)


def page(document: Document) -> str:
    """Return the page."""
    tables = [
        (name, [column for column, _ in columns], [[printable(str(cell)) for cell in row] for row in rows])
        for name, columns, rows in document.tables
    ]
    template = new_environment().get_template("logs.html.j2")
    return str(template.render(document=document, tables=tables, signature=[name for name, _ in _signed(document)]))
